from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden_files
from note_sequences import STEP, add, sequence
from ostinato.errors import SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.tensorflow.tfrecord import read_records
from ostinato.music.extract import (
    ExtractionSettings,
    ExtractionStatistics,
    Polyphony,
    find_melodies,
)
from ostinato.music.melody import Melody

ANY = ExtractionSettings(min_bars=0, min_unique_pitches=0)


def found_in(
    note_sequence: NoteSequence, settings: ExtractionSettings = ANY
) -> tuple[list[Melody], ExtractionStatistics]:
    statistics = ExtractionStatistics()
    return [found.melody for found in find_melodies(note_sequence, settings, statistics)], statistics


def melodies_in(note_sequence: NoteSequence, settings: ExtractionSettings) -> list[Melody]:
    return found_in(note_sequence, settings)[0]


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
    assert statistics == ExtractionStatistics(pieces=1, melodies=1, notes=2, bars=statistics.bars)
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


def line_of(note_sequence: NoteSequence, polyphony: Polyphony) -> list[Melody]:
    return found_in(note_sequence, ExtractionSettings(0, None, 0, polyphony=polyphony))[0]


def test_a_held_note_is_not_broken_by_what_moves_beneath_it() -> None:
    made = sequence((72, 0, 8), (60, 2, 4), (64, 4, 6), (67, 6, 8), (74, 8, 16), (60, 8, 10), (65, 12, 14))
    assert line_of(made, "line") == [Melody([72, *[-2] * 7, 74, *[-2] * 7])]
    # The top note of each step is all there is to "top", which the accompaniment breaks.
    assert line_of(made, "top") == [
        Melody([72, -2, 60, -2, 64, -2, 67, -2, 74, -2, -2, -2, 65, -2]),
    ]
    assert line_of(made, "leave") == []


def test_the_higher_of_two_voices_takes_over() -> None:
    """A note that starts above a held one is the line's, and ends with the held one still beneath the next."""
    assert line_of(sequence((60, 0, 12), (67, 4, 8), (64, 12, 16)), "line") == [
        Melody([60, -2, -2, -2, 67, -2, -2, -2, -1, -2, -2, -2, 64, -2, -2, -2])
    ]


def test_legato_is_no_polyphony() -> None:
    """Going down, each note lasts a little into the next, which is not half over by then."""
    legato = sequence((67, 0, 5), (65, 4, 9), (64, 8, 13), (62, 12, 16))
    expected = [Melody([67, -2, -2, -2, 65, -2, -2, -2, 64, -2, -2, -2, 62, -2, -2, -2])]
    assert line_of(legato, "line") == line_of(legato, "top") == line_of(legato, "leave") == expected
    # Of four steps two are half.
    assert line_of(sequence((67, 0, 6), (65, 4, 8)), "line") == [Melody([67, -2, -2, -2, -2, -2])]


def test_the_bass_in_a_rest_of_the_melody_is_left_out() -> None:
    """The line is around 72: a bass at 60 is an octave below it and stays, one at 59 is farther."""
    tune = [(72, step, step + 2) for step in (0, 2, 4, 12, 14)]
    for bass, events in ((59, [-1, -2, -2, -2, -2, -2]), (60, [-1, -2, 60, -2, -1, -2])):
        made = sequence(*tune, (bass, 8, 10), (48, 0, 2))
        assert line_of(made, "line") == [Melody([72, -2, 72, -2, 72, -2, *events, 72, -2, 72, -2])]
    # A single voice may go where it likes.
    assert line_of(sequence(*tune, (40, 8, 10)), "line")[0].pitches == (72, 72, 72, 40, 72, 72)


def test_the_top_of_a_track_is_counted() -> None:
    chords = sequence((60, 0, 4), (64, 0, 4))
    for polyphony, expected in (("leave", (1, 0)), ("top", (0, 1)), ("line", (0, 1))):
        statistics = found_in(chords, ExtractionSettings(0, None, 0, polyphony=polyphony))[1]  # type: ignore[arg-type]
        assert (statistics.polyphonic_tracks, statistics.top_lines) == expected
    assert found_in(sequence((60, 0, 4)), ExtractionSettings(0, None, 0, polyphony="line"))[1].top_lines == 0


def test_magentas_flag_is_the_top_and_not_the_line() -> None:
    assert ExtractionSettings(ignore_polyphonic_notes=True).keeps == "top"
    with pytest.raises(SettingsError, match="cannot be combined"):
        ExtractionSettings(ignore_polyphonic_notes=True, polyphony="line")


@given(st.dictionaries(st.tuples(st.integers(0, 127), st.integers(0, 60)), st.integers(1, 20), min_size=1, max_size=40))
def test_no_note_of_the_line_starts_beneath_one_that_is_held(lengths: dict[tuple[int, int], int]) -> None:
    """The lengths are those of the notes of a pitch and a start."""
    made = sequence(*[(pitch, start, start + length) for (pitch, start), length in lengths.items()])
    (melody,) = melodies_in(made, ExtractionSettings(0, None, 0, gap_bars=100, polyphony="line"))
    for step, event in enumerate(melody, melody.start_step):
        if event >= 0:
            held_until = [
                start + length for (pitch, start), length in lengths.items() if start < step and pitch > event
            ]
            half_over = step + lengths[event, step] / 2
            assert all(end < half_over for end in held_until)


