"""Chords on the studio's page: written, found, sent with what is asked for, kept, shown, heard and saved."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")

import symusic
from playwright.sync_api import expect

from studio_page import FADING, METER, SILENCE, StudioPage, loudest, run

# An upbeat, then three bars of 6/8.
TUNE = """X:1
M:6/8
L:1/8
K:G
D | "G" G3 "D7" A3 | "Em" B3 "C" c3 | "G" G3- G2 |]
"""


def write_chords(studio: StudioPage, text: str) -> None:
    field = studio.page.get_by_role("textbox", name="Chords", exact=True)
    field.fill(text)
    field.press("Enter")


def names(studio: StudioPage) -> list[list[Any]]:
    """The names over the roll, with their steps."""
    found: list[list[Any]] = studio.page.locator(".chord-lane span").evaluate_all(
        "spans => spans.map((span) => [Number(span.dataset.step), span.textContent])"
    )
    return found


def texts(path: Path) -> list[str]:
    """The texts of a MIDI file: after FF 01, the length and the letters."""
    data = path.read_bytes()
    places = [found.end() for found in re.finditer(rb"\xff\x01", data)]
    return [data[place + 1 : place + 1 + data[place]].decode() for place in places]


def tracks(path: Path) -> list[int]:
    """How many notes each track of a MIDI file has."""
    score: Any = symusic.Score.from_midi(path.read_bytes())
    return [len(track.notes) for track in score.tracks]


# ---- the two forms


@pytest.mark.parametrize(
    ("text", "meter", "end", "track"),
    [
        ("", "4/4", 32, []),
        ("C | Am", "4/4", 48, [[0, "C"], [16, "Am"], [32, "C"]]),
        ("F G", "3/4", 12, [[0, "F"], [8, "G"]]),  # the first has two of three beats
        ("C / / G", "4/4", 16, [[0, "C"], [12, "G"]]),
        ("C / F", "6/8", 12, [[0, "C"], [8, "F"]]),  # between the two beats
    ],
)
def test_a_text_and_its_track(modules: StudioPage, text: str, meter: str, end: int, track: list[list[Any]]) -> None:
    assert run(modules, "chords", f"return m.trackOf({json.dumps(text)}, '{meter}', {end})") == track
    assert run(modules, "chords", f"return m.textOf({track}, '{meter}', {end})") == text


def test_chords_after_an_upbeat_and_before_the_first(modules: StudioPage) -> None:
    assert run(modules, "chords", "return m.trackOf('C | G', '3/4', 36, 12)") == [[12, "C"], [24, "G"]]
    assert run(modules, "chords", "return m.textOf([[12, 'C'], [24, 'G']], '3/4', 36, 12)") == "C | G"
    assert run(modules, "chords", "return m.textOf([[20, 'C']], '4/4', 32)") == "N.C. | N.C. C / /"
    # An odd place takes a word for each step.
    assert run(modules, "chords", "return m.textOf([[0, 'C'], [1, 'G']], '2/4', 8)") == "C G / / / / / /"
    assert run(modules, "chords", "return m.trackOf('C G / / / / / /', '2/4', 8)") == [[0, "C"], [1, "G"]]


# ---- written, sent and kept


def test_chords_are_written_over_the_roll_and_sent(studio: StudioPage) -> None:
    page = studio.page
    write_chords(studio, "C | A- | F G | C7/E")
    expect(page.locator(".chord-lane span")).to_have_count(5)
    assert names(studio) == [[0, "C"], [16, "Am"], [32, "F"], [40, "G"], [48, "C7/E"]]
    expect(page.get_by_role("textbox", name="Chords", exact=True)).to_have_value("C | Am | F G | C7/E")
    first = page.locator(".chord-lane span").nth(1).bounding_box()
    bar = page.locator(".roll-grid").bounding_box()
    width = float(page.locator(".roll-board").get_attribute("data-step-width") or "")
    assert first
    assert bar
    assert first["x"] - bar["x"] == pytest.approx(16 * width, abs=1.5)

    answer = studio.generate(New_bars="4", Variations="2")
    asked = studio.asked_for()
    assert (asked["chords"], asked["chord_strength"]) == ("C | Am | F G | C7/E", 0.9)
    track = [[0, "C"], [16, "Am"], [32, "F"], [40, "G"], [48, "C7/E"], [64, "C"], [80, "Am"]]
    assert answer["variations"][0]["chords"] == track
    card = page.locator("#cards .card").first
    assert card.locator(".small-chord").all_text_contents() == [name for _, name in track]

    page.get_by_text("More choices").click()
    page.get_by_role("slider", name="Chord strength").fill("0.5")
    studio.generate()
    assert studio.asked_for()["chord_strength"] == 0.5
    page.get_by_role("button", name="Mark bars").click()
    studio.answer_to(page.get_by_role("button", name="Fill these bars anew").click)
    assert studio.asked_for()["chords"] == "C | Am | F G | C7/E"
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")


def test_what_was_written_just_now_is_sent(wide: StudioPage) -> None:
    field = wide.page.get_by_role("textbox", name="Chords", exact=True)
    field.fill("F | C")
    wide.answer_to(lambda: field.press("Control+Enter"))
    assert wide.asked_for()["chords"] == "F | C"


def test_a_round_that_ends_as_it_begins_stays_whole(wide: StudioPage) -> None:
    page = wide.page
    write_chords(wide, "C | Am | F G | C")
    field = page.get_by_role("textbox", name="Chords", exact=True)
    expect(page.locator(".chord-lane span")).to_have_count(5)
    expect(field).to_have_value("C | Am | F G | C")
    made = wide.generate(New_bars="4", Variations="1")["variations"][0]
    # The fifth bar is the first again: C, which goes on, and then Am.
    assert made["chords"] == [[0, "C"], [16, "Am"], [32, "F"], [40, "G"], [48, "C"], [80, "Am"]]
    page.get_by_role("button", name="Use as melody: Variation 1").click()
    expect(field).to_have_value("C | Am | F G | C")
    link = page.evaluate(
        """async () => {
            const { linkOf } = await import("/static/share.js");
            const { history } = await import("/static/main.js");
            const { meter, chords: text } = history.present;
            return linkOf({ events: [60, -2], meter, qpm: 120, text });
        }"""
    )
    assert link.endswith("/C%20%7C%20Am%20%7C%20F%20G%20%7C%20C")  # though the melody ends in bar 1
    write_chords(wide, "C | G | C | G")  # twice the same is written once
    expect(field).to_have_value("C | G")


def test_names_that_are_no_chords_are_refused(wide: StudioPage) -> None:
    write_chords(wide, "C | G")
    expect(wide.page.locator(".chord-lane span")).to_have_count(4)
    write_chords(wide, "C | Xm")
    expect(wide.page.locator("#message-text")).to_contain_text("bar 2: there is no chord 'Xm'; write a root and a kind")
    field = wide.page.get_by_role("textbox", name="Chords", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    assert len(names(wide)) == 4
    wide.page.get_by_role("button", name="Generate", exact=True).click()
    expect(wide.page.locator("#results")).to_be_hidden()
    write_chords(wide, "C | Gm")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    assert all("400" in each for each in wide.complaints)  # the browser tells of the refusals
    wide.complaints.clear()


def test_chords_are_undone_kept_and_used(wide: StudioPage) -> None:
    page = wide.page
    field = page.get_by_role("textbox", name="Chords", exact=True)
    write_chords(wide, "C | G7")
    expect(page.locator(".chord-lane span").nth(1)).to_have_text("G7")
    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(field).to_have_value("")
    expect(page.locator(".chord-lane span")).to_have_count(0)
    page.get_by_role("button", name="Redo").click()
    expect(field).to_have_value("C | G7")
    wide.generate(New_bars="2", Variations="1")
    page.get_by_role("button", name="Keep Variation 1 as a favorite").click()
    page.get_by_text("Kept as a favorite.").first.wait_for()
    wide.open()
    expect(field).to_have_value("C | G7")
    expect(page.locator("#favorites .small-chord")).to_have_text(["C", "G7", "C", "G7"])
    field.fill("")
    field.press("Enter")
    expect(page.locator(".chord-lane span")).to_have_count(0)
    page.get_by_role("button", name="Use as melody: Favorite 1").click()
    expect(field).to_have_value("C | G7")
    wide.answer_to(page.get_by_role("button", name="Continue: Variation 1").click)
    assert wide.asked_for()["chords"] == "C | G7"


def test_a_file_brings_its_chords_and_the_staff_and_links_have_them(wide: StudioPage) -> None:
    page = wide.page
    page.set_input_files("#file", {"name": "tune.abc", "mimeType": "text/plain", "buffer": TUNE.encode()})
    page.get_by_text("Your melody is now tune.abc.").first.wait_for()
    assert names(wide)[:5] == [[12, "G"], [18, "D7"], [24, "Em"], [30, "C"], [36, "G"]]
    page.get_by_role("button", name="Staff: Your melody", exact=True).click()
    sheet = page.get_by_role("region", name="Your melody as notation", exact=True)
    expect(sheet.locator(".abcjs-chord")).to_have_count(5)
    link = run(
        wide,
        "share",
        "return m.linkOf({ events: [60, -2, 62, -2], meter: '4/4', qpm: 90, chords: [[0, 'C'], [2, 'G7/B']] })",
    )
    assert link.split("#melody=")[1].startswith("2/4/4/90/")
    found = run(wide, "share", f"return m.melodyOf({json.dumps(link)}, 64)")
    assert (found["text"], found["events"]) == ("C G7/B / / / / / /", [60, -2, 62, -2])


# ---- found


def test_chords_are_found(studio: StudioPage) -> None:
    page = studio.page
    field = page.get_by_role("textbox", name="Chords", exact=True)
    with page.expect_response("**/api/harmonize") as response:
        page.get_by_role("button", name="Find chords").click()
    ways = response.value.json()["ways"]
    assert len(ways) == 4
    for number, way in enumerate([*ways, ways[0]]):
        if number:
            page.get_by_role("button", name="Find chords").click()
        expect(page.locator("#message-text")).to_contain_text(f"chords {number % 4 + 1} of 4 that were found")
        text = run(studio, "chords", f"return m.textOf({json.dumps(way)}, '4/4', 32)")
        expect(field).to_have_value(text)
    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(field).to_have_value(run(studio, "chords", f"return m.textOf({json.dumps(ways[3])}, '4/4', 32)"))
    page.get_by_role("button", name="Clear the melody").click()
    expect(page.get_by_role("button", name="Find chords")).to_be_disabled()


# ---- heard and saved

SOUNDS = """[
    { step: 0, root: 2, pitches: [50, 53, 57] },
    { step: 12, root: null, pitches: [] },
    { step: 24, root: 7, pitches: [43, 55, 59, 62] },
    { step: 30, root: 0, pitches: [48, 52, 55] },
]"""


def test_the_band_plays_the_chords_that_are_given(modules: StudioPage) -> None:
    # An A in each of three bars of 3/4, over D minor, no chord, then G and C.
    notes = "[0, 12, 24].map((start) => ({ pitch: 69, start, length: 12 }))"
    track = f"{{ notes: {notes}, steps: 36, meter: '3/4', sounds: {SOUNDS} }}"
    bass = run(modules, "band", f"return [...m.bandOf({track}).bass]")
    # D, its fifth below on the last beat; nothing; G alone, for the last bar comes to rest.
    assert [(step, note["pitch"]) for step, note in bass] == [(0, 38), (8, 45), (24, 43)]


def test_chords_are_held_and_struck_again_in_each_bar(modules: StudioPage) -> None:
    program = f"return [...m.strokesOf({{ steps: 48, meter: '3/4', sounds: {SOUNDS} }})]"
    struck = [(step, each["pitches"], each["length"]) for step, each in run(modules, "accompaniment", program)]
    assert struck == [
        (0, [50, 53, 57], 12),
        (12, [], 12),
        (24, [43, 55, 59, 62], 6),
        (30, [48, 52, 55], 6),
        (36, [48, 52, 55], 12),
    ]


def test_an_accompaniment_is_heard_with_a_volume_of_its_own(wide: StudioPage) -> None:
    page = wide.page
    page.evaluate(METER)
    write_chords(wide, "C | F")
    expect(page.locator(".chord-lane span")).to_have_count(4)
    page.get_by_role("button", name="Loop").click()
    page.get_by_role("button", name="Mixer").click()
    page.get_by_role("slider", name="Melody").fill("0")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Play your melody").click()
    page.wait_for_function("() => window.meter")
    assert loudest(wide) < SILENCE  # it is off
    page.get_by_role("button", name="Play chords").click()
    page.wait_for_timeout(2200)  # to the next chord
    assert loudest(wide) > 0.02
    page.get_by_role("button", name="Mixer").click()
    page.get_by_role("slider", name="Chords").fill("0")
    page.wait_for_timeout(FADING)
    assert loudest(wide) < SILENCE
    page.get_by_role("slider", name="Chords").fill("40")
    wide.open()
    expect(page.get_by_role("button", name="Play chords")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Mixer").click()
    expect(page.get_by_role("slider", name="Chords")).to_have_value("40")


def test_files_have_the_chords(wide: StudioPage) -> None:
    page = wide.page
    write_chords(wide, "C | F G7")
    expect(page.locator(".chord-lane span")).to_have_count(6)
    plain = wide.saved("MIDI: your melody")
    assert texts(plain) == ["C", "F", "G7"]
    assert tracks(plain) == [12]
    wav = wide.saved("WAV: your melody").read_bytes()
    page.get_by_role("button", name="Play chords").click()
    accompanied = wide.saved("MIDI: your melody")
    assert texts(accompanied) == ["C", "F", "G7"]
    # The bass and three notes of C and of F, and four above that of G7.
    assert tracks(accompanied) == [12, 4 + 4 + 5]
    assert wide.saved("WAV: your melody").read_bytes() != wav
