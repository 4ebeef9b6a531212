"""Finding melodies, one after another, in every instrument that plays one note at a time."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ostinato.errors import DataError, SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.wire import NoteColumns
from ostinato.music.melody import MAX_PITCH, NO_EVENT, NOTE_OFF, NOTES_PER_OCTAVE, Melody
from ostinato.music.mending import in_meter
from ostinato.music.meter import STEPS_PER_QUARTER, Meter, parse_meter
from ostinato.music.quantize import OffGrid, QuantizedPiece, off_grid_of, quantize, split_at_changes
from ostinato.music.tracks import rank_tracks
from ostinato.parallel import add_counts

LIKELIEST = "likeliest"
"""Chooses the track most likely to be the melody."""
Polyphony = Literal["leave", "top", "line"]
"""What to do if several notes sound at once: leave the instrument, keep the top notes, or keep the top line."""


@dataclass(frozen=True, slots=True)
class ExtractionSettings:
    """What counts as a melody. The defaults are Magenta's.

    Attributes:
        min_bars: a melody with fewer bars of its meter is dropped.
        max_steps: a longer one is cut to this; None keeps it whole.
        min_unique_pitches: one with fewer different pitch classes is dropped.
        gap_bars: a silence of this many bars ends a melody.
        ignore_polyphonic_notes: Magenta's name for `polyphony="top"`.
        polyphony: if several notes start together, "leave" the instrument there; keep the "top" note; or keep the top
            "line", in which lower notes do not break a held note.
        max_offgrid: a melody is dropped if the grid of 16ths moves more than this share of its notes, 0 to 1, by more
            than a quarter of a step; None keeps all.
        tracks: the instruments to search, by their numbers in the NoteSequence or by a regular expression to find in
            their names, in upper or lower case; "likeliest" is the one most likely to be the melody; None searches
            all.
        meter: "file" takes the meter as it is written, "auto" repairs it where the notes contradict it, and "3/4" or
            the like holds from beginning to end.

    Raises:
        SettingsError: if a setting is out of range.
    """

    min_bars: int = 7
    max_steps: int | None = 512
    min_unique_pitches: int = 5
    gap_bars: float = 1
    ignore_polyphonic_notes: bool = False
    polyphony: Polyphony = "leave"
    max_offgrid: float | None = None
    tracks: tuple[int, ...] | str | None = None
    meter: str = "file"

    def __post_init__(self) -> None:
        if self.min_bars < 0:
            raise SettingsError(f"min_bars must be at least 0, not {self.min_bars}")
        if self.max_steps is not None and self.max_steps < 1:
            raise SettingsError(f"max_steps must be at least 1, not {self.max_steps}")
        if not 0 <= self.min_unique_pitches <= NOTES_PER_OCTAVE:
            raise SettingsError(f"min_unique_pitches must be 0 to {NOTES_PER_OCTAVE}, not {self.min_unique_pitches}")
        if not self.gap_bars > 0:
            raise SettingsError(f"gap_bars must be above 0, not {self.gap_bars}")
        if self.polyphony not in get_args(Polyphony):
            raise SettingsError(f"polyphony must be one of {', '.join(get_args(Polyphony))}, not {self.polyphony!r}")
        if self.ignore_polyphonic_notes and self.polyphony == "line":
            raise SettingsError('ignore_polyphonic_notes means polyphony "top" and cannot be combined with "line"')
        if self.max_offgrid is not None and not 0 <= self.max_offgrid <= 1:
            raise SettingsError(f"max_offgrid must be a share from 0 to 1, not {self.max_offgrid}")
        if isinstance(self.tracks, str):
            try:
                re.compile(self.tracks)
            except re.error as error:
                raise SettingsError(f"tracks: {self.tracks!r} is not a regular expression: {error}") from None
        if self.meter not in ("file", "auto"):
            parse_meter(self.meter)

    @property
    def keeps(self) -> Polyphony:
        """What becomes of notes that sound together, by either of the two settings."""
        return "top" if self.ignore_polyphonic_notes else self.polyphony


@dataclass(slots=True)
class ExtractionStatistics:
    """What was found and what was left out, and why.

    Attributes:
        pieces: passages of one tempo and meter, including those without notes.
        pieces_without_grid: of these, the ones whose bar is not a whole number of 16th notes.
        drum_tracks: instruments of a piece with nothing but drums or silent notes.
        other_tracks: instruments of a piece that were not chosen.
        polyphonic_tracks: instruments of a piece that were searched only up to where two notes start together.
        top_lines: instruments of a piece in which only the top notes, or the top line, were kept.
        too_short: melodies with fewer bars than `min_bars`.
        too_few_pitches: melodies with fewer than `min_unique_pitches`.
        off_grid: melodies with too many notes off the grid.
        truncated: melodies cut to `max_steps`; they are kept without their ends.
        mended_meters: NoteSequences that were read in a different meter than they say.
        melodies: melodies kept.
        with_chords: how many of these have chords beside them.
        notes: how many notes these have; the next three count some of them.
        triplets: notes off the grid, in triplets.
        swing: notes off the grid, swung.
        between: other notes off the grid.
        bars: how many melodies there were of each length in whole bars, including those too short.
    """

    pieces: int = 0
    pieces_without_grid: int = 0
    drum_tracks: int = 0
    other_tracks: int = 0
    polyphonic_tracks: int = 0
    top_lines: int = 0
    too_short: int = 0
    too_few_pitches: int = 0
    off_grid: int = 0
    truncated: int = 0
    mended_meters: int = 0
    melodies: int = 0
    with_chords: int = 0
    notes: int = 0
    triplets: int = 0
    swing: int = 0
    between: int = 0
    bars: Counter[int] = field(default_factory=Counter)

    def add(self, other: "ExtractionStatistics") -> None:
        """Add the counts of the other."""
        add_counts(self, other)

    @property
    def rhythm(self) -> OffGrid:
        """How many notes of the kept melodies are off the grid."""
        return OffGrid(self.notes, self.triplets, self.swing, self.between)


@dataclass(frozen=True, slots=True)
class FoundMelody:
    """A melody and where it was found.

    Attributes:
        melody: its steps count from the beginning of the piece.
        piece: the passage of one tempo and meter.
        instrument: number of the instrument in the NoteSequence.
        rhythm: how many of its notes the grid moves by more than a quarter of a step.
    """

    melody: Melody
    piece: QuantizedPiece
    instrument: int
    rhythm: OffGrid

    @property
    def off_grid(self) -> float:
        """Share of the melody's notes, 0 to 1, that the grid moves by more than a quarter of a step."""
        return self.rhythm.share


