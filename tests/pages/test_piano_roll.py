import base64
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ostinato.errors import SettingsError
from ostinato.formats.midi.reader import midi_to_note_sequence
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter
from ostinato.pages.piano_roll import (
    melodies_page,
    notebook_html,
    piano_roll_svg,
    piano_rolls_svg,
    player_html,
    player_script,
)

# C4 for two steps, a rest of one, D4 struck twice and held to the end.
MELODY = Melody([60, -2, -1, 62, 62, -2])
PLAYED = Melody([60, -2, -1, 62])


def test_the_picture_is_whole_and_shows_every_note() -> None:
    root = ET.fromstring(piano_roll_svg(MELODY, title='a "quoted" <title>'))
    assert root.attrib["aria-label"] == 'a "quoted" <title>'
    titles = [title.text for title in root.findall("{*}g/{*}rect/{*}title")]
    assert titles == ["C4", "D4", "D4"]
    ET.fromstring(piano_roll_svg(Melody([])))


def test_notes_stand_where_they_sound() -> None:
    # 6 steps in 60 pixels. The octave around C4 and D4 reaches two semitones above D4 and more.
    root = ET.fromstring(piano_roll_svg(MELODY, width=60, row_height=5, labels=False))
    assert root.attrib["viewBox"] == "0 0 60 65"  # 13 rows
    assert root.attrib["preserveAspectRatio"] == "none"
    notes = root.findall("{*}g[@class='notes']/{*}rect")
    assert [(float(note.attrib["x"]), float(note.attrib["width"])) for note in notes] == [(0, 19), (30, 9), (40, 19)]
    c4, d4, _ = (float(note.attrib["y"]) for note in notes)
    assert c4 - d4 == 2 * 5


def test_bars_are_numbered_and_cs_named() -> None:
    root = ET.fromstring(piano_roll_svg(Melody([60, *[-2] * 15, 72, *[-2] * 15], steps_per_bar=12)))
    assert [text.text for text in root.findall("{*}g[@class='labels']/{*}text")] == ["1", "2", "3", "C5", "C4"]
    # Bars of 12 steps at 6 pixels, less what the names of the notes take: lines at 0, 12 and 24 of 32 steps.
    (bars,) = root.findall("{*}path[@class='bars']")
    assert bars.attrib["d"].count("M") == 3
    (beats,) = root.findall("{*}path[@class='beats']")
    assert beats.attrib["d"].count("M") == 5  # 4, 8, 16, 20, 28


def test_beats_are_those_of_the_meter() -> None:
    # Bars of 6/8 have two beats of six steps: of 24 steps, 6 and 18 are within a bar.
    root = ET.fromstring(piano_roll_svg(Melody([60] * 24, meter=Meter(6, 8)), width=240, labels=False))
    (beats,) = root.findall("{*}path[@class='beats']")
    assert [line.split()[0] for line in beats.attrib["d"].split("M")[1:]] == ["60", "180"]


@pytest.mark.parametrize(("steps", "width"), [(1, "240"), (128, "768"), (1024, "1200")])
def test_a_longer_melody_is_a_wider_picture(steps: int, width: str) -> None:
    assert ET.fromstring(piano_roll_svg(Melody([60] * steps))).attrib["width"] == width


def test_several_melodies_in_one_picture() -> None:
    root = ET.fromstring(piano_rolls_svg([MELODY, Melody([70, -2, -2])], width=156, title="Two"))
    assert root.attrib["aria-label"] == "Two"
    assert [text.text for text in root.findall("{*}g/{*}text")] == ["1", "2"]
    rolls = root.findall("{*}g/{*}svg")
    assert [roll.attrib["width"] for roll in rolls] == ["120", "60"]  # steps of 20 pixels beside the numbers
    assert len(root.findall(".//{*}rect/{*}title")) == 4
    ET.fromstring(piano_rolls_svg([]))
    ET.fromstring(piano_rolls_svg([Melody([])]))


def test_the_player_holds_events_tempo_button_and_roll() -> None:
    player = ET.fromstring(player_html(PLAYED, qpm=90, name='a "b" <c>'))
    assert player.tag == "melody-player"
    assert player.attrib["events"] == "60 -2 -1 62"
    assert player.attrib["qpm"] == "90"
    button = player.find("button")
    assert button is not None
    assert button.attrib["aria-label"] == 'Play a "b" <c>'
    assert "hidden" in player_html(PLAYED)  # until the script shows it
    roll = player.find("{*}svg")
    assert roll is not None
    assert roll.attrib["aria-label"] == 'Piano roll of a "b" <c>'


