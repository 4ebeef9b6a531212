"""Melodies out of folders and TFRecord files, and the count of what is left out."""

from pathlib import Path

import pytest

from note_sequences import STEP, add, sequence
from ostinato.dataset.convert import convert_folder
from ostinato.dataset.melodies import primer_of, read_melodies, tracks_of
from ostinato.dataset.report import Skipped
from ostinato.errors import DataError, FormatError, SettingsError
from ostinato.formats.midi.writer import write_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.tensorflow.tfrecord import write_records
from ostinato.music.extract import ExtractionSettings
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter

C_MAJOR = (60, 62, 64, 65, 67, 69, 71, 72)
# Eight bars: a note of half a bar each, the last one to the end.
TUNE = [(C_MAJOR[place % 8], 8 * place, 8 * place + 8) for place in range(16)]
EVENTS = tuple(pitch if step == 0 else -2 for pitch, _, _ in TUNE for step in range(8))


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """One tune, one in a folder of its own, a short one, a chord, and a file that is no MIDI."""
    folder = tmp_path / "tunes"
    (folder / "more").mkdir(parents=True)
    write_midi(sequence(*TUNE), folder / "a.mid")
    write_midi(sequence(*TUNE[:4]), folder / "b.mid")
    write_midi(sequence((60, 0, 16), (64, 0, 16)), folder / "c.mid")
    (folder / "d.mid").write_bytes(b"not a MIDI file")
    write_midi(sequence(*TUNE), folder / "more" / "e.mid")
    (folder / "notes.txt").write_text("no music")
    return folder


