"""Keys that work wherever the focus is, and the list of them."""

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from studio_page import StudioPage

C4, E4 = 60, 64


def test_space_plays_and_stops_whatever_was_clicked(wide: StudioPage) -> None:
    page = wide.page
    playhead = page.locator(".roll .playhead")
    metronome = page.get_by_role("button", name="Metronome")
    metronome.click()
    page.get_by_label("Meter", exact=True).click()
    page.keyboard.press("Escape")
    for clicked in ("Metronome", "Loop"):
        page.get_by_role("button", name=clicked).click()
        page.keyboard.press("Space")
        expect(playhead).to_be_visible()
        page.keyboard.press("Space")
        expect(playhead).to_be_hidden()
    expect(metronome).to_have_attribute("aria-pressed", "false")  # pressed twice by the mouse, and no more
    for field in (page.get_by_label("New bars"), page.get_by_role("spinbutton", name="Tempo")):
        field.click()
        page.keyboard.press("Space")
        expect(playhead).to_be_visible()
        page.keyboard.press("Escape")
        expect(playhead).to_be_hidden()
    wide.press_cell(28, E4)
    page.keyboard.press("Space")
    expect(playhead).to_be_visible()
    page.keyboard.press("Space")
    # Where Tab leads, Space is the control's; and a text is a text.
    metronome.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(metronome).to_have_attribute("aria-pressed", "true")
    expect(playhead).to_be_hidden()
    page.get_by_label("Seed", exact=True).click()
    page.keyboard.type("1 2")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("1 2")


def test_arrows_move_and_transpose_the_note_that_was_clicked(wide: StudioPage) -> None:
    page = wide.page
    page.get_by_role("button", name="Clear the melody").click()
    wide.press_cell(4, C4)
    expect(page.locator(".note.is-selected")).to_have_count(1)
    page.get_by_role("button", name="Loop").click()  # the focus goes elsewhere
    for key, events in (
        ("ArrowUp", [-2, -2, -2, -2, 61, -2, -2, -2]),
        ("ArrowRight", [-2, -2, -2, -2, -2, 61, -2, -2, -2]),
        ("ArrowLeft", [-2, -2, -2, -2, 61, -2, -2, -2]),
        ("ArrowDown", [-2, -2, -2, -2, 60, -2, -2, -2]),
        ("Shift+ArrowUp", [-2, -2, -2, -2, 72, -2, -2, -2]),
        ("Shift+ArrowLeft", [-2, -2, -2, -2, 72, -2, -2]),
    ):
        page.keyboard.press(key)
        assert wide.primer() == events
    temperature = page.get_by_label("Surprise, from expected to daring")
    temperature.focus()
    page.keyboard.press("ArrowRight")  # the slider's
    expect(temperature).to_have_value("1.05")
    assert wide.primer()[4] == 72
    page.get_by_role("button", name="Loop").click()
    page.keyboard.press("Delete")
    assert wide.primer() == []
    page.keyboard.press("Control+z")
    assert wide.primer()[4] == 72


def test_a_question_mark_shows_the_keys(studio: StudioPage) -> None:
    page = studio.page
    keys = page.get_by_role("dialog", name="Keys and gestures")
    expect(keys).to_be_hidden()
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    expect(keys).to_contain_text("plays and stops your melody")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.get_by_role("button", name="Keys", exact=True).click()
    expect(keys).to_be_visible()
    keys.get_by_role("button", name="Close").click()
    expect(keys).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