def test_the_script_needs_nothing_from_outside() -> None:
    script = player_script()
    assert 'customElements.define("melody-player"' in script
    assert "</" not in script  # it stands within <script>
    assert script.replace("http://www.w3.org/2000/svg", "").count("://") == 0


def test_a_notebook_gets_all_in_one_piece() -> None:
    html = notebook_html([PLAYED])
    assert html.count("</melody-player>") == 1
    assert f"<script>{player_script()}</script>" in html


MELODIES = [Melody([60, -2, -1, 62] * 8), Melody([67, -2, -2] * 6, steps_per_bar=12)]


def test_every_melody_is_drawn_named_and_playable() -> None:
    text = melodies_page(MELODIES, title="Two tunes", note="Made today.", qpm=90)
    assert "<h1>Two tunes</h1>" in text
    assert "Made today." in text
    assert text.count("</melody-player>") == text.count("<svg ") == 2
    assert 'aria-label="Play melody 1"' in text
    assert "<strong>Melody 2</strong>" in text
    assert "2 bars of 4/4 · 16 notes · C4 to D4" in text
    assert "1 bar and 6 steps of 3/4 · 6 notes · G4 to G4" in text
    assert 'value="90"' in text


def test_each_melody_can_be_had_as_midi() -> None:
    text = melodies_page(MELODIES, title="Two tunes", qpm=60)
    files = re.findall(r'href="data:audio/midi;base64,([^"]*)" download="([^"]*)"', text)
    assert [name for _, name in files] == ["melody_01.mid", "melody_02.mid"]
    notes = midi_to_note_sequence(base64.b64decode(files[1][0])).notes
    # At 60 quarters a minute, three 16ths last three quarters of a second.
    assert [(note.pitch, note.start_time) for note in notes[:2]] == [(67, 0.0), (67, 0.75)]


def test_chords_sound_below_the_melody_if_asked() -> None:
    melodies = [Melody([72] * 16, chords=[(0, "C"), (8, "N.C.")]), MELODIES[1]]
    text = melodies_page(melodies, title="Over a chord", qpm=60, accompaniment="block")
    # C2 in the bass, and E3, G3 and C4 from E3 up; of no chord nothing.
    assert re.findall(r'qpm="60" accompaniment="([^"]*)"', text) == ["48:0:8 52:0:8 55:0:8 60:0:8"]
    files = re.findall(r'href="data:audio/midi;base64,([^"]*)"', text)
    pitches = [sorted({note.pitch for note in midi_to_note_sequence(base64.b64decode(file)).notes}) for file in files]
    assert pitches == [[48, 52, 55, 60, 72], [67]]
    assert "accompaniment" not in melodies_page(melodies, title="Over a chord").replace(player_script(), "")
    silent = [Melody([72] * 16, chords=[(0, "N.C.")])]
    assert 'accompaniment="' not in melodies_page(silent, title="t", accompaniment="bass").replace(player_script(), "")


def test_hostile_texts_are_shown_as_they_are_written() -> None:
    hostile = "</title></pre><script>alert(1)</script><img src=x onerror=alert(1)>'\"&"
    text = melodies_page(MELODIES[:1], title=hostile, command=hostile, note=hostile, captions=[hostile])
    assert text.count("<script>") == 1
    assert "<img" not in text
    assert text.count("&lt;script&gt;alert(1)") == 5  # the title twice


def test_the_command_is_there_to_be_copied() -> None:
    command = 'ostinato generate --primer_melody="[60, -2]" --html=a.html'
    text = melodies_page(MELODIES, title="t", command=command)
    found = re.search(r'<pre id="command">(.*?)</pre>', text)
    assert found is not None
    assert re.sub("<[^>]*>", "", found[1]).replace("&quot;", '"') == command
    assert 'id="copy"' in text
    assert "<pre" not in melodies_page(MELODIES, title="t")


def test_ten_melodies_are_a_small_file() -> None:
    text = melodies_page([Melody([60, -2] * 64)] * 10, title="Ten melodies of eighths")
    assert len(text.encode()) < 150_000


@pytest.mark.parametrize("melodies", [[], [Melody([])], [Melody([-2] * 16)]])
def test_nothing_to_hear(melodies: list[Melody]) -> None:
    text = melodies_page(melodies, title="Silence")
    assert text.count("</melody-player>") == len(melodies)
    assert ("There are no melodies." in text) is not bool(melodies)