def find_melodies(
    note_sequence: NoteSequence,
    settings: ExtractionSettings,
    statistics: ExtractionStatistics,
    columns: NoteColumns | None = None,
) -> Iterator[FoundMelody]:
    """Yield the melodies of a NoteSequence, counting in `statistics` what is found and left out.

    Args:
        note_sequence: notes and times in seconds.
        settings: what counts as a melody.
        statistics: where to count.
        columns: the notes, if they have been read already; only with the meter of the file.

    Raises:
        DataError: if a time is not a number of seconds, 0 or more.
    """
    note_sequence, changes = in_meter(note_sequence, settings.meter)
    if changes:
        statistics.mended_meters += 1
        columns = None
    chosen = _choice(note_sequence, settings.tracks)
    pieces = list(split_at_changes(note_sequence, columns))
    chords = _chords(note_sequence)
    last_played = max((piece.index for piece in pieces if len(piece.notes)), default=0)
    for piece in pieces:
        statistics.pieces += 1
        try:
            quantized = quantize(piece)
        except DataError:
            statistics.pieces_without_grid += 1
            continue
        # Magenta goes through a Python set of the instruments, and so do we: its order, which is
        # not ascending from 8 instruments on, is the order of the records in a data set.
        for instrument in set(quantized.notes.instrument.tolist()):
            if not chosen(instrument):
                statistics.other_tracks += 1
                continue
            track = _Track.of(quantized, instrument, settings)
            if not len(track.start_step):
                statistics.drum_tracks += 1
            statistics.top_lines += track.is_top_line
            for melody, rhythm in _melodies_of(track, settings, statistics, goes_on=piece.index < last_played):
                if chords:
                    melody = _beside(melody, chords, quantized)
                    statistics.with_chords += bool(melody.chords)
                yield FoundMelody(melody, quantized, instrument, rhythm)


def _chords(note_sequence: NoteSequence) -> list[tuple[float, str]]:
    """The chords of a NoteSequence, in seconds."""
    if not note_sequence.text_annotations:
        return []
    from ostinato.music.chords import chords_in  # which few files need

    return chords_in(note_sequence)


