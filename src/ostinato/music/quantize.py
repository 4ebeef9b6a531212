"""Seconds to steps: a NoteSequence is split where its tempo or meter changes, and each piece is put on the grid.

A change of state is a change of type: a `Piece` counts in seconds, a
`QuantizedPiece` in steps of a 16th note. Both count from the piece's beginning.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import DataError, SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.wire import NoteColumns, note_columns
from ostinato.music.melody import MAX_PITCH, MIN_PITCH
from ostinato.music.meter import STEPS_PER_QUARTER, Meter

# What holds before a sequence says otherwise, as the MIDI standard has it.
_DEFAULT_QPM = 120.0
_DEFAULT_METER = (4, 4)
_BAR_LINE = 0.01  # of a bar: so close before the next bar line a piece begins with that bar
_MAX_STEP = 2**31 - 1  # 17 years of 16th notes at 120 quarters a minute


@dataclass(frozen=True, slots=True, eq=False)
class Notes:
    """N notes by columns, each an array [N].

    Attributes:
        pitch: 0..127.
        instrument: number of the note's instrument in its NoteSequence.
        is_melodic: False for drums and for notes of velocity 0, which no melody holds.
    """

    pitch: NDArray[np.int64]
    instrument: NDArray[np.int64]
    is_melodic: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pitch)

    def __getitem__(self, chosen: slice | NDArray[np.integer]) -> "Notes":
        return Notes(self.pitch[chosen], self.instrument[chosen], self.is_melodic[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A passage of one tempo and one meter.

    Attributes:
        index: its place among the pieces of its NoteSequence, including those without notes.
        qpm: quarter notes a minute.
        numerator: of the time signature.
        denominator: of the time signature.
        notes: the notes that start in the piece, in order of their starts.
        start_seconds: [N], from the beginning of the piece.
        end_seconds: [N], likewise, cut at the end of the piece.
        begins: when the piece does, in seconds from the beginning of its NoteSequence.
    """

    index: int
    qpm: float
    numerator: int
    denominator: int
    notes: Notes
    start_seconds: NDArray[np.float64]
    end_seconds: NDArray[np.float64]
    begins: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedPiece:
    """A passage of one tempo and one meter, on a grid of 16th notes.

    Attributes:
        index: its place among the pieces of its NoteSequence, including those without notes.
        qpm: quarter notes a minute.
        meter: of its bars.
        notes: the notes that start in the piece, in order of their starts before they were quantized.
        exact_start: [N], in steps from the beginning of the piece, before they were rounded.
        start_step: [N], from the beginning of the piece.
        end_step: [N], not included, at least one after the start.
        begins: when the piece does, in seconds from the beginning of its NoteSequence.
    """

    index: int
    qpm: float
    meter: Meter
    notes: Notes
    exact_start: NDArray[np.float64]
    start_step: NDArray[np.int64]
    end_step: NDArray[np.int64]
    begins: float = 0.0


