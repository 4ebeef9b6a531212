"""The page of a model: from the file system, with the network off, by finger, mouse and keys."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("playwright", reason="make test installs it")

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from export_models import SECONDS, served
from ostinato.bundle import Bundle, array_shapes, load_bundle
from ostinato.config import Config, Hparams
from ostinato.encodings import BarEncoding
from ostinato.export.javascript import javascript_files
from ostinato.export.page import page_html
from ostinato.formats.midi.reader import read_midi
from ostinato.generation.model import Model
from ostinato.shipped import load_shipped
from studio_page import NARROW, WIDE


def small_bundle() -> Bundle:
    """An untrained model of the built-in one's encoding."""
    encoding = BarEncoding(tells_beat=True, tells_matches=True, foretells_end=True)
    config = Config("ostinato", encoding, Hparams(rnn_layer_sizes=(8, 8)))
    random = np.random.default_rng(0)
    shapes = array_shapes(config)
    arrays = {part: random.normal(0, 0.5, shape).astype(np.float32) for part, shape in shapes.items()}
    return Bundle(config, arrays, {"description": 'A <b>small</b> one & "$x"', "data": {"upbeats": 0.5}})


@dataclass
class Visit:
    """The page in a browser, and what the browser has complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def generate(self, seed: int) -> None:
        self.page.get_by_role("spinbutton", name="Seed").fill(str(seed))
        self.page.get_by_role("button", name="Generate").click()
        expect(self.page.get_by_role("status")).to_contain_text(f"4 melodies of seed {seed}")

    def melodies(self) -> list[list[int]]:
        players = self.page.locator("#variations melody-player")
        return [
            [int(event) for event in events.split()]
            for events in players.evaluate_all("players => players.map((each) => each.getAttribute('events'))")
        ]

    def beginning(self) -> list[int]:
        events: list[int] = self.page.evaluate("document.getElementById('primer').events")
        return events

    def cell(self, step: int, pitch: int) -> tuple[float, float]:
        """The middle of a cell of the roll, on the screen."""
        self.page.locator("#board").scroll_into_view_if_needed()
        box = self.page.locator("#board svg").bounding_box()
        assert box is not None
        return box["x"] + (step + 0.5) * box["width"] / 32, box["y"] + (79 - pitch + 0.5) * box["height"] / 25


@pytest.fixture(scope="module")
def small_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "my model.html"
    path.write_text(page_html(small_bundle()), encoding="utf-8")
    return path


def visit(browser: Browser, path: Path, width: int, **options: Any) -> Iterator[Visit]:
    """Open the page with the network off; it asks nobody for anything, and the browser has nothing to say."""
    is_touched = width == NARROW
    context = browser.new_context(
        viewport={"width": width, "height": 844}, has_touch=is_touched, is_mobile=is_touched, offline=True, **options
    )
    context.set_default_timeout(SECONDS * 1000)
    visited = Visit(context.new_page())
    visited.page.on("console", visited.hear)
    visited.page.on("pageerror", lambda error: visited.complaints.append(str(error)))
    visited.page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((path.as_uri(), "blob:", "data:"))
            else visited.complaints.append(f"asks {request.url}")
        ),
    )
    expect.set_options(timeout=SECONDS * 1000)
    visited.page.goto(path.as_uri())
    visited.page.wait_for_selector("html[data-ready]")
    yield visited
    context.close()
    assert visited.complaints == []


@pytest.fixture(params=[WIDE, NARROW])
def either(request: pytest.FixtureRequest, browser: Browser, small_page: Path) -> Iterator[Visit]:
    yield from visit(browser, small_page, request.param)


@pytest.fixture
def wide(browser: Browser, small_page: Path) -> Iterator[Visit]:
    yield from visit(browser, small_page, WIDE)


@pytest.fixture
def touched(browser: Browser, small_page: Path) -> Iterator[Visit]:
    yield from visit(browser, small_page, NARROW)


def test_four_variations_are_made_seen_heard_and_saved(either: Visit, tmp_path: Path) -> None:
    page = either.page
    assert page.get_by_text('A <b>small</b> one & "$x"', exact=True).first.is_visible()
    for key in ("C4", "E4", "G4"):
        page.get_by_role("button", name=key, exact=True).click()
    assert either.beginning()[:8] == [60, -2, 64, -2, 67, -2, -1, -2]
    page.get_by_role("combobox", name="Bars").select_option("4")
    page.get_by_role("combobox", name="Meter").select_option("3/4")
    page.get_by_role("combobox", name="Key").select_option("C major")
    either.generate(seed=5)
    assert len(page.workers) == 1
    # The same weights and the same seed make the same in Python.
    (tmp_path / "model.safetensors").write_bytes(javascript_files(small_bundle())["model.safetensors"])
    model = Model(load_bundle(tmp_path / "model.safetensors"))
    primer = [60, -2, 64, -2, 67, -2]
    wanted = model.generate(primer=primer, num_bars=4, meter="3/4", key="C", num_outputs=4, seed=5)
    assert either.melodies() == [list(melody) for melody in wanted]
    assert page.locator("#variations .given").count() == 4 * 3
    page.get_by_role("button", name="Play variation 2").click()
    page.get_by_role("button", name="Stop variation 2").click()
    page.get_by_role("button", name="Play your beginning").click()
    page.get_by_role("button", name="Stop your beginning").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save variation 3 as MIDI").click()
    assert download.value.suggested_filename == "melody-5-3.mid"
    download.value.save_as(tmp_path / "saved.mid")
    saved = read_midi(tmp_path / "saved.mid")
    assert [note.pitch for note in saved.notes] == list(wanted[2].pitches)
    assert (saved.time_signatures[0].numerator, saved.time_signatures[0].denominator) == (3, 4)


def test_without_a_beginning_it_invents(wide: Visit) -> None:
    wide.generate(seed=1)
    firsts = [next(step for step, event in enumerate(melody) if event >= 0) for melody in wide.melodies()]
    assert {first >= 8 for first in firsts} == {True, False}  # some begin with an upbeat, in a bar of its own
    for melody, first in zip(wide.melodies(), firsts, strict=True):
        before = 16 if first else 0
        assert before + 7 * 16 < len(melody) <= before + 8 * 16  # eight bars, the end in the last


def test_a_mouse_draws(wide: Visit) -> None:
    page = wide.page
    page.mouse.click(*wide.cell(0, 60))
    page.mouse.move(*wide.cell(4, 67))
    page.mouse.down()
    page.mouse.move(*wide.cell(9, 67), steps=3)
    page.mouse.up()
    assert wide.beginning()[:12] == [60, -2, -1, -2, 67, -2, -2, -2, -2, -2, -1, -2]
    page.mouse.click(*wide.cell(5, 67))  # which removes it
    assert wide.beginning()[:6] == [60, -2, -1, -2, -2, -2]
    page.get_by_role("button", name="Clear").click()
    assert set(wide.beginning()) == {-2}


def test_a_finger_draws(touched: Visit) -> None:
    touched.page.touchscreen.tap(*touched.cell(2, 72))
    touched.page.touchscreen.tap(*touched.cell(4, 74))
    assert touched.beginning()[:8] == [-2, -2, 72, -2, 74, -2, -1, -2]
    # Nothing is wider than the screen.
    assert touched.page.evaluate("document.documentElement.scrollWidth") == NARROW


def test_keys_write_and_change(wide: Visit) -> None:
    page = wide.page
    board = page.get_by_role("application", name="Your beginning")
    board.focus()
    for key in ("ArrowUp", "ArrowRight", "Enter"):
        board.press(key)
    assert wide.beginning()[:4] == [-2, 68, -2, -1]
    expect(page.get_by_role("status")).to_have_text("G#4, bar 1, 16th 2, a note of 2 16ths")
    board.press("Shift+ArrowRight")
    assert wide.beginning()[:5] == [-2, 68, -2, -2, -1]
    board.press("Delete")
    assert set(wide.beginning()) == {-2}
    page.keyboard.press("w")  # the computer's keyboard is a piano
    assert wide.beginning()[:3] == [61, -2, -1]


def test_what_cannot_be_is_said(wide: Visit) -> None:
    wide.page.get_by_role("spinbutton", name="Seed").fill("-3")
    wide.page.get_by_role("button", name="Generate").click()
    expect(wide.page.get_by_role("status")).to_have_text("seed must be a whole number of 0 or more, not -3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_fingers_find_everything(browser: Browser, small_page: Path, scheme: str) -> None:
    for visited in visit(browser, small_page, NARROW, color_scheme=scheme, bypass_csp=True):
        page = visited.page
        page.get_by_role("combobox", name="Bars").select_option("4")
        visited.generate(seed=2)
        found = Axe().run(page).response["violations"]
        problems = [f"{each['impact']}: {each['help']}: {node['html']}" for each in found for node in each["nodes"]]
        assert problems == []
        small = page.locator("button:visible, select:visible, input:visible, summary:visible, a:visible").evaluate_all(
            """controls => controls
                .filter((control) => !control.closest("#piano"))
                .map((control) => [control.id || control.textContent, control.getBoundingClientRect()])
                .filter(([, box]) => box.width < 40 || box.height < 40)
                .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)"""
        )
        assert small == []


def test_the_page_of_the_built_in_model_is_small_and_asks_nobody() -> None:
    page = page_html(load_shipped())
    assert len(page.encode()) < 2_000_000
    assert not re.search(r"""(src|href)=["'](?!data:|blob:)""", page)


def test_the_module_and_its_example_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    for name, data in javascript_files(small_bundle(), 16).items():
        (tmp_path / name).write_bytes(data)
    model = Model(load_bundle(tmp_path / "model.safetensors"))
    with served(tmp_path) as address:
        page = browser.new_page()
        try:
            page.set_default_timeout(SECONDS * 1000)
            page.goto(f"{address}/index.html")
            page.get_by_role("button", name="Make a melody").click()
            page.wait_for_selector("#midi:not([hidden])")
            assert len(page.locator("#events").inner_text().split()) == 128
            events = [60, -2, 62, -1] * 12
            told = page.evaluate(
                f"""async () => {{
                    const {{ load }} = await import("./ostinato.js");
                    const model = await load("model.safetensors");
                    const [made] = model.generate({{ numBars: 4, seed: 3, meter: "6/8" }});
                    return JSON.stringify([model.probabilities({events}), made.events]);
                }}"""
            )
        finally:
            page.close()
    likely, made = json.loads(told)
    assert np.abs(np.array(likely) - model.probabilities(events)).max() < 1e-6  # ours are rounded to single precision
    assert made == list(model.generate(num_bars=4, seed=3, meter="6/8")[0])
