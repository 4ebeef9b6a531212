import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden_files
import tiny_examples
from ostinato.config import preset
from ostinato.dataset.convert import convert_folder
from ostinato.dataset.melodies import identity_of, read_melodies
from ostinato.dataset.records import (
    DatasetSettings,
    DatasetStatistics,
    SeenMelodies,
    build_dataset,
    compact_of,
    distinct,
    eval_ratio_for,
    example_of,
    examples_of,
    fingerprint,
    is_for_eval,
    melody_of,
    split_melodies,
)
from ostinato.encodings import BarEncoding
from ostinato.errors import DataError, FormatError, SettingsError
from ostinato.formats.midi.writer import write_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.tensorflow.compact import CompactRecord, parse_compact
from ostinato.formats.tensorflow.sequence_example import parse_sequence_example
from ostinato.formats.tensorflow.tfrecord import read_records
from ostinato.music.extract import ExtractionSettings
from ostinato.music.keys import transpose
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter

MONO = DatasetSettings(preset("mono_rnn").encoding, eval_ratio=0.0)
TUNE = (60, 62, 64, 65, 67, 65, 64, 62)  # a bar each


def tune(name: str, pitches: Iterable[int] = TUNE) -> bytes:
    """One note a bar at 120 quarters a minute in 4/4."""
    made = NoteSequence(id=name)
    for bar, pitch in enumerate(pitches):
        made.notes.add(pitch=pitch, velocity=80, start_time=2 * bar, end_time=2 * bar + 2)
    made.total_time = made.notes[-1].end_time
    return made.SerializeToString()


def events_of(path: Path) -> list[list[int]]:
    events = []
    for record in read_records(path):
        compact = parse_compact(record)
        assert compact is not None
        events.append(list(melody_of(compact)))
    return events


def pitches_of(path: Path) -> list[tuple[int, ...]]:
    return [Melody(events).pitches for events in events_of(path)]


@pytest.fixture(name="build")
def _build(tmp_path: Path) -> Any:
    def build(note_sequences: Iterable[bytes], settings: DatasetSettings, **options: Any) -> DatasetStatistics:
        return build_dataset(
            note_sequences, tmp_path / "train", tmp_path / "eval", settings, **{"processes": 1, **options}
        )

    return build


@pytest.mark.parametrize("config", ["basic_rnn", "mono_rnn", "lookback_rnn", "attention_rnn"])
@pytest.mark.parametrize("processes", [1, 2])
def test_the_records_are_magentas(golden: Path, tmp_path: Path, build: Any, config: str, processes: int) -> None:
    encoding = preset(config).encoding
    records = read_records(golden / "notesequences.tfrecord")
    statistics = build(records, DatasetSettings(encoding, eval_ratio=0.0, wide=True), processes=processes)
    lines = golden_files.json_lines(golden / f"melodies_{config}.jsonl.gz")
    assert statistics.training_records == len(lines)
    assert not (tmp_path / "eval").exists()
    for record, line in zip(read_records(tmp_path / "train"), lines, strict=True):
        example = parse_sequence_example(record)
        assert example.labels.tolist() == line["labels"]
        assert example.events is not None
        assert example.events.tolist() == line["squashed_events"]
        assert example.steps_per_bar == line["steps_per_bar"]
        inputs, _ = encoding.encode(Melody(line["squashed_events"]))
        np.testing.assert_array_equal(example.inputs, inputs, strict=True)


def test_a_compact_record_holds_the_melody_that_a_wide_one_was_made_of(tmp_path: Path, build: Any) -> None:
    settings = DatasetSettings(preset("ostinato").encoding, eval_ratio=0.0, transpositions=(0, 1))
    tunes = [tune("a"), tune("b", TUNE[::-1])]
    build(tunes, settings)
    melodies = events_of(tmp_path / "train")
    build(tunes, dataclasses.replace(settings, wide=True))
    examples = [parse_sequence_example(record) for record in read_records(tmp_path / "train")]
    assert len(examples) == len(melodies) == 4
    for example, melody in zip(examples, melodies, strict=True):
        assert example.events is not None
        assert example.events.tolist() == melody


