from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden_files
from note_sequences import add, sequence
from ostinato.errors import SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.tensorflow.tfrecord import read_records
from ostinato.music.extract import ExtractionSettings, ExtractionStatistics, extract_melodies, find_melodies
from ostinato.music.melody import Melody

ANY = ExtractionSettings(min_bars=0, min_unique_pitches=0)


def found_in(
    note_sequence: NoteSequence, settings: ExtractionSettings = ANY
) -> tuple[list[Melody], ExtractionStatistics]:
    statistics = ExtractionStatistics()
    return [found.melody for found in find_melodies(note_sequence, settings, statistics)], statistics


def test_the_melodies_of_every_file_are_magentas(golden: Path) -> None:
    expected: dict[str, list[tuple[object, ...]]] = {}
    for line in golden_files.json_lines(golden / "melodies_mono_rnn.jsonl.gz"):
        place = (line["split_index"], line["start_step"], line["end_step"], line["steps_per_bar"], line["events"])
        expected.setdefault(line["file"], []).append(place)
    counted = {line["file"]: line for line in golden_files.json_lines(golden / "extract_stats.jsonl.gz")}
    records = list(read_records(golden / "notesequences.tfrecord"))
    assert len(records) == len(counted)
    for record in records:
        note_sequence = NoteSequence.FromString(record)
        statistics = ExtractionStatistics()
        melodies = [
            (
                found.piece.index,
                found.melody.start_step,
                found.melody.end_step,
                found.melody.steps_per_bar,
                list(found.melody),
            )
            for found in find_melodies(note_sequence, ExtractionSettings(), statistics)
        ]
        assert melodies == expected.get(note_sequence.filename, [])
        line = counted[note_sequence.filename]
        theirs = {name.removeprefix("MelodyExtractor_"): count for name, count in line["stats"].items()}
        assert statistics.pieces == line["num_subsequences"]
        assert statistics.pieces - statistics.pieces_without_grid == line["num_quantized"]
        assert statistics.melodies == line["num_melodies"]
        assert statistics.polyphonic_tracks == theirs.get("polyphonic_tracks_discarded", 0)
        assert statistics.too_short == theirs.get("melodies_discarded_too_short", 0)
        assert statistics.too_few_pitches == theirs.get("melodies_discarded_too_few_pitches", 0)
        assert statistics.truncated == theirs.get("melodies_truncated", 0)


def test_notes_become_events_and_the_last_note_off_is_left_out() -> None:
    melodies, statistics = found_in(sequence((60, 1, 3), (62, 4, 6)))
    assert melodies == [Melody([-2, 60, -2, -1, 62, -2], 0, 16)]
    assert statistics == ExtractionStatistics(pieces=1, melodies=1, bars=statistics.bars)
    assert statistics.bars == {0: 1}


def test_a_later_note_cuts_the_one_that_sounds() -> None:
    melodies, _ = found_in(sequence((60, 0, 8), (62, 2, 4), (64, 4, 5)))
    assert melodies == [Melody([60, -2, 62, -2, 64])]
    # The melody ends with its last note, though an earlier one would sound on.
    assert found_in(sequence((60, 0, 8), (62, 2, 4)))[0] == [Melody([60, -2, 62, -2])]


def test_a_silence_of_a_bar_ends_a_melody_and_the_next_begins_on_its_bar() -> None:
    melodies, _ = found_in(sequence((60, 0, 4), (62, 20, 21), (64, 35, 36)))
    assert melodies == [Melody([60, -2, -2, -2]), Melody([-2] * 4 + [62] + [-1] + [-2] * 13 + [64], 16)]
    assert found_in(sequence((60, 0, 4), (62, 19, 20)))[0] == [Melody([60, -2, -2, -2, -1] + [-2] * 14 + [62])]


def test_two_notes_on_one_step_end_the_track_and_leave_what_came_before() -> None:
    chord_later = sequence((60, 0, 4), (62, 32, 36), (65, 32, 36), (60, 64, 65))
    melodies, statistics = found_in(chord_later)
    assert melodies == [Melody([60, -2, -2, -2])]
    assert statistics.polyphonic_tracks == 1
    top_notes = ExtractionSettings(min_bars=0, min_unique_pitches=0, ignore_polyphonic_notes=True)
    melodies, statistics = found_in(chord_later, top_notes)
    assert [melody.pitches for melody in melodies] == [(60,), (65,), (60,)]
    assert statistics.polyphonic_tracks == 0