def _beside(melody: Melody, chords: list[tuple[float, str]], piece: QuantizedPiece) -> Melody:
    """The melody with the chords that sound with it; of several on one step the last."""
    from ostinato.music.chords import chord_track, chords_between

    steps_per_second = STEPS_PER_QUARTER * piece.qpm / 60
    steps = {max(int((time - piece.begins) * steps_per_second + 0.5), 0): name for time, name in chords}
    beside = chords_between(chord_track(sorted(steps.items())), melody.start_step, melody.end_step)
    return Melody.unchecked(melody.events, melody.start_step, melody.meter, melody.ends, beside)


def _choice(note_sequence: NoteSequence, tracks: tuple[int, ...] | str | None) -> Callable[[int], bool]:
    """A function that says whether an instrument was chosen."""
    if tracks is None:
        return lambda _: True
    if tracks == LIKELIEST:
        there = {note.instrument for note in note_sequence.notes}
        # Most tunes have one, which needs no ranking.
        return (there if len(there) < 2 else {rank_tracks(note_sequence)[0].track}).__contains__
    if not isinstance(tracks, str):
        return frozenset(tracks).__contains__
    # An instrument without a name has the empty one, which an expression such as "^$" finds.
    names = {info.instrument: info.name for info in note_sequence.instrument_infos}
    name = re.compile(tracks, re.IGNORECASE)
    return lambda instrument: name.search(names.get(instrument, "")) is not None


@dataclass(frozen=True, slots=True, eq=False)
class _Track:
    """The notes [N] of one instrument in a piece that a melody may hold, by start step and from the highest down.

    `ends` are the notes after which a melody ends, `clashes` those that start
    together with the note before them. Of a top line there were more notes,
    which are left out.
    """

    meter: Meter
    pitch: NDArray[np.int64]
    exact_start: NDArray[np.float64]
    start_step: NDArray[np.int64]
    end_step: NDArray[np.int64]
    ends: list[int]
    clashes: list[int]
    is_top_line: bool

    @staticmethod
    def of(piece: QuantizedPiece, instrument: int, settings: ExtractionSettings) -> "_Track":
        (chosen,) = ((piece.notes.instrument == instrument) & piece.notes.is_melodic).nonzero()
        # By start, then from the highest pitch down: one number is sorted faster than two.
        place = piece.start_step[chosen] * (MAX_PITCH + 1) - piece.notes.pitch[chosen]
        chosen = chosen[place.argsort(kind="stable")]
        num_notes = len(chosen)
        if settings.keeps == "line":
            line = _top_line(piece.notes.pitch[chosen], piece.start_step[chosen], piece.end_step[chosen])
            chosen = chosen[line]
        start = piece.start_step[chosen]
        clashes = np.flatnonzero(start[1:] == start[:-1]) + 1
        if settings.keeps == "top" and len(clashes):
            chosen, start, clashes = np.delete(chosen, clashes), np.delete(start, clashes), clashes[:0]
        end = piece.end_step[chosen]
        gap = settings.gap_bars * piece.meter.steps_per_bar
        ends = np.flatnonzero(start[1:] - end[:-1] >= gap)
        return _Track(
            piece.meter,
            piece.notes.pitch[chosen],
            piece.exact_start[chosen],
            start,
            end,
            [*ends.tolist(), len(chosen) - 1],
            clashes.tolist(),
            len(chosen) < num_notes,
        )

    def melody_steps(self, first: int, last: int) -> tuple[int, int]:
        """Where the melody of these notes starts, at the bar of its first note, and where its last note ends."""
        start = int(self.start_step[first])
        return start - start % self.meter.steps_per_bar, int(self.end_step[last])

    def melody(self, first: int, last: int, max_steps: int | None, *, goes_on: bool) -> Melody:
        """The melody of the notes first..last, cut to `max_steps`. A later note cuts off the one that is sounding.

        The tune ends with it, unless the melody is cut, or is the track's last and the tune goes on in another piece.
        """
        melody_start, melody_end = self.melody_steps(first, last)
        num_steps = min(melody_end - melody_start, max_steps or melody_end)
        events = np.full(num_steps, NO_EVENT, np.int64)
        starts = self.start_step[first : last + 1] - melody_start
        ends = self.end_step[first : last + 1] - melody_start
        # The last note's end is the melody's end and no event of it.
        note_offs = ends[:-1][ends[:-1] < starts[1:]]
        events[note_offs[note_offs < num_steps]] = NOTE_OFF
        sounding = starts < num_steps
        events[starts[sounding]] = self.pitch[first : last + 1][sounding]
        # Only a note-off before the first note would have to be left out, and each note-off here follows its note.
        is_over = num_steps == melody_end - melody_start and not (goes_on and last == len(self.pitch) - 1)
        return Melody.unchecked(tuple(events.tolist()), melody_start, self.meter, is_over)