def test_a_melody_as_a_compact_record() -> None:
    encoding = BarEncoding(foretells_end=True)
    melody = Melody([-2, 60, -2, -1, 127], meter=Meter(6, 8), ends=True)
    record = compact_of(melody, encoding)
    assert record == CompactRecord(bytes([0, 62, 0, 1, 129]), (6, 8), True, record.encoding)
    assert json.loads(record.encoding) == {
        "kind": "bar",
        "min_pitch": 48,
        "max_pitch": 84,
        "transpose_to_key": 0,
        "lookback_distances": "1,2,3,4,6,8,12,16 bars",
        "counter_bits": 9,
        "tells_beat": False,
        "tells_matches": False,
        "tells_chords": False,
        "foretells_end": True,
    }
    read = melody_of(record)
    assert (read, read.ends) == (melody, True)
    # An encoding that tells of no chords does without them, and its records are what they were.
    beside = Melody(melody.events[:4], meter=melody.meter, ends=True, chords=[(1, "Am"), (3, "G7/B")])
    assert compact_of(beside, encoding).chords == ()
    assert example_of(beside, encoding).chords == ()
    with_chords = dataclasses.replace(encoding, tells_chords=True)
    assert compact_of(beside, with_chords).chords == beside.chords == melody_of(compact_of(beside, with_chords)).chords
    assert example_of(beside, with_chords).chords == beside.chords
    # An encoding that does not predict the end learns nothing from it.
    assert not compact_of(melody, preset("lookback_rnn").encoding).ends


def test_a_note_sequence_goes_its_way_whatever_comes_with_it(tmp_path: Path, build: Any) -> None:
    names = [f"tune {number}" for number in range(40)]
    # Each its own first pitch, to be known by.
    tunes = [tune(name, [30 + number, *TUNE]) for number, name in enumerate(names)]
    settings = dataclasses.replace(MONO, eval_ratio=0.3, seed=5)
    build(tunes, settings)
    for path, for_eval in (("train", False), ("eval", True)):
        expected = [30 + number for number, name in enumerate(names) if is_for_eval(name, 0.3, 5) is for_eval]
        assert [pitches[0] for pitches in pitches_of(tmp_path / path)] == expected
        assert len(expected) > 5


def test_training_melodies_are_transposed_within_the_range_and_eval_melodies_are_not(
    tmp_path: Path, build: Any
) -> None:
    by_split = {is_for_eval(name, 0.5, 0): name for name in ("a", "b", "c", "d", "e")}
    low = [2, 4, 6, 7, 9, 7, 6, 4]
    settings = dataclasses.replace(MONO, eval_ratio=0.5, transpositions=(-3, -2, 0, 6))
    statistics = build([tune(by_split[False], low), tune(by_split[True], low)], settings)
    assert [pitches[0] for pitches in pitches_of(tmp_path / "train")] == [0, 2, 8]
    assert [pitches[0] for pitches in pitches_of(tmp_path / "eval")] == [2]
    assert statistics.out_of_range == 1
    assert (statistics.training_records, statistics.eval_records) == (3, 1)


def test_melodies_are_transposed_after_squashing(tmp_path: Path, build: Any) -> None:
    settings = DatasetSettings(preset("lookback_rnn").encoding, eval_ratio=0.0, transpositions=(0, 1))
    build([tune("a")], settings)
    first, second = pitches_of(tmp_path / "train")
    assert second == tuple(pitch + 1 for pitch in first)


def test_no_melody_comes_twice_in_training_or_in_eval(tmp_path: Path, build: Any) -> None:
    higher = [pitch + 5 for pitch in TUNE]
    other = [60, 64, 67, 62, 65, 69, 71, 72]
    tunes = [tune("a"), tune("b", higher), tune("c", other), tune("d"), tune("e", other)]
    settings = dataclasses.replace(MONO, eval_ratio=0.5, dedupe=True)
    statistics = build(tunes, settings)
    assert statistics.duplicates == 3
    assert sorted(pitches_of(tmp_path / "train") + pitches_of(tmp_path / "eval")) == sorted([TUNE, tuple(other)])
    # Without it all are kept.
    assert build(tunes, dataclasses.replace(settings, dedupe=False)).duplicates == 0


def test_what_becomes_equal_by_folding_is_left_out_too(tmp_path: Path, build: Any) -> None:
    wide = [24, *TUNE, 60, 107]
    folded = [24 + 12, *TUNE, 60, 107 - 12]
    settings = DatasetSettings(preset("basic_rnn").encoding, eval_ratio=0.0, dedupe=True)
    statistics = build([tune("a", wide), tune("b", folded)], settings)
    assert statistics.duplicates == 1


