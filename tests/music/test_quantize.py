import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from note_sequences import STEP, sequence
from ostinato.errors import DataError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.wire import note_columns
from ostinato.music.quantize import OffGrid, first_bars, off_grid_of, quantize, split_at_changes, total_off_grid


def test_a_piece_begins_where_tempo_or_meter_really_changes() -> None:
    made = sequence((60, 0, 4), (62, 16, 60), (64, 64, 68))
    made.tempos.add(time=0, qpm=120)
    made.tempos.add(time=8 * STEP, qpm=120)  # as before
    made.tempos.add(time=32 * STEP, qpm=60)
    made.time_signatures.add(time=32 * STEP, numerator=3, denominator=4)
    made.time_signatures.add(time=64 * STEP, numerator=4, denominator=4)
    pieces = list(split_at_changes(made))
    assert [(piece.index, piece.qpm, piece.numerator, len(piece.notes)) for piece in pieces] == [
        (0, 120, 4, 2),
        (1, 60, 3, 0),
        (2, 60, 4, 1),
    ]
    # The note that crosses the change is cut there; at 60 quarters a minute a step is a quarter of a second.
    assert pieces[0].end_seconds.tolist() == [4 * STEP, 32 * STEP]
    quantized = [quantize(piece) for piece in pieces]
    assert [piece.meter.steps_per_bar for piece in quantized] == [16, 12, 16]
    assert (quantized[2].start_step.tolist(), quantized[2].end_step.tolist()) == ([0], [2])


def test_a_note_goes_to_the_nearest_step_and_lasts_one_at_least() -> None:
    made = NoteSequence(total_time=1)
    made.notes.add(pitch=60, velocity=1, start_time=0.0624, end_time=0.0625)  # just below, and half a step
    made.notes.add(pitch=62, velocity=1, start_time=0.25, end_time=0.25)
    (piece,) = map(quantize, split_at_changes(made))
    assert (piece.start_step.tolist(), piece.end_step.tolist()) == ([0, 2], [1, 3])


@pytest.mark.parametrize(
    ("numerator", "denominator", "steps_per_bar"), [(4, 4, 16), (6, 8, 12), (3, 2, 24), (1, 16, 1), (2, 32, 1)]
)
def test_a_bar_is_counted_in_16th_notes(numerator: int, denominator: int, steps_per_bar: int) -> None:
    made = sequence((60, 0, 4))
    made.time_signatures.add(numerator=numerator, denominator=denominator)
    (piece,) = map(quantize, split_at_changes(made))
    assert piece.meter.steps_per_bar == steps_per_bar


@pytest.mark.parametrize(("start", "end"), [(-1.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_a_time_that_is_none_is_refused(start: float, end: float) -> None:
    made = NoteSequence(filename="tune.mid")
    made.notes.add(pitch=60, velocity=1, start_time=start, end_time=end)
    with pytest.raises(DataError, match=r"tune\.mid: a time is not a number of seconds, 0 or more"):
        list(split_at_changes(made))


@pytest.mark.parametrize("pitch", [-1, 128])
def test_a_pitch_that_is_none_is_refused(pitch: int) -> None:
    with pytest.raises(DataError, match=r"tune\.mid: a pitch is outside 0\.\.127"):
        list(split_at_changes(sequence((pitch, 0, 4))))


def test_silence_has_no_pieces() -> None:
    assert list(split_at_changes(NoteSequence())) == []


def test_a_note_remembers_where_it_was_played() -> None:
    made = NoteSequence(total_time=1)
    made.notes.add(pitch=60, velocity=1, start_time=0.25 + STEP / 4, end_time=0.5)
    (piece,) = map(quantize, split_at_changes(made))
    assert (piece.exact_start.tolist(), piece.start_step.tolist()) == ([2.25], [2])


THIRD = 4 / 3  # of a beat, in steps


@pytest.mark.parametrize(
    ("starts", "triplets", "swing", "other"),
    [
        ([0, 1, 2, 3, 4], 0, 0, 0),
        ([0.25, 1.75, 2, 3.2], 0, 0, 0),  # a quarter of a step is not more than that
        ([0, THIRD, 2 * THIRD, 4], 2, 0, 0),  # three eighths in a beat: its first is on the grid
        ([0, 2 / 3, THIRD, 2, 2 * THIRD, 10 / 3], 4, 0, 0),  # six 16ths in a beat: the fourth is on the grid too
        ([0, THIRD, 4], 1, 0, 0),  # a triplet of an eighth and a quarter
        ([0, 2 * THIRD, 2 * 2 * THIRD, 8], 2, 0, 0),  # three quarters over two beats
        ([0, 2 * THIRD, 4, 4 + 2 * THIRD, 8], 0, 2, 0),  # long and short, 2 to 1
        ([0, 2.4, 4, 6.6], 0, 2, 0),  # 3 to 2, and nearly 2 to 1
        ([0, 2 * THIRD, 4, 4 + THIRD, 4 + 2 * THIRD, 8], 2, 1, 0),  # a swung beat before a triplet
        ([0, 0.5, 1, 1.5], 0, 0, 2),  # 32nds
        ([0, 0.4], 0, 0, 1),
        ([], 0, 0, 0),
    ],
)
def test_triplets_and_swing_are_told_apart(starts: list[float], triplets: int, swing: int, other: int) -> None:
    found = off_grid_of(np.array(starts, float))
    assert found == OffGrid(len(starts), triplets, swing, other)
    assert found.share == ((triplets + swing + other) / len(starts) if starts else 0)


@given(st.lists(st.floats(0, 1000), max_size=30).map(sorted))
def test_each_note_between_the_16ths_is_of_one_kind(starts: list[float]) -> None:
    found = off_grid_of(np.array(starts, float))
    moved = sum(min(start % 1, 1 - start % 1) > 0.25 for start in starts)
    assert found.triplets + found.swing + found.other == moved
    assert min(found.triplets, found.swing, found.other) >= 0


def test_pieces_know_the_bar_they_begin_in() -> None:
    made = sequence((60, 0, 4), (62, 100, 104))  # 104 steps
    assert first_bars(made, note_columns(made)) == [1]
    made.tempos.add(qpm=120)
    made.time_signatures.add(numerator=4, denominator=4)
    made.time_signatures.add(time=32 * STEP, numerator=3, denominator=4)  # after two bars
    made.tempos.add(time=56 * STEP, qpm=60)  # two bars of 3/4 later
    made.tempos.add(time=62 * STEP, qpm=120)  # a quarter of a bar later, at half the tempo
    assert first_bars(made, note_columns(made)) == [1, 3, 5, 5]
    assert first_bars(NoteSequence(), note_columns(NoteSequence())) == []


def test_counts_of_rhythms_add_up() -> None:
    assert total_off_grid([OffGrid(4, 1, 0, 2), OffGrid(6, 0, 3, 1)]) == OffGrid(10, 1, 3, 3)
    assert total_off_grid([]) == OffGrid(0, 0, 0, 0)