def test_captions_are_one_for_each() -> None:
    assert "<strong>First</strong>" in melodies_page(MELODIES, title="t", captions=["First", "Second"])
    with pytest.raises(SettingsError, match="each of the 2 melodies or none, not 1"):
        melodies_page(MELODIES, title="t", captions=["First"])


def test_the_slider_holds_an_unusual_tempo() -> None:
    assert 'max="300" value="300"' in melodies_page(MELODIES, title="t", qpm=300)
    assert 'min="20" max="240" value="20"' in melodies_page(MELODIES, title="t", qpm=20)


def test_what_sounds_on_the_page(tmp_path: Path) -> None:
    studio_page = pytest.importorskip("studio_page", reason="make test installs Playwright")
    if studio_page.CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    from playwright.sync_api import sync_playwright

    page_file = tmp_path / "melodies.html"
    melody = Melody([69, -2, 81, -2], chords=[(0, "A"), (2, "N.C.")])
    page_file.write_text(melodies_page([melody], title="One", qpm=240, accompaniment="block"), encoding="utf-8")
    listen = """
        window.heard = [];
        const start = OscillatorNode.prototype.start;
        OscillatorNode.prototype.start = function (when) {
          window.heard.push(Math.round(this.frequency.value));
          return start.call(this, when);
        };
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=studio_page.CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_init_script(listen)
        page.goto(page_file.as_uri())
        page.get_by_role("button", name="Play melody 1").click()
        page.get_by_role("button", name="Play melody 1").wait_for()  # again: it is over
        # A4 with A2 in the bass and E3, A3, C#4 above it, then A5 alone.
        heard = page.evaluate("window.heard")
        assert sorted(heard[:5]) == [110, 165, 220, 277, 440]
        assert heard[5:] == [880]
        browser.close()


def test_no_melody_is_cut_in_two_when_printed(tmp_path: Path) -> None:
    studio_page = pytest.importorskip("studio_page", reason="make test installs Playwright")
    if studio_page.CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    from playwright.sync_api import sync_playwright

    page_file = tmp_path / "melodies.html"
    page_file.write_text(melodies_page(MELODIES, title="Two tunes"), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=studio_page.CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.emulate_media(media="print")
        page.goto(page_file.as_uri())
        style = "cards => cards.map(card => getComputedStyle(card).breakInside)"
        assert page.locator(".melody").evaluate_all(style) == ["avoid", "avoid"]
        assert not page.get_by_role("button", name="Play melody 1").is_visible()
        assert page.get_by_label("Piano roll of melody 1").is_visible()
        browser.close()


def test_chords_are_named_above_the_bars() -> None:
    # 32 steps are at least 240 pixels wide, of which labels take 28 at the left: 6.625 a step.
    plain = Melody([60] * 32)
    chords = Melody([60] * 32, chords=[(0, "C"), (24, "G7/B")])
    drawn = piano_roll_svg(chords)
    assert re.findall(r'<text class="chord" x="([^"]*)" y="-18" font-weight="bold">([^<]*)</text>', drawn) == [
        ("2", "C"),
        ("161", "G7/B"),
    ]
    heights = [int(re.search(r'height="(\d+)"', picture)[1]) for picture in (piano_roll_svg(plain), drawn)]  # type: ignore[index]
    assert heights[1] - heights[0] == 14
    assert piano_roll_svg(chords, labels=False) == piano_roll_svg(plain, labels=False)


def test_a_page_names_the_chords_and_counts_an_upbeat_as_bar_0() -> None:
    upbeat = Melody([-2] * 12 + [60] * 20 + [-2] * 8, chords=[(16, "C"), (24, "A7")])
    written = melodies_page([upbeat, Melody([60] * 32)], title="Both")
    first, second = written.split("<figure")[1:]
    names = re.search(r'<div class="chord-names">(.*?)</div>', first)
    assert names
    # 16 and 24 of 40 steps, and how much of them each sounds.
    assert names[1] == (
        '<span style="left:40.00%;width:20.00%">C</span><span style="left:60.00%;width:40.00%">A7</span>'
    )
    assert "chord-names" not in second
    numbers = [re.findall(r'<span style="left:[\d.]+%">(\d+)</span>', figure) for figure in (first, second)]
    assert numbers == [["0", "1", "2"], ["1", "2"]]
    assert re.findall(r'y="-4">(\d+)<', piano_roll_svg(upbeat)) == ["0", "1", "2"]
