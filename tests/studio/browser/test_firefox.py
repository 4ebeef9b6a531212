"""What matters most, in Firefox."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from firefox import FIREFOX, Firefox, firefox

C4, E4, G4 = 60, 64, 67

CELL = """
    const [step, pitch] = arguments;
    const [lowest, highest] = [48, 83];
    const board = document.querySelector(".roll-board");
    const svg = board.querySelector("svg");
    const [width, row] = [Number(board.dataset.stepWidth), svg.getBoundingClientRect().height / (highest - lowest + 1)];
    const [x, y] = [(step + 0.5) * width, (highest - pitch + 0.5) * row];
    board.parentElement.scrollTo({ left: x - 60, top: y - 150, behavior: "instant" });
    board.parentElement.scrollIntoView({ block: "nearest", behavior: "instant" });
    const now = svg.getBoundingClientRect();
    return [now.left + x, now.top + y];
"""


@pytest.fixture(name="opened", scope="module")
def _opened(url: str) -> Iterator[Firefox]:
    if FIREFOX is None:
        assert not os.environ.get("OSTINATO_WHOLE_INSTALL"), "install Firefox: apt-get install firefox-esr"
        pytest.skip("there is no Firefox here")
    with firefox() as browser:
        browser.resize(1280, 1000)
        browser.go(url)
        yield browser


@pytest.fixture(name="page")
def _page(opened: Firefox) -> Iterator[Firefox]:
    """The page with an empty roll; it complains of nothing, and asks nobody but its server."""
    opened.wait("document.documentElement.dataset.ready")
    opened.evaluate(
        """window.complaints = [];
        for (const kind of ["error", "unhandledrejection", "securitypolicyviolation"])
            addEventListener(kind, (e) => complaints.push(`${kind}: ${e.message ?? e.reason ?? e.blockedURI}`));"""
    )
    if opened.evaluate("return !document.getElementById('clear').disabled"):
        opened.click("#clear")
    yield opened
    assert opened.evaluate("return window.complaints ?? []") == []
    asked = opened.evaluate("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert all(each.startswith(opened.evaluate("return location.origin")) for each in asked)


def draw(page: Firefox, *notes: tuple[int, int]) -> None:
    for step, pitch in notes:
        page.press(*page.evaluate(CELL.replace("arguments", f"[{step}, {pitch}]")))


def notes(page: Firefox) -> Any:
    """What is on the roll: [step, pitch, length] of each note."""
    # Not from the page's modules: Marionette would load them once more, for itself.
    return page.evaluate(
        """const pitches = new Map();
        const keys = document.querySelectorAll(".key");
        for (const { y, dataset } of keys) pitches.set(y.baseVal.value, Number(dataset.pitch));
        const width = Number(document.querySelector(".roll-board").dataset.stepWidth);
        return [...document.querySelectorAll(".roll-notes .note")].map((note) => [
            Number(note.dataset.start),
            pitches.get(note.y.baseVal.value - 1),
            Math.round((note.width.baseVal.value + 1.5) / width),
        ]);"""
    )


def test_a_drawn_melody_becomes_four_that_are_explained(page: Firefox) -> None:
    draw(page, (0, C4), (4, E4), (8, G4))
    assert notes(page) == [[0, C4, 4], [4, E4, 4], [8, G4, 4]]
    page.click("#generate")
    page.wait("document.querySelectorAll('#cards .small-roll svg rect.note').length > 12")
    assert page.evaluate("return document.querySelectorAll('#cards article').length") == 4
    page.click("#cards .small-roll")  # in its middle
    page.wait("/likely/.test(document.querySelector('.why-sentence').textContent)")
    page.click("#cards .button.is-star")
    page.wait("document.querySelector('#favorites article')?.ariaLabel === 'Favorite 1'")


def test_it_plays_and_the_notation_follows(page: Firefox) -> None:
    draw(page, (0, C4), (4, E4), (16, G4))
    page.click("[aria-label='Staff: Your melody']")
    page.wait("document.querySelector('.staff-page svg')?.ariaLabel === 'Your melody: 2 bars of 4/4 in G major'")
    page.click("#play")
    page.wait("document.querySelectorAll('.is-sounding').length === 1")
    moved = "new DOMMatrix(getComputedStyle(document.querySelector('.staff-playhead')).transform).e"
    before = page.evaluate(f"return {moved}")
    page.wait(f"{moved} > {before} + 5")
    page.click("#play")
    page.wait("document.querySelector('.staff-playhead').hidden")
    page.evaluate(
        "addEventListener('beforeprint', () => (window.paper = document.querySelector('.paper').textContent))"
    )
    assert page.printed().startswith(b"%PDF-")
    assert page.evaluate("return paper").startswith("Your melody")
    page.click("[aria-label='Staff: Your melody']")


def test_a_reload_brings_the_melody_back(page: Firefox) -> None:
    draw(page, (0, C4), (4, E4))
    before = notes(page)
    page.go(page.evaluate("return location.href"))
    page.wait("document.documentElement.dataset.ready")
    assert notes(page) == before == [[0, C4, 4], [4, E4, 4]]
    assert page.evaluate("return !document.getElementById('undo').disabled")


def test_a_link_brings_a_melody(page: Firefox) -> None:
    page.evaluate("location.hash = '#melody=1/6/8/97.5/AT2BAD8'")
    page.wait("document.getElementById('message-text').textContent === 'Your melody is now what the link holds.'")
    assert notes(page) == [[0, C4, 2], [3, 62, 1]]
    assert page.evaluate("return document.getElementById('meter').value") == "6/8"
