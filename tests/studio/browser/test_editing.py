"""Notes are selected, copied, moved and stretched together; the grid, the zoom, the tempo and what the roll tells."""

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from studio_page import StudioPage

C4, E4, G4 = 60, 64, 67


def put(studio: StudioPage, *notes: tuple[int, int, int]) -> None:
    """Let the melody be these notes: pitch, first step, length."""
    studio.page.evaluate(
        """async (notes) => {
            const { history } = await import("/static/main.js");
            history.commit({ notes: notes.map(([pitch, start, length]) => ({ pitch, start, length })) }, "a test");
        }""",
        [list(note) for note in notes],
    )


def notes(studio: StudioPage) -> list[tuple[int, int, int]]:
    found = studio.page.evaluate(
        """async () => {
            const { history } = await import("/static/main.js");
            return history.present.notes.map(({ pitch, start, length }) => [pitch, start, length]);
        }"""
    )
    return [(pitch, start, length) for pitch, start, length in found]


THREE = ((C4, 0, 4), (E4, 4, 4), (G4, 8, 4))


def test_selected_notes_move_together_and_come_back(wide: StudioPage) -> None:
    page = wide.page
    put(wide, *THREE)
    page.get_by_role("button", name="Select", exact=True).click()
    wide.drag((3, C4 - 1), (5, E4 + 1))
    selected = page.get_by_role("group", name="Selected notes")
    expect(selected).to_contain_text("2 notes")
    wide.drag((1, C4), (2, C4 + 2))
    assert notes(wide) == [(C4 + 2, 1, 4), (E4 + 2, 5, 4)]  # the third began under what is moved
    page.keyboard.press("Control+z")
    assert notes(wide) == list(THREE)


def test_keys_and_buttons_change_what_is_selected(studio: StudioPage) -> None:
    page = studio.page
    put(studio, *THREE)
    page.get_by_role("button", name="Select", exact=True).click()
    page.keyboard.press("Control+a")
    expect(page.locator(".roll-notes .note.is-selected")).to_have_count(3)
    page.get_by_role("button", name="Octave up").click()
    assert notes(studio) == [(C4 + 12, 0, 4), (E4 + 12, 4, 4), (G4 + 12, 8, 4)]
    page.get_by_role("button", name="Octave down").click()
    page.get_by_role("button", name="Shorter").click()
    assert notes(studio) == [(C4, 0, 3), (E4, 4, 3), (G4, 8, 3)]
    page.get_by_role("button", name="Longer").click()
    page.get_by_role("button", name="Longer").click()  # none runs into the next
    assert notes(studio) == [(C4, 0, 4), (E4, 4, 4), (G4, 8, 5)]
    page.get_by_role("button", name="Down", exact=False).first.click()
    assert notes(studio) == [(C4 - 1, 0, 4), (E4 - 1, 4, 4), (G4 - 1, 8, 5)]
    page.get_by_role("button", name="Erase", exact=True).click()
    assert notes(studio) == []
    page.get_by_role("button", name="Undo", exact=True).first.click()
    assert len(notes(studio)) == 3


def test_copies_are_pasted_whole_bars_later(wide: StudioPage) -> None:
    page = wide.page
    put(wide, *THREE)
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+c")
    page.keyboard.press("Control+v")
    second = [(pitch, start + 16, length) for pitch, start, length in THREE]
    assert notes(wide) == [*THREE, *second]
    page.keyboard.press("ArrowUp")  # what was pasted is selected
    up = [(pitch + 1, start, length) for pitch, start, length in second]
    assert notes(wide) == [*THREE, *up]
    page.keyboard.press("Control+v")
    assert notes(wide) == [*THREE, *up, *((pitch, start + 32, length) for pitch, start, length in THREE)]
    page.keyboard.press("Control+x")
    assert notes(wide) == [*THREE, *up]
    page.keyboard.press("Control+z")
    page.get_by_label("Tempo").focus()
    page.keyboard.press("Control+a")  # that is the field's own
    page.keyboard.press("Control+x")
    assert len(notes(wide)) == 9


