"""Melodies as notation: drawn, followed, printed and saved."""

import re
import xml.etree.ElementTree as ET

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import Locator, expect

from studio_page import StudioPage

C5 = 72

# An upbeat of an eighth, a note tied over a bar line, a sharp outside the key, a last bar that the upbeat makes whole.
TUNE = """X:1
M:6/8
L:1/8
Q:1/4=97.5
K:G
D | G2 G ^c2 B- | B3 d2 c | BAG A F2 | G3- G2 |]
"""


def open_abc(studio: StudioPage, text: str) -> None:
    """Put a tune on the roll, as if its file had been chosen."""
    studio.page.set_input_files("#file", {"name": "tune.abc", "mimeType": "text/plain", "buffer": text.encode()})
    studio.page.get_by_text("Your melody is now tune.abc.").first.wait_for()


def show_staff(studio: StudioPage, name: str = "Your melody") -> Locator:
    """The notation of a melody, once it is drawn."""
    studio.page.get_by_role("button", name=f"Staff: {name}", exact=True).click()
    sheet = studio.page.get_by_role("region", name=f"{name} as notation", exact=True)
    sheet.locator("svg").wait_for()
    return sheet


def numbers(sheet: Locator) -> list[str]:
    return sheet.locator(".staff-number").all_text_contents()


def test_a_melody_is_shown_as_notation(studio: StudioPage) -> None:
    sheet = show_staff(studio)
    expect(sheet.get_by_role("img", name="Your melody: 2 bars of 4/4 in C major", exact=True)).to_be_visible()
    expect(sheet.locator(".abcjs-note")).to_have_count(12)
    assert numbers(sheet) == ["1", "2"]

    open_abc(studio, TUNE)
    expect(sheet.get_by_role("img", name="Your melody: 4 bars of 6/8 in G major, with an upbeat")).to_be_visible()
    # 13 notes, two of them in two parts with a tie.
    expect(sheet.locator(".abcjs-note")).to_have_count(15)
    expect(sheet.locator(".abcjs-tie")).to_have_count(2)
    expect(sheet.locator(".abcjs-l0 .abcjs-key-signature path")).to_have_count(1)
    expect(sheet.get_by_text("♩ = 97.5")).to_be_visible()
    assert numbers(sheet) == ["1", "2", "3", "4"]
    page = studio.page
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")


def test_what_draws_it_is_loaded_only_for_it(wide: StudioPage) -> None:
    loaded = "performance.getEntriesByType('resource').map((each) => new URL(each.name).pathname)"
    assert not {"/static/staff.js", "/static/staff.css"} & set(wide.page.evaluate(loaded))
    show_staff(wide)
    found = {path for path in wide.page.evaluate(loaded) if "abcjs" in path}
    assert len(found) == 1
    assert found.pop().startswith("/static/abcjs/abcjs-basic-")


def test_the_notation_follows_what_is_changed(wide: StudioPage) -> None:
    page = wide.page
    sheet = show_staff(wide)
    wide.press_cell(32, C5)
    picture = sheet.get_by_role("img")
    expect(picture).to_have_attribute("aria-label", "Your melody: 3 bars of 4/4 in C major")
    page.get_by_text("More choices").click()
    page.get_by_label("Key", exact=True).select_option("D")
    expect(picture).to_have_attribute("aria-label", "Your melody: 3 bars of 4/4 in D major")
    expect(sheet.locator(".abcjs-l0 .abcjs-key-signature path")).to_have_count(2)
    page.get_by_label("Meter", exact=True).select_option("3/4")
    expect(picture).to_have_attribute("aria-label", "Your melody: 3 bars of 3/4 in D major")
    page.get_by_role("spinbutton", name="Tempo").fill("80")
    page.get_by_role("spinbutton", name="Tempo").press("Enter")
    expect(sheet.locator(".abcjs-tempo")).to_contain_text("80")
    page.get_by_role("button", name="Clear the melody").click()
    expect(picture).to_have_attribute("aria-label", "Your melody: 1 bar of 3/4 in D major")

    page.reload()  # it stays open
    page.wait_for_selector("html[data-ready]")
    expect(page.get_by_role("img", name="Your melody: 1 bar of 3/4 in D major")).to_be_visible()
    page.get_by_role("button", name="Staff: Your melody").click()
    expect(sheet).to_be_hidden()