def test_no_melody_is_an_error_that_says_why_and_nothing_is_written(tmp_path: Path, build: Any) -> None:
    (tmp_path / "train").write_bytes(b"an earlier one")
    message = (
        r"there is no usable melody in 3 NoteSequences: 2 melodies shorter than 7 bars \(--min_bars\); "
        r"1 melody with fewer than 5 different pitch classes \(--min_unique_pitches\)"
    )
    with pytest.raises(DataError, match=message):
        build([tune("a", TUNE[:4]), tune("b", TUNE[:6]), tune("c", [60, 62] * 4)], MONO)
    assert (tmp_path / "train").read_bytes() == b"an earlier one"
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


@pytest.mark.parametrize(
    ("note_sequences", "changes", "message"),
    [
        ([], {}, "the input has no NoteSequences; convert some MIDI files first"),
        ([b"\xff\xff"], {}, "none of 1 record can be used; NoteSequence 1: FormatError: this record is not a NoteSeq"),
        ([NoteSequence().SerializeToString()], {}, "there is no usable melody in 1 NoteSequence: they have no notes"),
        ([tune("a")], {"eval_ratio": 1 - 1e-9}, "all 1 records went to eval and none to training; lower --eval_ratio"),
        ([tune("a")], {"transpositions": (100,)}, "1 transposition beyond the model's pitch range"),
    ],
)
def test_nothing_to_train_on_is_an_error(
    build: Any, note_sequences: list[bytes], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        build(note_sequences, dataclasses.replace(MONO, **changes))


def test_a_note_sequence_that_cannot_be_used_is_counted_and_named(build: Any) -> None:
    broken = NoteSequence(filename="b.mid")
    broken.notes.add(pitch=60, velocity=1, start_time=-1, end_time=1)
    statistics = build([tune("a"), b"\xff", broken.SerializeToString()], MONO)
    assert (statistics.note_sequences, statistics.failures, statistics.training_records) == (3, 2, 1)
    assert [reason.split(":")[0] for reason in statistics.failure_reasons] == ["NoteSequence 2", "NoteSequence 3"]
    assert "b.mid: a time is not a number of seconds" in statistics.failure_reasons[1]
    assert statistics.left_out(MONO.extraction) == ["2 NoteSequences that cannot be read"]


def test_note_sequences_are_taken_as_they_are_needed(tmp_path: Path, build: Any) -> None:
    """The records of the first are on their way before the last is asked for."""
    sizes = []

    def stream() -> Iterator[bytes]:
        for number in range(300):
            sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
            yield tune(f"{number}")

    build(stream(), MONO)
    assert sizes[-1] > sizes[0]


def test_examples_of_one_note_sequence() -> None:
    examples = examples_of(tune("a"), MONO)
    assert (examples.for_eval, len(examples.melodies), examples.extraction.melodies) == (False, 1, 1)
    with pytest.raises(FormatError, match="not a NoteSequence"):
        examples_of(b"\x00", MONO)


@pytest.mark.parametrize(
    "changes", [{"eval_ratio": -0.1}, {"eval_ratio": 1.0}, {"transpositions": ()}, {"transpositions": (200,)}]
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        dataclasses.replace(MONO, **changes)


def test_eval_records_need_a_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"eval_ratio is 0\.5, but you gave no file"):
        build_dataset([], tmp_path / "train", None, dataclasses.replace(MONO, eval_ratio=0.5))


def test_the_histogram_says_which_lengths_are_too_short() -> None:
    statistics = DatasetStatistics()
    statistics.extraction.bars.update({0: 3, 5: 1, 7: 2, 20: 6})
    assert statistics.histogram(7) == [
        " 0             3  ####################  too short",
        " 1             0  ",
        " 2 -  3        0  ",
        " 4 -  6        1  #######  too short",
        " 7             2  ##############",
        " 8 - 15        0  ",
        "16 - 20        6  ########################################",
    ]
    assert DatasetStatistics().histogram(7) == []


def test_all_that_is_left_out_is_told() -> None:
    statistics = DatasetStatistics(failures=1, duplicates=2, out_of_range=3)
    statistics.extraction.polyphonic_tracks = 4
    statistics.extraction.drum_tracks = 5
    statistics.extraction.pieces_without_grid = 6
    told = statistics.left_out(ExtractionSettings())
    assert [int(line.split()[0]) for line in told] == [1, 4, 5, 6, 2, 3]


@given(st.lists(st.integers(-2, 127).map(lambda event: event if event < 0 else 30 + event // 2), max_size=20))
def test_a_melody_is_itself_at_any_pitch_level_and_in_any_meter(events: list[int]) -> None:
    melody = Melody(events)
    assert fingerprint(transpose(melody, 7)) == fingerprint(melody)
    assert fingerprint(Melody(events, 32, 12)) == fingerprint(melody)


def test_other_notes_and_other_rhythms_are_other_melodies() -> None:
    events = [[60, 62], [62, 60], [60, 74], [60, -2, 62], [60, -1, 62], [60, 62, -2], [60], [60, -2], [60, -1], []]
    assert len({fingerprint(Melody(each)) for each in events}) == len(events)
    assert len(fingerprint(Melody([127, 0]))) == 16


def test_a_melody_is_new_once() -> None:
    seen = SeenMelodies()
    assert seen.admits((b"a", b"b"))
    assert not seen.admits((b"c", b"b"))
    assert seen.admits((b"c",))


def test_the_melodies_of_a_split_are_those_of_its_records(tmp_path: Path) -> None:
    folder = tmp_path / "tunes"
    folder.mkdir()
    for number, melody in enumerate(tiny_examples.melodies(12)):
        write_midi(transpose(melody, number % 5).to_note_sequence(), folder / f"{number}.mid")
        write_midi(transpose(melody, 2).to_note_sequence(), folder / f"{number}_again.mid")
    extraction = ExtractionSettings(min_bars=1, min_unique_pitches=3)
    settings = DatasetSettings(preset("mono_rnn").encoding, extraction, 0.3, 5, transpositions=(0, 3), dedupe=True)
    convert_folder(folder, tmp_path / "notes.tfrecord", processes=1)
    notes = read_records(tmp_path / "notes.tfrecord")
    build_dataset(notes, tmp_path / "training", tmp_path / "eval", settings, processes=1)
    found = read_melodies(folder, extraction, processes=1)
    assert len(distinct(found.melodies)) == 12
    for name, melodies in zip(("training", "eval"), split_melodies(found.melodies, settings), strict=True):
        assert [list(melody) for melody in melodies] == events_of(tmp_path / name)
        assert melodies


def test_the_split_of_today_is_that_of_tomorrow() -> None:
    # BLAKE2b of 8 bytes (b2sum -l 64): "0:a" begins bde152ea, 0.7417 of 2**32, "0:b" 6209d0af, 0.3830,
    # and "1:a" 9524a66f, 0.5826.
    assert [is_for_eval("a", ratio, 0) for ratio in (0.74, 0.75)] == [False, True]
    assert [is_for_eval("b", ratio, 0) for ratio in (0.38, 0.39)] == [False, True]
    assert [is_for_eval("a", ratio, 1) for ratio in (0.58, 0.59)] == [False, True]


@given(st.text(), st.integers(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_ratio_only_adds(name: str, seed: int, ratio: float, other: float) -> None:
    assert is_for_eval(name, min(ratio, other), seed) <= is_for_eval(name, max(ratio, other), seed)


def test_the_ratio_is_met() -> None:
    names = [f"/id/midi/books/{number}" for number in range(10_000)]
    assert not any(is_for_eval(name, 0, 0) for name in names)
    assert 900 < sum(is_for_eval(name, 0.1, 0) for name in names) < 1100
    # Another seed is another split: about a tenth of the tenth is in both.
    assert 50 < sum(is_for_eval(name, 0.1, 0) and is_for_eval(name, 0.1, 1) for name in names) < 150


def test_what_a_note_sequence_is_known_by() -> None:
    assert identity_of(NoteSequence(id="/id/1", filename="a.mid"), b"") == "/id/1"
    assert identity_of(NoteSequence(filename="a.mid"), b"") == "a.mid"
    nameless = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc"
    assert identity_of(NoteSequence(), b"abc") == nameless


@given(st.integers(2, 60), st.data(), st.integers(0, 2**32))
def test_a_ratio_for_each_number_of_pieces_to_hold_out(num_pieces: int, data: st.DataObject, seed: int) -> None:
    pieces = [str(number) for number in range(num_pieces)]
    wanted = data.draw(st.integers(1, num_pieces - 1))
    ratio = eval_ratio_for(pieces, wanted, seed)
    assert sum(is_for_eval(piece, ratio, seed) for piece in pieces) == wanted