def test_too_short_goes_by_the_whole_melody_and_too_few_pitches_by_what_is_left_of_it() -> None:
    scale = [(60 + place, 16 * place, 16 * place + 16) for place in range(8)]
    melodies, statistics = found_in(
        sequence(*scale), ExtractionSettings(min_bars=8, max_steps=64, min_unique_pitches=4)
    )
    assert [(len(melody), melody.pitches) for melody in melodies] == [(64, (60, 61, 62, 63))]
    assert (statistics.truncated, statistics.bars) == (1, {4: 1})
    _, statistics = found_in(sequence(*scale), ExtractionSettings(min_bars=9))
    assert (statistics.too_short, statistics.bars, statistics.melodies) == (1, {8: 1}, 0)
    _, statistics = found_in(sequence(*scale), ExtractionSettings(max_steps=64))
    assert (statistics.too_few_pitches, statistics.truncated, statistics.melodies) == (1, 1, 0)


def test_pitches_an_octave_apart_are_one() -> None:
    octaves = sequence(*[(48 + 12 * (place % 4), 16 * place, 16 * place + 16) for place in range(8)])
    assert found_in(octaves, ExtractionSettings(min_unique_pitches=1))[1].melodies == 1
    assert found_in(octaves, ExtractionSettings(min_unique_pitches=2))[1].too_few_pitches == 1


def test_a_cut_melody_may_end_in_a_note_off_and_its_tail_is_lost() -> None:
    settings = ExtractionSettings(min_bars=0, max_steps=5, min_unique_pitches=0)
    melodies, _ = found_in(sequence((60, 0, 4), (62, 6, 8), (64, 30, 31)), settings)
    assert melodies == [Melody([60, -2, -2, -2, -1]), Melody([-2] * 5, 16)]


def test_drums_hold_no_melody() -> None:
    made = sequence((36, 0, 4), instrument=1, is_drum=True)
    add(made, (60, 0, 4))
    melodies, statistics = found_in(made)
    assert (melodies, statistics.drum_tracks) == ([Melody([60, -2, -2, -2])], 1)


def test_instruments_come_in_the_order_of_a_set() -> None:
    made = sequence((60, 0, 4), instrument=8)
    for instrument in (1, 2, 7):
        add(made, (60, 0, 4), instrument=instrument)
    found = [each.instrument for each in find_melodies(made, ANY, ExtractionStatistics())]
    assert found == [8, 1, 2, 7]


@pytest.mark.parametrize(("numerator", "denominator"), [(4, 6), (3, 32), (0, 4), (4, 0), (-4, 4), (4, -4)])
def test_a_meter_without_whole_steps_is_left_out(numerator: int, denominator: int) -> None:
    made = sequence((60, 0, 4))
    made.time_signatures.add(numerator=numerator, denominator=denominator)
    melodies, statistics = found_in(made)
    assert (melodies, statistics.pieces, statistics.pieces_without_grid) == ([], 1, 1)


@pytest.mark.parametrize("qpm", [0.0, -1.0, float("inf"), float("nan"), 1e300])
def test_a_tempo_that_is_none_is_left_out(qpm: float) -> None:
    made = sequence((60, 0, 4))
    made.tempos.add(qpm=qpm)
    assert found_in(made)[1].pieces_without_grid == 1


def test_a_note_as_long_as_a_year_costs_no_memory() -> None:
    melodies, _ = found_in(sequence((60, 0, 10**9)))
    assert [len(melody) for melody in melodies] == [512]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("min_bars", -1), ("max_steps", 0), ("min_unique_pitches", 13), ("gap_bars", 0), ("gap_bars", float("nan"))],
)
def test_settings_that_cannot_be_are_refused(setting: str, value: float) -> None:
    with pytest.raises(SettingsError, match=setting):
        ExtractionSettings(**{setting: value})  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.integers(36, 90), st.integers(1, 8), st.integers(0, 6)), min_size=1, max_size=40),
)
def test_a_line_of_notes_comes_back(line: list[tuple[int, int, int]]) -> None:
    """Notes with rests below a bar between them make one melody, whose events tell them all."""
    notes, step = [], 0
    for pitch, length, rest in line:
        notes.append((pitch, step, step + length))
        step += length + rest
    (melody,) = extract_melodies(sequence(*notes), ExtractionSettings(0, None, 0))
    read: list[tuple[int, int, int]] = []
    for place, event in enumerate([*melody, -1]):
        if event != -2 and read and read[-1][2] < 0:
            read[-1] = (*read[-1][:2], place)
        if event >= 0:
            read.append((event, place, -1))
    assert read == notes
