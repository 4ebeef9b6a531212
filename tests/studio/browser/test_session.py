"""What the page keeps: after a reload and a crash, between tabs, in files."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import Error, expect

from studio_page import SECONDS, StudioPage

EXAMPLE_NOTES = 12  # of the melody that the page opens with
C4, E4, G4 = 60, 64, 67

KEPT = """name => new Promise((resolve) => {
    const opening = indexedDB.open("ostinato", 1);
    opening.onsuccess = () => {
        const found = opening.result.transaction([name]).objectStore(name).getAll();
        found.onsuccess = () => { opening.result.close(); resolve(found.result); };
    };
})"""


def kept(studio: StudioPage, store: str) -> list[dict[str, Any]]:
    """The records that the browser keeps."""
    found: list[dict[str, Any]] = studio.page.evaluate(KEPT, store)
    return found


def wait_until_kept(studio: StudioPage, what: str) -> None:
    """Wait until a session is kept whose last step is called this."""
    deadline = time.monotonic() + SECONDS
    while not any(
        each["line"]["past"] and each["line"]["past"][-1]["what"] == what for each in kept(studio, "sessions")
    ):
        assert time.monotonic() < deadline, f"no session ends in {what}"


def notes_of_cards(studio: StudioPage) -> list[int]:
    cards = studio.page.locator("#cards .small-roll")
    return [cards.nth(number).locator("rect.note").count() for number in range(cards.count())]


def test_a_reload_brings_all_back(studio: StudioPage) -> None:
    page = studio.page
    page.get_by_label("Meter", exact=True).select_option("6/8")
    page.get_by_role("spinbutton", name="Tempo").fill("97.5")
    page.get_by_role("spinbutton", name="Tempo").press("Enter")
    page.get_by_label("Sound").select_option("Flute")
    page.get_by_role("button", name="Loop").click()
    page.get_by_text("More choices").click()
    page.get_by_label("Key", exact=True).select_option("G")
    page.get_by_label("Mode", exact=True).select_option("dorian")
    page.get_by_label("Model").select_option("lookback_rnn")
    before = studio.primer()
    studio.generate(New_bars="3", Variations="3", Temperature="1.3", Seed="5")
    classes = "notes => notes.map((note) => note.getAttribute('class'))"
    cards = page.locator("#cards rect.note").evaluate_all(classes)
    page.get_by_role("button", name="Clear the melody").click()
    page.get_by_role("button", name="Undo", exact=True).first.click()

    studio.open()
    assert studio.primer() == before
    expect(page.get_by_label("Meter", exact=True)).to_have_value("6/8")
    expect(page.get_by_role("spinbutton", name="Tempo")).to_have_value("97.5")
    expect(page.get_by_label("Sound")).to_have_value("Flute")
    expect(page.get_by_role("button", name="Loop")).to_have_attribute("aria-pressed", "true")
    for label, value in (("Model", "lookback_rnn"), ("New bars", "3"), ("Variations", "3"), ("Seed", "5")):
        expect(page.get_by_label(label, exact=True).first).to_have_value(value)
    expect(page.get_by_role("button", name="Keep this seed")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Temperature", exact=True)).to_have_value("1.3")
    expect(page.get_by_label("Key", exact=True)).to_have_value("G")
    expect(page.get_by_label("Mode", exact=True)).to_have_value("dorian")
    assert page.locator("#cards rect.note").evaluate_all(classes) == cards
    page.get_by_role("button", name="Redo").click()
    assert studio.primer() == []
    for _ in range(2):
        page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(page.locator("#results")).to_be_hidden()
    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(page.get_by_label("Meter", exact=True)).to_have_value("4/4")


def test_a_tab_that_crashed_comes_back_in_a_new_one(wide: StudioPage) -> None:
    wide.generate(New_bars="1")
    notes = notes_of_cards(wide)
    wait_until_kept(wide, "these variations")
    with wide.page.expect_event("crash"), contextlib.suppress(Error):
        wide.page.goto("chrome://crash")
    other = wide.tab()
    assert notes_of_cards(other) == notes


def test_two_tabs_have_a_session_each_and_the_same_favorites(wide: StudioPage) -> None:
    wide.generate(New_bars="4", Variations="2")
    wait_until_kept(wide, "these variations")
    other = wide.tab()
    assert notes_of_cards(other) == notes_of_cards(wide)
    other.page.get_by_role("button", name="Clear the melody").click()
    wait_until_kept(other, "clearing the melody")
    for studio, number in ((wide, 1), (other, 2)):
        studio.page.get_by_role("button", name=f"Keep Variation {number} as a favorite").click()
    for studio in (wide, other):
        for name in ("Favorite 1", "Favorite 2"):
            expect(studio.page.get_by_role("article", name=name)).to_be_visible()
    other.page.get_by_role("button", name="Remove Favorite 1").click()
    expect(wide.page.get_by_role("article", name="Favorite 1")).to_have_count(0)
    expect(wide.page.get_by_role("button", name="Keep Variation 1")).to_have_attribute("aria-pressed", "false")
    wide.open()
    assert len(wide.primer()) == 32
    other.open()
    assert other.primer() == []


def test_the_copy_of_a_tab_does_not_write_over_its_session(wide: StudioPage) -> None:
    name = wide.page.evaluate("sessionStorage.getItem('ostinato.tab')")
    page = wide.page.context.new_page()
    page.add_init_script(f"sessionStorage.setItem('ostinato.tab', '{name}')")  # as browsers copy it
    copy = StudioPage(page, wide.url, is_touched=False, complaints=wide.complaints)
    copy.open()
    copy.page.get_by_role("button", name="Clear the melody").click()
    wait_until_kept(copy, "clearing the melody")
    wide.open()
    assert len(wide.primer()) == 32


def test_a_favorite_that_was_taken_out_can_be_had_again(studio: StudioPage) -> None:
    page = studio.page
    studio.generate(New_bars="1", Variations="1")
    page.get_by_role("button", name="Keep Variation 1 as a favorite").click()
    favorite = page.get_by_role("article", name="Favorite 1")
    expect(favorite).to_be_visible()
    for take_out in ("Remove Favorite 1", "Keep Variation 1 as a favorite"):
        page.get_by_role("button", name=take_out).click()
        expect(favorite).to_have_count(0)
        page.locator("#message-undo").click()
        expect(favorite).to_be_visible()
        expect(page.get_by_role("button", name="Keep Variation 1")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Redo").click()
    expect(favorite).to_have_count(0)
    studio.open()  # and much later
    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(favorite).to_be_visible()


def test_a_session_is_saved_to_a_file_and_opened_from_it(wide: StudioPage, tmp_path: Path) -> None:
    page = wide.page
    wide.generate(New_bars="2", Variations="2", Seed="9")
    page.get_by_role("button", name="Keep Variation 2 as a favorite").click()
    expect(page.get_by_role("article", name="Favorite 1")).to_be_visible()
    notes = notes_of_cards(wide)
    path = tmp_path / "song.json"
    path.write_bytes(wide.saved("Save session").read_bytes())
    # Somewhere else, later: other work, and nothing kept.
    page.get_by_role("button", name="Remove Favorite 1").click()
    page.get_by_role("button", name="Clear the melody").click()
    page.get_by_role("button", name="Keep this seed").click()
    wide.generate(New_bars="1", Variations="1")
    page.locator("#file").set_input_files(path)
    expect(page.locator("#message-text")).to_have_text("Opened the session song.json.")
    assert notes_of_cards(wide) == notes
    assert len(wide.primer()) == 32
    expect(page.get_by_label("Seed", exact=True)).to_have_value("9")
    expect(page.get_by_role("button", name="Keep this seed")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("article", name="Favorite 1")).to_be_visible()
    page.keyboard.press("Control+z")  # its own past
    expect(page.locator("#results")).to_be_hidden()
    page.keyboard.press("Control+z")  # and what was here before
    assert wide.primer() == []
    assert wide.rolls() == 1


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (lambda file: "{", "x.json is not a session of this studio. Choose another file."),
        (lambda file: json.dumps({"format": "other"}), "x.json is not a session of this studio. Choose another file."),
        (
            lambda file: json.dumps({**file, "version": 2}),
            "x.json was saved by a newer studio. Update Ostinato to open it.",
        ),
        (
            lambda file: json.dumps({**file, "line": {}}),
            "x.json is damaged, so nothing was opened. Choose another file.",
        ),
        (
            lambda file: json.dumps({**file, "favorites": [{"id": "1"}]}),
            "x.json is damaged, so nothing was opened. Choose another file.",
        ),
        (
            lambda file: json.dumps({**file, "variations": {"1": {"events": [300]}}}),
            "x.json is damaged, so nothing was opened. Choose another file.",
        ),
    ],
)
def test_a_file_that_is_no_session_is_refused_in_a_line(wide: StudioPage, change: Any, refusal: str) -> None:
    file = json.loads(wide.saved("Save session").read_text())
    data = change(file).encode()
    wide.page.locator("#file").set_input_files({"name": "x.json", "mimeType": "application/json", "buffer": data})
    expect(wide.page.get_by_role("alert")).to_have_text(refusal)
    expect(wide.page.locator(".roll-notes .note")).to_have_count(EXAMPLE_NOTES)


def test_what_an_earlier_studio_kept_is_taken_over(wide: StudioPage) -> None:
    melody = {"meter": "3/4", "qpm": 90, "notes": [{"pitch": C4, "start": 0, "length": 2}]}
    old = {"name": "Favorite 4", "events": [C4, E4, G4], "stepsPerBar": 12, "meter": "3/4", "primerSteps": 1}
    old |= {"model": "ostinato", "seed": 8, "qpm": 90}
    page = wide.tab().page.context.browser.new_context().new_page()  # type: ignore[union-attr]
    first = StudioPage(page, wide.url, is_touched=False, complaints=wide.complaints)
    page.add_init_script(
        f"""if (!localStorage.getItem("seen")) {{
            localStorage.setItem("seen", "1");
            localStorage.setItem("ostinato.melody.1", '{json.dumps(melody)}');
            localStorage.setItem("ostinato.favourites.1", '{json.dumps([old, {"events": "la la"}, 3, None])}');
        }}"""
    )
    for _ in range(2):
        first.open()
        assert first.primer() == [C4, -2]
        expect(page.get_by_role("article", name="Favorite 4")).to_contain_text("ostinato · seed 8")
    assert len(kept(first, "favorites")) == 1
    page.context.close()


@pytest.mark.parametrize("rubbish", ["{", "[3, null]", '{"events": []}'])
def test_rubbish_of_an_earlier_studio_is_passed_over(wide: StudioPage, rubbish: str) -> None:
    page = wide.page.context.browser.new_context().new_page()  # type: ignore[union-attr]
    first = StudioPage(page, wide.url, is_touched=False, complaints=wide.complaints)
    for key in ("melody", "favourites"):
        page.add_init_script(f"localStorage.setItem('ostinato.{key}.1', '{rubbish}')")
    first.open()
    expect(page.locator(".roll-notes .note")).to_have_count(EXAMPLE_NOTES)
    page.context.close()


def test_a_browser_that_keeps_nothing_says_so(wide: StudioPage) -> None:
    page = wide.page.context.browser.new_context().new_page()  # type: ignore[union-attr]
    page.add_init_script("indexedDB.open = () => { throw new DOMException('no'); };")
    forgetful = StudioPage(page, wide.url, is_touched=False, complaints=wide.complaints)
    forgetful.open()
    forgetful.generate(New_bars="1", Variations="1")
    page.get_by_role("button", name="Keep Variation 1 as a favorite").click()
    expect(page.get_by_role("alert")).to_contain_text("The browser keeps nothing for this page")
    expect(page.get_by_role("article", name="Favorite 1")).to_be_visible()
    page.context.close()
