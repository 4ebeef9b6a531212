"""What is told of files: their tracks, and what would be taken of them."""

import json
from pathlib import Path

import pytest

from note_sequences import STEP, add, sequence
from ostinato.dataset.inspection import inspect_music
from ostinato.errors import DataError
from ostinato.formats.midi.writer import write_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.extract import ExtractionSettings

AS_PLAYED = ExtractionSettings(polyphony="line", tracks="likeliest", meter="auto")
# Eight bars of D major in quarters, and their chords.
VOICE = [
    ((62, 64, 66, 67, 69, 71, 73, 74)[(3 * place + place // 4) % 8], 4 * place, 4 * place + 4) for place in range(32)
]
CHORDS = [(pitch, 16 * bar, 16 * bar + 16) for bar in range(8) for pitch in (50, 54, 57)]


def song() -> NoteSequence:
    made = NoteSequence(ticks_per_quarter=220)
    add(made, *CHORDS)
    add(made, *VOICE, instrument=1)
    add(made, *[(42, step, step + 1) for step in range(0, 128, 4)], instrument=2, is_drum=True)
    made.instrument_infos.add(instrument=0, name="Piano")
    made.instrument_infos.add(instrument=1, name="Melody")
    for note in made.notes:
        note.program = {0: 0, 1: 73, 2: 0}[note.instrument]
    return made


def test_a_song_is_told_track_by_track(tmp_path: Path) -> None:
    write_midi(song(), tmp_path / "song.mid")
    inspection = inspect_music(tmp_path / "song.mid", AS_PLAYED)
    (file,) = inspection.files
    (tune,) = file.tunes
    assert (tune.meters, tune.tempos, tune.seconds) == (["4/4"], (120.0, 120.0), 128 * STEP)
    assert tune.key == "D major or B minor"
    voice, piano, drums = tune.tracks
    assert (voice.evidence.name, voice.instrument, voice.evidence.num_notes) == ("Melody", "Flute", 32)
    assert (voice.evidence.lowest, voice.evidence.highest, voice.evidence.one_at_a_time) == (62, 74, 1.0)
    assert voice.likelihood > 0.9
    assert sum(track.likelihood for track in tune.tracks) == pytest.approx(1)
    assert [(found.first_bar, found.last_bar) for found in voice.melodies] == [(1, 8)]
    assert (piano.evidence.name, piano.instrument, piano.is_other, piano.melodies) == (
        "Piano",
        "Acoustic Grand Piano",
        True,
        [],
    )
    assert drums.instrument == "Drums"
    assert inspection.report.left_out() == ["2 tracks that were not chosen (--tracks=all takes every track)"]


def test_with_magentas_settings_it_says_what_they_leave_out(tmp_path: Path) -> None:
    write_midi(song(), tmp_path / "song.mid")
    (file,) = inspect_music(tmp_path / "song.mid", ExtractionSettings(min_bars=9)).files
    reasons = {track.evidence.name: [reason.text() for reason in track.left_out] for track in file.tunes[0].tracks}
    assert reasons == {
        "Melody": ["1 melody shorter than 9 bars (--min_bars)"],
        "Piano": ["1 track read only up to where several notes start at once (--polyphony=line keeps the top line)"],
        "": ["1 drum track"],
    }


def test_a_folder_counts_what_reading_it_counts(tmp_path: Path) -> None:
    write_midi(song(), tmp_path / "song.mid")
    (tmp_path / "book.abc").write_text("X:1\nK:C\nz4|\n\nX:2\nM:3/4\nL:1/4\nK:G\n" + "GAB|cde|" * 4 + "\n")
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    (tmp_path / "notes.txt").write_text("words")
    write_midi(NoteSequence(ticks_per_quarter=220), tmp_path / "empty.mid")
    inspection = inspect_music(tmp_path, AS_PLAYED)
    assert [file.name for file in inspection.files] == ["book.abc", "broken.mid", "empty.mid", "song.mid"]
    report = inspection.report
    assert (report.files, report.read, report.tunes, report.tracks, len(report.melodies)) == (4, 3, 3, 4, 2)
    assert report.left_out() == [
        "1 file that is not MIDI, MusicXML or ABC: 1 .txt",
        "1 file that cannot be read",
        "1 tune that cannot be read",
        "1 file without notes",
        "2 tracks that were not chosen (--tracks=all takes every track)",
    ]
    told = json.loads(json.dumps(inspection.to_json(), allow_nan=False))
    assert told["inspected"][0]["tunes"][0]["meters"] == ["3/4"]
    assert told["inspected"][0]["failures"] == ["tune X:1: line 1: there are no notes in it"]


def test_a_meter_that_is_asked_for_is_said(tmp_path: Path) -> None:
    write_midi(sequence(*VOICE), tmp_path / "tune.mid")
    settings = ExtractionSettings(meter="2/4")
    (file,) = inspect_music(tmp_path / "tune.mid", settings).files
    (tune,) = file.tunes
    assert tune.meters == ["2/4"]
    assert tune.changes == ["it is read in 2/4, as you asked; the file says 4/4"]
    assert [(found.first_bar, found.last_bar) for found in tune.melodies] == [(1, 16)]


def test_a_stretch_without_a_grid_is_counted_once(tmp_path: Path) -> None:
    made = song()
    made.time_signatures.add(numerator=4, denominator=4)
    made.time_signatures.add(time=64 * STEP, numerator=3, denominator=32)
    write_midi(made, tmp_path / "song.mid")
    (file,) = inspect_music(tmp_path / "song.mid", ExtractionSettings(min_bars=1)).files
    assert file.tunes[0].extraction.pieces_without_grid == 1
    assert file.tunes[0].meters == ["4/4", "3/32"]


def test_what_is_no_music_is_named(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("Dear Sir")
    (file,) = inspect_music(tmp_path / "words.txt", AS_PLAYED).files
    assert file.failures == ["this is not a MIDI, MusicXML or ABC file"]
    with pytest.raises(DataError, match=r"none\.mid: cannot be read"):
        inspect_music(tmp_path / "none.mid", AS_PLAYED)