def test_shift_click_adds_and_takes_away(wide: StudioPage) -> None:
    page = wide.page
    put(wide, *THREE)
    wide.press_cell(1, C4)
    page.keyboard.down("Shift")
    wide.press_cell(9, G4)
    page.keyboard.up("Shift")
    expect(page.locator(".roll-notes .note.is-selected")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    assert notes(wide) == [(C4 - 1, 0, 4), (E4, 4, 4), (G4 - 1, 8, 4)]
    page.keyboard.down("Shift")
    wide.press_cell(1, C4 - 1)
    page.keyboard.up("Shift")
    page.keyboard.press("Delete")
    assert notes(wide) == [(C4 - 1, 0, 4), (E4, 4, 4)]


def test_what_is_drawn_snaps_to_the_chosen_grid(wide: StudioPage) -> None:
    page = wide.page
    put(wide)
    page.get_by_label("Snap to").select_option("beats")
    wide.drag((1, C4), (6, C4))
    assert notes(wide) == [(C4, 0, 8)]
    page.keyboard.press("ArrowRight")
    assert notes(wide) == [(C4, 4, 8)]
    page.get_by_label("Snap to").select_option("8ths")
    page.keyboard.press("ArrowLeft")
    assert notes(wide) == [(C4, 2, 8)]
    page.get_by_label("Snap to").select_option("16ths")
    page.keyboard.press("ArrowLeft")
    assert notes(wide) == [(C4, 1, 8)]
    page.get_by_label("Meter", exact=True).select_option("6/8")
    page.get_by_label("Snap to").select_option("beats")
    wide.drag((15, E4), (15, E4))
    wide.drag((13, G4), (19, G4))
    assert (G4, 12, 12) in notes(wide)
    wide.open()
    expect(page.get_by_label("Snap to")).to_have_value("beats")


def test_the_roll_zooms_and_stays_where_it_was(wide: StudioPage) -> None:
    page = wide.page
    board, place = page.locator(".roll-board"), page.locator("#roll")
    before = float(board.get_attribute("data-step-width") or "nan")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    assert float(board.get_attribute("data-step-width") or "nan") == pytest.approx(2 * before, abs=0.02)
    place.evaluate("place => (place.scrollLeft = 300)")
    box = place.bounding_box()
    assert box is not None
    x = 352  # of the pointer in the roll: 300 pixels from where the grid is seen, after the keys
    under = "place => (place.scrollLeft + 300) / Number(place.querySelector('.roll-board').dataset.stepWidth)"
    step = place.evaluate(under)
    page.mouse.move(box["x"] + x, box["y"] + 100)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function(f"Number(document.querySelector('.roll-board').dataset.stepWidth) > {2.5 * before}")
    assert place.evaluate(under) == pytest.approx(step, abs=0.2)
    wide.open()
    page.wait_for_function(f"Number(document.querySelector('.roll-board').dataset.stepWidth) > {2.5 * before}")
    for _ in range(6):
        page.get_by_role("button", name="Zoom out").click()
    expect(page.get_by_role("button", name="Zoom out")).to_be_disabled()


def test_the_tempo_is_tapped(wide: StudioPage) -> None:
    page = wide.page
    tapped = page.evaluate(
        """async () => {
            const { TapTempo } = await import("/static/tap-tempo.js");
            const tempo = new TapTempo();
            return [0, 500, 1010, 1500, 9000, 9400].map((time) => tempo.tap(time));
        }"""
    )
    assert tapped == [None, 120.0, 118.8, 120.0, None, 150.0]
    tap, tempo = page.get_by_role("button", name="Tap", exact=True), page.get_by_label("Tempo")
    tap.click()
    page.wait_for_timeout(300)
    tap.click()
    expect(tempo).not_to_have_value("120")
    assert 20 <= float(tempo.input_value()) <= 400


def test_the_roll_tells_key_and_range(wide: StudioPage) -> None:
    page = wide.page
    told = page.locator("#melody-key")
    put(wide, (62, 0, 4), (66, 4, 4), (69, 8, 4), (61, 12, 4), (62, 16, 4))
    expect(told).to_have_text("D major · C♯4 to A4")
    page.get_by_text("More choices").click()
    page.get_by_label("Key", exact=True).select_option("Bb")
    page.get_by_label("Mode", exact=True).select_option("minor")
    expect(told).to_have_text("D major · C♯4 to A4 · new notes in B♭ minor")
    tonics = page.locator(".roll-tonic").get_attribute("d") or ""
    assert tonics.count("M") == 3  # B flat in the range of C3 to B5
    put(wide, (96, 0, 4))  # above what the model sings
    assert (page.locator(".roll-beyond").get_attribute("d") or "").count("M") == 96 - 83
    put(wide)
    expect(told).to_have_text("new notes in B♭ minor")