def test_only_the_tracks_asked_for() -> None:
    made = sequence((60, 0, 4), instrument=0)
    add(made, (62, 0, 4), instrument=1)
    add(made, (64, 0, 4), instrument=2)
    made.instrument_infos.add(instrument=0, name="Lead Vocal")
    made.instrument_infos.add(instrument=1, name="Bass")
    for tracks, pitches in (
        ((1, 2, 7), [62, 64]),
        ((), []),
        ("vocal|^bass$", [60, 62]),
        ("^$", [64]),  # the third has no name
        (None, [60, 62, 64]),
    ):
        melodies, statistics = found_in(made, ExtractionSettings(0, None, 0, tracks=tracks))
        assert [melody.pitches[0] for melody in melodies] == pitches
        assert statistics.other_tracks == 3 - len(pitches)


def test_a_melody_with_too_many_notes_between_the_16ths_is_left_out() -> None:
    """Of eight notes two are a third of a step late: a quarter."""
    made = sequence(*[(60 + step, 2 * step, 2 * step + 2) for step in range(8)])
    for note in made.notes[:2]:
        note.start_time += STEP / 3
    (found,) = find_melodies(made, ANY, ExtractionStatistics())
    assert found.off_grid == 0.25
    assert found.rhythm.notes == 8
    assert found_in(made, ExtractionSettings(0, None, 0, max_offgrid=0.25))[1].melodies == 1
    melodies, statistics = found_in(made, ExtractionSettings(0, None, 0, max_offgrid=0.24))
    assert (melodies, statistics.off_grid, statistics.melodies) == ([], 1, 0)
    # Those that are cut off count no more: of the first four, two.
    (cut,) = find_melodies(made, ExtractionSettings(0, 8, 0), ExtractionStatistics())
    assert cut.off_grid == 0.5


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


def test_a_tune_ends_with_its_melody_unless_that_is_cut_or_the_tune_goes_on() -> None:
    settings = ExtractionSettings(min_bars=0, max_steps=5, min_unique_pitches=0)
    melodies, _ = found_in(sequence((60, 0, 4), (62, 6, 8), (64, 40, 41)), settings)
    assert [(len(melody), melody.ends) for melody in melodies] == [(5, False), (5, False)]
    # A bar of silence ends the first melody, a change of meter cuts the second, and the third is the last.
    made = sequence((60, 0, 4), (62, 32, 36), (64, 48, 52))
    made.time_signatures.add(numerator=4, denominator=4)
    made.time_signatures.add(time=48 * STEP, numerator=6, denominator=8)
    melodies, _ = found_in(made)
    assert [(melody.pitches, melody.ends, str(melody.meter)) for melody in melodies] == [
        ((60,), True, "4/4"),
        ((62,), False, "4/4"),
        ((64,), True, "6/8"),
    ]


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
    [
        ("min_bars", -1),
        ("max_steps", 0),
        ("min_unique_pitches", 13),
        ("gap_bars", 0),
        ("gap_bars", float("nan")),
        ("polyphony", "bottom"),
        ("max_offgrid", 1.5),
        ("max_offgrid", float("nan")),
        ("tracks", "("),
    ],
)
def test_settings_that_cannot_be_are_refused(setting: str, value: object) -> None:
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
    (melody,) = melodies_in(sequence(*notes), ExtractionSettings(0, None, 0))
    read: list[tuple[int, int, int]] = []
    for place, event in enumerate([*melody, -1]):
        if event != -2 and read and read[-1][2] < 0:
            read[-1] = (*read[-1][:2], place)
        if event >= 0:
            read.append((event, place, -1))
    assert read == notes


def test_the_likeliest_track_is_the_one_that_is_looked_in() -> None:
    tune = [((60, 62, 64, 65, 67, 69, 71, 72)[(3 * place) % 8], 4 * place, 4 * place + 4) for place in range(32)]
    made = sequence(*tune)
    likeliest = ExtractionSettings(tracks="likeliest")
    assert melodies_in(made, likeliest) == melodies_in(made, ExtractionSettings())
    add(made, *[(pitch - 24, start, end) for pitch, start, end in tune], instrument=1)
    made.instrument_infos.add(instrument=1, name="Bass")
    statistics = ExtractionStatistics()
    assert [found.instrument for found in find_melodies(made, likeliest, statistics)] == [0]
    assert (statistics.melodies, statistics.other_tracks, statistics.notes) == (1, 1, 32)
    assert melodies_in(NoteSequence(), likeliest) == []


def test_the_meter_that_is_asked_for_makes_the_bars() -> None:
    made = sequence(*[(60 + place % 5, 4 * place, 4 * place + 4) for place in range(32)])
    statistics = ExtractionStatistics()
    (found,) = find_melodies(made, ExtractionSettings(meter="3/4"), statistics)
    assert (found.melody.steps_per_bar, statistics.mended_meters) == (12, 1)
    with pytest.raises(SettingsError, match="'four' is not a meter"):
        ExtractionSettings(meter="four")


def test_chords_come_beside_the_melody_on_its_grid() -> None:
    sequence = NoteSequence()
    sequence.tempos.add(qpm=120)  # a step is 1/8 of a second
    for pitch, start in ((60, 2.0), (64, 3.0), (67, 3.5)):
        sequence.notes.add(pitch=pitch, velocity=80, start_time=start, end_time=start + 0.5)
    chord = sequence.TextAnnotation.CHORD_SYMBOL
    for time, text in ((0.0, "C"), (0.5, "F"), (3.01, "Am"), (3.02, "Am7"), (9.0, "G")):
        sequence.text_annotations.add(time=time, text=text, annotation_type=chord)
    settings = ExtractionSettings(min_bars=0, min_unique_pitches=0)
    (found,) = find_melodies(sequence, settings, ExtractionStatistics())
    # The melody begins in bar 2, at step 16, where F still sounds.
    assert (found.melody.start_step, found.melody.chords) == (16, ((0, "F"), (8, "Am7")))
