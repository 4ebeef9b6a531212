import pytest

from note_sequences import STEP, sequence
from ostinato.errors import DataError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.quantize import quantize, split_at_changes


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
    assert [piece.steps_per_bar for piece in quantized] == [16, 12, 16]
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
    assert piece.steps_per_bar == steps_per_bar


@pytest.mark.parametrize(("start", "end"), [(-1.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_a_time_that_is_none_is_refused(start: float, end: float) -> None:
    made = NoteSequence(filename="tune.mid")
    made.notes.add(pitch=60, velocity=1, start_time=start, end_time=end)
    with pytest.raises(DataError, match=r"tune\.mid: a time is no number of seconds from 0 on"):
        list(split_at_changes(made))


@pytest.mark.parametrize("pitch", [-1, 128])
def test_a_pitch_that_is_none_is_refused(pitch: int) -> None:
    with pytest.raises(DataError, match=r"tune\.mid: a pitch is none of 0\.\.127"):
        list(split_at_changes(sequence((pitch, 0, 4))))


def test_silence_has_no_pieces() -> None:
    assert list(split_at_changes(NoteSequence())) == []