def test_a_line_moves_along_the_notation_as_it_plays(studio: StudioPage) -> None:
    page = studio.page
    tempo = page.get_by_role("spinbutton", name="Tempo")
    tempo.fill("40")  # a note lasts long enough to be seen on a busy machine
    tempo.press("Enter")
    sheet = show_staff(studio)
    playhead = sheet.locator(".staff-playhead")
    expect(playhead).to_be_hidden()
    place = "line => { const m = new DOMMatrix(getComputedStyle(line).transform); return [m.e, m.f]; }"
    # The first note of the second bar: it is played from there.
    note = sheet.locator(".abcjs-note").nth(6)
    note.scroll_into_view_if_needed()
    note.click(position={"x": 5, "y": 36})
    expect(playhead).to_be_visible()
    expect(note).to_have_class(re.compile("is-sounding"))
    x, y = playhead.evaluate(place)
    second_bar = note.evaluate("each => each.getBBox().x")
    assert x > second_bar
    page.wait_for_function(
        """before => {
            const m = new DOMMatrix(getComputedStyle(document.querySelector(".staff-playhead")).transform);
            return m.f > before[1] || m.e > before[0] + 20;
        }""",
        arg=[x, y],
    )
    page.keyboard.press("Escape")
    expect(playhead).to_be_hidden()
    expect(sheet.locator(".is-sounding")).to_have_count(0)


def test_it_is_saved_as_abc_and_musicxml(wide: StudioPage) -> None:
    open_abc(wide, TUNE)
    show_staff(wide)
    download = wide.download("ABC: Your melody")
    assert download.suggested_filename == "ostinato-melody.abc"
    written = wide.saved("ABC: Your melody").read_text(encoding="utf-8").splitlines()
    assert written[4:] == [
        "M:6/8",
        "L:1/8",
        "Q:1/4=97.5",
        "K:G",
        "D | G2 G ^c2 B- | B3 d2 c | BAG A F2 |",
        "G3- G2 |]",
    ]
    download = wide.download("MusicXML: Your melody")
    assert download.suggested_filename == "ostinato-melody.musicxml"
    score = ET.parse(wide.saved("MusicXML: Your melody"))
    assert [measure.get("number") for measure in score.iter("measure")] == ["0", "1", "2", "3", "4"]


def test_a_variation_has_notation_of_its_own(wide: StudioPage) -> None:
    page = wide.page
    answer = wide.generate(New_bars="4", Seed="7")
    sheet = show_staff(wide, "Variation 2")
    notes = sum(event >= 0 for event in answer["variations"][1]["events"])
    assert sheet.locator(".abcjs-note").count() >= notes
    assert numbers(sheet) == ["1", "2", "3", "4", "5", "6"]
    page.get_by_role("button", name="Play Variation 2", exact=True).click()
    expect(sheet.locator(".staff-playhead")).to_be_visible()
    written = wide.saved("ABC: Variation 2").read_text(encoding="utf-8")
    assert "T:Variation 2\n" in written
    page.get_by_role("button", name="Keep Variation 2 as a favorite").click()
    expect(show_staff(wide, "Favorite 1").locator(".abcjs-note")).to_have_count(sheet.locator(".abcjs-note").count())


def test_only_the_notation_is_printed(wide: StudioPage) -> None:
    page = wide.page
    plain = page.pdf().count(b"/Type /Page\n")
    show_staff(wide)
    wide.generate(New_bars="32", Seed="7")
    show_staff(wide, "Variation 1")
    # One that is left out of what is asked for is not printed.
    page.evaluate(
        """window.print = () => {
            dispatchEvent(new Event("beforeprint"));
            window.printed = document.querySelector(".paper").innerText;
            window.shown = [...document.body.children].map((each) => each.className || each.localName);
            dispatchEvent(new Event("afterprint"));
        }"""
    )
    page.get_by_role("button", name="Print: Variation 1").click()
    assert page.evaluate("printed").startswith("Variation 1\n")
    expect(page.locator(".paper")).to_have_count(0)

    # By the browser's own print: all that is shown, each beginning a page, in the light.
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".paper h1").all_inner_texts() == ["Your melody", "Variation 1"]
    visible = "[...document.body.children].filter((each) => each.checkVisibility()).map((each) => each.className)"
    assert page.evaluate(visible) == ["paper"]
    assert page.locator(".paper").evaluate("paper => getComputedStyle(paper).color") == "rgb(0, 0, 0)"
    assert page.locator(".paper svg").count() > 8
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("main")).to_be_visible()
    assert page.pdf().count(b"/Type /Page\n") == 1 + 1
    assert plain >= 1