def split_at_changes(note_sequence: NoteSequence, columns: NoteColumns | None = None) -> Iterator[Piece]:
    """Split a NoteSequence where its tempo or its time signature really changes.

    A note belongs to the piece that it starts in and is cut at the end of it.
    Until the sequence says otherwise, it is in 4/4 at 120 quarter notes a minute.

    Args:
        note_sequence: notes and times in seconds.
        columns: its notes, if they have been read already.

    Yields:
        The pieces in order, including those without notes.

    Raises:
        DataError: if a time is not a number of seconds, 0 or more, or a pitch is outside 0..127.
    """
    columns = note_columns(note_sequence) if columns is None else columns
    order = columns.start_time.argsort(kind="stable")
    start_seconds, end_seconds = columns.start_time[order], columns.end_time[order]
    total_seconds = float(max(end_seconds.max(initial=0.0), note_sequence.total_time))
    times = [total_seconds, *(tempo.time for tempo in note_sequence.tempos)]
    times += [meter.time for meter in note_sequence.time_signatures]
    are_finite = all(map(math.isfinite, times)) and np.isfinite(start_seconds + end_seconds).all()
    if not (are_finite and start_seconds.min(initial=0.0) >= 0):
        raise DataError(f"{note_sequence.filename or 'NoteSequence'}: a time is not a number of seconds, 0 or more")
    if not MIN_PITCH <= columns.pitch.min(initial=MIN_PITCH) <= columns.pitch.max(initial=MIN_PITCH) <= MAX_PITCH:
        raise DataError(f"{note_sequence.filename or 'NoteSequence'}: a pitch is outside {MIN_PITCH}..{MAX_PITCH}")
    is_melodic = (columns.velocity > 0) & ~columns.is_drum
    notes = Notes(columns.pitch[order], columns.instrument[order], is_melodic[order])

    stretches = _stretches(note_sequence, total_seconds)
    limits = [*(start for start, *_ in stretches), total_seconds]
    first_notes = start_seconds.searchsorted(limits).tolist()
    for index, (start, qpm, (numerator, denominator)) in enumerate(stretches):
        chosen = slice(first_notes[index], first_notes[index + 1])
        yield Piece(
            index,
            qpm,
            numerator,
            denominator,
            notes[chosen],
            start_seconds[chosen] - start,
            np.minimum(end_seconds[chosen], limits[index + 1]) - start,
            start,
        )


def first_bars(note_sequence: NoteSequence, columns: NoteColumns) -> list[int]:
    """For each piece from `split_at_changes`, the number of the bar that it begins in; the first is 1.

    Args:
        note_sequence: notes and times in seconds.
        columns: its notes.
    """
    total_seconds = float(max(columns.end_time.max(initial=0.0), note_sequence.total_time))
    stretches = _stretches(note_sequence, total_seconds)
    ends = [*(start for start, *_ in stretches[1:]), total_seconds]
    bars, numbers = 0.0, []
    for (start, qpm, (numerator, denominator)), end in zip(stretches, ends, strict=False):
        numbers.append(int(bars + _BAR_LINE) + 1)
        if numerator > 0 and denominator > 0 and 0 < qpm < math.inf:  # others have no grid, and so no bars
            bars += (end - start) * qpm / 60 * denominator / (4 * numerator)
    return numbers


def _stretches(note_sequence: NoteSequence, total_seconds: float) -> list[tuple[float, float, tuple[int, int]]]:
    """Start, tempo and meter of each stretch; none for a sequence that lasts no time."""
    changes: list[tuple[float, float | None, tuple[int, int] | None]] = [
        *((tempo.time, tempo.qpm, None) for tempo in note_sequence.tempos),
        *((meter.time, None, (meter.numerator, meter.denominator)) for meter in note_sequence.time_signatures),
    ]
    qpm, meter = _DEFAULT_QPM, _DEFAULT_METER
    stretches = [(0.0, qpm, meter)]
    for seconds, new_qpm, new_meter in sorted(changes, key=lambda change: change[0]):
        if seconds >= total_seconds:
            break
        if new_qpm in (None, qpm) and new_meter in (None, meter):
            continue
        qpm = qpm if new_qpm is None else new_qpm
        meter = meter if new_meter is None else new_meter
        if seconds > stretches[-1][0]:
            stretches.append((seconds, qpm, meter))
        else:
            stretches[-1] = (stretches[-1][0], qpm, meter)
    return stretches if total_seconds > 0 else []


