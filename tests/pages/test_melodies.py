import base64
import re

import pytest

from ostinato.errors import SettingsError
from ostinato.formats.midi.reader import midi_to_note_sequence
from ostinato.music.melody import Melody
from ostinato.pages.melodies import melodies_page

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