def test_a_folder_gives_its_melodies_by_name_and_counts_the_rest(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    sources = read_melodies(folder, progress=lambda number, total: seen.append((number, total)))
    assert [(found.filename, found.melody.events) for found in sources.melodies] == [
        ("a.mid", EVENTS),
        ("more/e.mid", EVENTS),
    ]
    assert sources.source == str(folder)
    assert sources.files == 5
    assert sources.without_melody == ["b.mid", "c.mid"]
    assert [skipped.filename for skipped in sources.skipped] == ["d.mid"]
    assert sources.left_out() == [
        "1 file that is not MIDI, MusicXML or ABC: 1 .txt",
        "1 file that cannot be read",
        "2 files without a melody",
        "1 track read only up to where several notes start at once (--polyphony=line keeps the top line)",
        "1 melody shorter than 7 bars (--min_bars)",
    ]
    assert seen == [(number, 5) for number in range(1, 6)]


def test_a_tfrecord_of_the_same_folder_gives_the_same_melodies(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.tfrecord"
    convert_folder(folder, path, recursive=True, processes=1)
    sources = read_melodies(path)
    assert sources.melodies == read_melodies(folder).melodies
    assert sources.files == 4
    assert sources.without_melody == ["notes.tfrecord, record 2", "notes.tfrecord, record 3"]


def test_a_single_file_will_do(folder: Path) -> None:
    assert [found.filename for found in read_melodies(folder / "a.mid").melodies] == ["a.mid"]


def test_the_settings_say_what_a_melody_is(folder: Path) -> None:
    settings = ExtractionSettings(min_bars=1, min_unique_pitches=2, ignore_polyphonic_notes=True)
    sources = read_melodies(folder, settings)
    # Of the chord the top note is left, whose one pitch is one too few.
    assert [found.filename for found in sources.melodies] == ["a.mid", "b.mid", "more/e.mid"]
    assert sources.settings == settings
    assert "1 melody with fewer than 2 different pitch classes (--min_unique_pitches)" in sources.left_out()


def test_several_melodies_of_a_file_bear_its_name(tmp_path: Path) -> None:
    duet = sequence(*TUNE)
    add(duet, *[(pitch - 12, start, end) for pitch, start, end in TUNE], instrument=1)
    path = tmp_path / "duet.tfrecord"
    write_records(path, [duet.SerializeToString()])
    assert [(found.filename, found.melody.pitches[0]) for found in read_melodies(path).melodies] == [
        ("tune.mid", 60),
        ("tune.mid", 48),
    ]


def test_a_record_that_is_none_is_named(tmp_path: Path) -> None:
    nameless = sequence(*TUNE)
    nameless.filename = ""
    path = tmp_path / "mixed.tfrecord"
    write_records(path, [b"\xff\xff", nameless.SerializeToString()])
    sources = read_melodies(path)
    reason = "this record is not a NoteSequence; was the file written by `ostinato convert`?"
    assert sources.skipped == [Skipped("mixed.tfrecord, record 1", reason)]
    assert [found.filename for found in sources.melodies] == ["mixed.tfrecord, record 2"]


def test_a_time_that_is_none_is_told(tmp_path: Path) -> None:
    strange = sequence(*TUNE)
    strange.notes[0].start_time = float("nan")
    path = tmp_path / "strange.tfrecord"
    write_records(path, [strange.SerializeToString(), sequence(*TUNE).SerializeToString()])
    sources = read_melodies(path)
    assert [skipped.filename for skipped in sources.skipped] == ["strange.tfrecord, record 1"]
    assert len(sources.melodies) == 1


def test_no_melody_at_all_is_an_error_that_says_why(tmp_path: Path) -> None:
    write_midi(sequence(*TUNE[:4]), tmp_path / "b.mid")
    (tmp_path / "d.mid").write_bytes(b"not a MIDI file")
    with pytest.raises(DataError, match="no melody in 2 files") as caught:
        read_melodies(tmp_path)
    assert "1 melody shorter than 7 bars (--min_bars); the first is d.mid: " in str(caught.value)
    empty = tmp_path / "empty.tfrecord"
    write_records(empty, [])
    with pytest.raises(DataError, match="no melody in 0 NoteSequences: it is empty"):
        read_melodies(empty)


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        read_melodies(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no file in it ends in"):
        read_melodies(tmp_path)


def test_a_damaged_tfrecord_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.tfrecord"
    write_records(path, [sequence(*TUNE).SerializeToString()])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match="cut off"):
        read_melodies(path)


def test_of_each_track_the_longest_melody_may_be_the_primer() -> None:
    made = sequence((60, 0, 4), (64, 60, 64))
    add(made, (70, 0, 4), (74, 0, 4), (72, 100, 104), instrument=2)
    add(made, (36, 0, 200), instrument=3, is_drum=True)
    made.instrument_infos.add(instrument=2, name="Fiddle")
    made.tempos.add(qpm=120)
    made.time_signatures.add(numerator=3, denominator=4)
    primer = primer_of(made, track=2)
    # A rest of many bars does not end it; of the chord the top note is kept.
    assert primer.melody == Melody([74, -2, -2, -2, -1] + [-2] * 95 + [72, -2, -2, -2], 0, 12)
    assert (primer.track, primer.track_name, primer.qpm, primer.melody.meter) == (2, "Fiddle", 120.0, Meter(3, 4))
    assert [(track, len(found.melody)) for track, found in tracks_of(made).items()] == [(0, 64), (2, 104)]
    chosen = primer_of(made, track=0)
    assert (chosen.track, chosen.track_name, len(chosen.melody)) == (0, "", 64)
    with pytest.raises(DataError, match=r"tune\.mid: there is no melody in track 3; .* in tracks 0, 2 \(Fiddle\)"):
        primer_of(made, track=3)


def test_the_likeliest_track_is_the_primer_and_not_the_longest() -> None:
    made = NoteSequence(filename="song.mid")
    add(
        made, *[note for bar in range(32) for note in ((36, 16 * bar, 16 * bar + 8), (43, 16 * bar + 8, 16 * bar + 16))]
    )
    add(made, *[(pitch, start + 16, end + 16) for pitch, start, end in TUNE], instrument=1)
    made.instrument_infos.add(instrument=0, name="Bass")
    made.instrument_infos.add(instrument=1, name="Vocals")
    primer = primer_of(made)
    assert (primer.track, primer.track_name, primer.melody.events) == (1, "Vocals", EVENTS)
    assert primer.runner_up is not None
    assert primer.runner_up.name == "Bass"
    # The voice begins in the second bar.
    assert (primer.first_bar, primer.last_bar) == (2, 9)
    assert primer_of(made, track=0).runner_up == primer.evidence


def test_a_primer_of_some_bars_begins_with_the_note_that_is_held_and_is_whole() -> None:
    made = sequence((60, 0, 8), (62, 8, 20), (64, 24, 28), (65, 32, 36))
    assert primer_of(made, bars=(1, 1)).melody == Melody([60, *[-2] * 7, 62, *[-2] * 7])
    second = primer_of(made, bars=(2, 3))
    expected = [62, -2, -2, -2, -1, -2, -2, -2, 64, -2, -2, -2, -1, -2, -2, -2]
    assert second.melody == Melody([*expected, 65, -2, -2, -2, -1, *[-2] * 11], 16)
    assert (second.first_bar, second.last_bar) == (2, 3)
    with pytest.raises(DataError, match="track 0 has no melody that covers bars 3-4; it has melodies in bars 1-3"):
        primer_of(made, bars=(3, 4))
    with pytest.raises(SettingsError, match="there are no bars 2-1"):
        primer_of(made, bars=(2, 1))


def test_bars_are_counted_through_a_change_of_tempo() -> None:
    made = sequence(*[(60 + step % 5, 4 * step, 4 * step + 4) for step in range(16)])
    made.tempos.add(qpm=120)
    made.tempos.add(time=32 * STEP, qpm=60)
    # From the third bar on each written step is half of one.
    assert primer_of(made, bars=(3, 3)).melody.pitches == (63, 64, 60, 61, 62, 63, 64, 60)
    assert primer_of(made, bars=(2, 2)).melody.pitches == (64, 60, 61, 62)
    with pytest.raises(DataError, match="bars 2-3; it has melodies in bars 1-2, 3-3"):
        primer_of(made, bars=(2, 3))


def test_a_primer_keeps_the_tempo_of_its_piece() -> None:
    made = sequence((60, 0, 4), (62, 32, 64))
    made.tempos.add(time=32 * STEP, qpm=90)
    primer = primer_of(made)
    assert (primer.qpm, primer.melody.pitches, len(primer.melody)) == (90.0, (62,), 24)


def test_a_primer_without_a_melody_is_an_error() -> None:
    with pytest.raises(DataError, match=r"tune\.mid: there is no melody in it, only drums or nothing at all; choose"):
        primer_of(sequence((36, 0, 4), is_drum=True))
    odd = sequence((60, 0, 4))
    odd.time_signatures.add(numerator=3, denominator=32)
    with pytest.raises(DataError, match="1 part of it has bars that are not a whole number of 16th notes"):
        primer_of(odd)
    with pytest.raises(DataError, match="longer than 65536 steps"):
        primer_of(sequence((60, 0, 10**9)))


def test_bars_of_a_primer_keep_their_chords() -> None:
    tune = NoteSequence()
    tune.tempos.add(qpm=120)
    for bar, pitch in enumerate((60, 62, 64, 65)):
        tune.notes.add(pitch=pitch, velocity=80, start_time=2 * bar, end_time=2 * bar + 2)
    for time, text in ((0, "C"), (3, "Dm"), (4, "G7"), (6, "C")):
        tune.text_annotations.add(time=time, text=text, annotation_type=tune.TextAnnotation.CHORD_SYMBOL)
    assert primer_of(tune).melody.chords == ((0, "C"), (24, "Dm"), (32, "G7"), (48, "C"))
    assert primer_of(tune, bars=(2, 3)).melody.chords == ((0, "C"), (8, "Dm"), (16, "G7"))