_ROWS = 4096  # notes at once, so that a table of them by pitches stays in the cache
# Where the melody rests, the accompaniment is on top. It is heard as such when it is this far below the line: of 34,380
# notes of melodies 34 are so low, but in pop songs with piano one note in ten of what would be the line.
_FAR_BELOW = NOTES_PER_OCTAVE
_AROUND = 16  # notes before and after, whose median is where the line is


def _top_line(pitch: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of N notes are the top line of a track: all of them if there is only one voice.

    The arguments are those of `_beneath_held`.
    """
    line = ~_beneath_held(pitch, start, end)
    line[1:] &= start[1:] > start[:-1]
    if line.all():
        return line
    (notes,) = line.nonzero()
    top = pitch[notes]
    around = sliding_window_view(np.pad(top, _AROUND, mode="edge"), 2 * _AROUND + 1)
    line[notes[top < np.median(around, axis=1) - _FAR_BELOW]] = False
    return line


def _beneath_held(pitch: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of N notes start below a higher one that is still sounding: those of the accompaniment.

    A higher note that ends before the lower one is half over has given way to
    it, as in legato, where each note lasts a little into the next.

    Args:
        pitch: [N], by start step and from the highest down.
        start: [N] steps.
        end: [N] steps, not included.
    """
    beneath = np.zeros(len(pitch), np.bool_)
    pitches, level = np.unique(-pitch, return_inverse=True)  # level 0 is the highest
    held_until = np.zeros(len(pitches) + 1, np.int64)  # by level, the end of the notes so far that are higher
    for first in range(0, len(pitch), _ROWS):
        rows = slice(first, first + _ROWS)
        levels = level[rows]
        number = np.arange(len(levels))
        table = np.zeros((len(levels) + 1, len(pitches) + 1), np.int64)
        table[0] = held_until
        # Row i + 1 is what note i adds, for the levels below its own.
        table[number + 1, levels + 1] = end[rows]
        np.maximum.accumulate(table, axis=0, out=table)
        np.maximum.accumulate(table, axis=1, out=table)
        beneath[rows] = 2 * table[number, levels] >= start[rows] + end[rows]
        held_until = table[-1]
    return beneath


def _melodies_of(
    track: _Track, settings: ExtractionSettings, statistics: ExtractionStatistics, *, goes_on: bool
) -> Iterator[tuple[Melody, OffGrid]]:
    search_step, steps_per_bar = 0, track.meter.steps_per_bar
    while (first := int(track.start_step.searchsorted(search_step))) < len(track.start_step):
        last = next(end for end in track.ends if end >= first)
        if any(first < clash <= last for clash in track.clashes):
            statistics.polyphonic_tracks += 1
            return
        melody_start, melody_end = track.melody_steps(first, last)
        # The next one is looked for from the bar line after this one's end on, were it cut or not.
        search_step = melody_end + -melody_end % steps_per_bar
        num_steps = melody_end - melody_start
        if num_steps < settings.min_bars * steps_per_bar:
            statistics.too_short += 1
            statistics.bars[num_steps // steps_per_bar] += 1
            continue
        melody = track.melody(first, last, settings.max_steps, goes_on=goes_on)
        statistics.truncated += len(melody) < num_steps
        statistics.bars[len(melody) // steps_per_bar] += 1
        if len({pitch % NOTES_PER_OCTAVE for pitch in set(melody.pitches)}) < settings.min_unique_pitches:
            statistics.too_few_pitches += 1
            continue
        # Notes that were cut away do not belong to the melody.
        rhythm = off_grid_of(track.exact_start[first : track.start_step.searchsorted(melody.end_step)])
        if settings.max_offgrid is not None and rhythm.share > settings.max_offgrid:
            statistics.off_grid += 1
            continue
        statistics.melodies += 1
        statistics.notes += rhythm.notes
        statistics.triplets += rhythm.triplets
        statistics.swing += rhythm.swing
        statistics.between += rhythm.other
        yield melody, rhythm