def quantize(piece: Piece) -> QuantizedPiece:
    """Put a piece on a grid of 4 steps per quarter note; a note that would have no length gets one step.

    Raises:
        DataError: if a bar is not a whole number of steps, or the tempo is not a number above 0.
    """
    try:
        meter = Meter(piece.numerator, piece.denominator)
    except SettingsError as error:
        raise DataError(str(error)) from None
    steps_per_second = STEPS_PER_QUARTER * piece.qpm / 60
    last_step = piece.end_seconds.max(initial=0.0) * steps_per_second
    if not (steps_per_second > 0 and last_step < _MAX_STEP):  # "not" refuses NaN too
        raise DataError(f"at {piece.qpm} quarter notes a minute the notes cannot be counted in steps")
    exact_start = piece.start_seconds * steps_per_second
    start_step = (exact_start + 0.5).astype(np.int64)
    end_step = (piece.end_seconds * steps_per_second + 0.5).astype(np.int64)
    return QuantizedPiece(
        piece.index,
        piece.qpm,
        meter,
        piece.notes,
        exact_start,
        start_step,
        np.maximum(end_step, start_step + 1),
        piece.begins,
    )


_MOVED = 0.25  # of a step: farther from the 16ths than this, a note is of another rhythm
_NEAR = 0.125  # of a step: what is this near to a third or sixth of a beat is meant to be there; a 32nd is farther away
# Where in a beat, in steps, the late second of two swung eighths begins: after 2, which is straight, and before 3,
# which is dotted.
_SWUNG = (2 + _MOVED, 3 - _MOVED)


@dataclass(frozen=True, slots=True)
class OffGrid:
    """How many notes of a voice the grid of 16ths moves by more than a quarter of a step, and what kind they are.

    Attributes:
        notes: how many notes there are in all.
        triplets: notes on the thirds or sixths of a beat.
        swing: second eighths of a beat that come late.
        other: notes played freely, or in a finer rhythm.
    """

    notes: int
    triplets: int
    swing: int
    other: int

    @property
    def share(self) -> float:
        """The share of all notes that are moved, 0 to 1."""
        return (self.triplets + self.swing + self.other) / self.notes if self.notes else 0.0


def total_off_grid(rhythms: Iterable[OffGrid]) -> OffGrid:
    """The counts of several voices together."""
    counts = [(one.notes, one.triplets, one.swing, one.other) for one in rhythms]
    return OffGrid(*map(sum, zip(*counts, strict=True))) if counts else OffGrid(0, 0, 0, 0)


def off_grid_of(exact_start: NDArray[np.float64]) -> OffGrid:
    """Count the notes of one voice that are off the grid of 16ths, and tell triplets from swing.

    Both have a note two thirds through the beat. It is a triplet's if another
    one is on a third or sixth next to it: in the same beat, or in the next
    one, as of three notes over two beats, when no note begins that beat.

    Args:
        exact_start: [N], where its notes start, in steps from a beat, before rounding.
    """
    moved = np.abs(exact_start - np.floor(exact_start + 0.5)) > _MOVED
    num_moved = int(moved.sum())
    if not num_moved:
        return OffGrid(len(exact_start), 0, 0, 0)
    start = exact_start[moved]
    beat = np.floor(start / STEPS_PER_QUARTER).astype(np.int64)
    place = start - beat * STEPS_PER_QUARTER
    sixths = place * 6 / STEPS_PER_QUARTER
    on_third = np.abs(sixths - np.round(sixths)) * STEPS_PER_QUARTER / 6 <= _NEAR
    late = (place > _SWUNG[0]) & (place < _SWUNG[1])
    triplet_beats = beat[on_third & ~late]
    nearest_beat = np.floor(exact_start / STEPS_PER_QUARTER + 0.5)
    begun = nearest_beat[np.abs(exact_start - nearest_beat * STEPS_PER_QUARTER) <= _MOVED]
    in_triplet = np.isin(beat, triplet_beats) | (np.isin(beat + 1, triplet_beats) & ~np.isin(beat + 1, begun))
    triplets = int((on_third & (~late | in_triplet)).sum())
    swing = int((late & ~(on_third & in_triplet)).sum())
    return OffGrid(len(exact_start), triplets, swing, num_moved - triplets - swing)
