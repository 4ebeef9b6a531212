"""A melody: one voice, as a list of steps of a 16th note each.

| event    | meaning                                                  |
|----------|----------------------------------------------------------|
| 0 .. 127 | a note of this MIDI pitch starts (and ends the one before) |
| -1       | the sounding note ends                                   |
| -2       | nothing changes                                          |
"""

import operator
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, SupportsIndex, overload

from ostinato.errors import OstinatoError, SettingsError
from ostinato.music.meter import Meter, parse_meter, plainest_meter

if TYPE_CHECKING:
    import pretty_midi

    from ostinato.formats.note_sequence_pb2 import NoteSequence
    from ostinato.music.chords import Accompaniment, ChordTrack
    from ostinato.music.keys import Key

NO_EVENT = -2
NOTE_OFF = -1
MIN_PITCH = 0
MAX_PITCH = 127  # included
NOTES_PER_OCTAVE = 12

_COMMON_TIME = Meter(4, 4)
_PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_EVENTS = frozenset(range(NO_EVENT, MAX_PITCH + 1))
_SHOWN_BARS = 2  # in a line about a melody
_SHOWN_MELODIES = 10


@dataclass(frozen=True, slots=True)
class Melody:
    """One voice, as a list of steps of a 16th note each.

    A note-off before the first note changes nothing, so it is kept as no event,
    as Magenta does.

    Attributes:
        events: one integer per step: a pitch 0..127, -1 note-off or -2 no event.
        start_step: where the melody begins in the piece it came from, in steps.
        meter: of its bars; it begins with one.
        ends: whether the tune ends where the melody does. It does not if it was cut, or goes on. Melodies with the
            same events are equal, whether the tune ends there or not.
        chords: beside it, as (step, name): from that step on the chord sounds; see `ostinato.music.chords`. Nothing if
            none are known. They too have no say in whether melodies are equal.

    Raises:
        SettingsError: if an event is not an integer in -2..127, there is no such bar, or a chord's name is none.
    """

    events: tuple[int, ...]
    start_step: int = 0
    meter: Meter = _COMMON_TIME
    ends: bool = field(default=False, compare=False)
    chords: "ChordTrack" = field(default=(), compare=False)

    def __init__(
        self,
        events: Iterable[int],
        start_step: int = 0,
        steps_per_bar: int | None = None,
        *,
        meter: Meter | str | None = None,
        ends: bool = False,
        chords: Iterable[tuple[int, str]] = (),
    ) -> None:
        """Make a melody.

        Args:
            events: see above.
            start_step: see above.
            steps_per_bar: instead of the meter, for the plainest meter with bars of this length; 4/4 without either.
            meter: see above; "6/8" will do.
            ends: see above.
            chords: see above.
        """
        object.__setattr__(self, "events", _checked(events))
        object.__setattr__(self, "start_step", start_step)
        object.__setattr__(self, "meter", meter_from(meter, steps_per_bar))
        object.__setattr__(self, "ends", ends)
        if chords:
            # Most melodies have none and do without the module.
            from ostinato.music.chords import chord_track

            chords = chord_track(chords)
        object.__setattr__(self, "chords", tuple(chords))

    @classmethod
    def unchecked(
        cls, events: tuple[int, ...], start_step: int, meter: Meter, ends: bool, chords: "ChordTrack" = ()
    ) -> "Melody":
        """A melody of events known to be as `Melody` leaves them; faster, since it does not check each."""
        melody = object.__new__(cls)
        object.__setattr__(melody, "events", events)
        object.__setattr__(melody, "start_step", start_step)
        object.__setattr__(melody, "meter", meter)
        object.__setattr__(melody, "ends", ends)
        object.__setattr__(melody, "chords", chords)
        return melody

    @classmethod
    def from_notes(cls, text: str, meter: Meter | str | None = None) -> "Melody":
        """The melody that note names say, such as "C4 D4:2 r E4"; see `ostinato.music.notes.parse_notes`."""
        from ostinato.music.notes import parse_notes

        return parse_notes(text, meter)

    def __repr__(self) -> str:
        """Its length, its meter and its first bars, as `text_roll` has them."""
        from ostinato.music.notes import text_roll

        bars = len(self) / self.steps_per_bar
        most = _SHOWN_BARS * self.steps_per_bar
        shown = Melody(self.events[:most], meter=self.meter)
        length = f"{bars:g} bar" if bars == 1 else f"{bars:.4g} bars"
        return f"<Melody, {length} of {self.meter}: {text_roll(shown)}{' ...' if len(self) > most else ''}>"

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[int]:
        return iter(self.events)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[int, ...]: ...
    def __getitem__(self, index: int | slice) -> int | tuple[int, ...]:
        return self.events[index]

    @property
    def steps_per_bar(self) -> int:
        """Length of a bar in steps: 16 in 4/4, 12 in 3/4 and 6/8."""
        return self.meter.steps_per_bar

    @property
    def has_upbeat(self) -> bool:
        """Whether the first note is in the second half of the first bar, so that the tune's bar 1 is the next one."""
        first = next((step for step, event in enumerate(self.events) if event >= MIN_PITCH), 0)
        return self.steps_per_bar <= 2 * first < 2 * self.steps_per_bar

    @property
    def end_step(self) -> int:
        """The step after the last one, in the piece the melody came from."""
        return self.start_step + len(self.events)

    @property
    def pitches(self) -> tuple[int, ...]:
        """The pitch of every note that starts, in order."""
        return tuple([event for event in self.events if event >= MIN_PITCH])

    def to_note_sequence(
        self,
        qpm: float = 120.0,
        *,
        velocity: int = 100,
        program: int = 0,
        time_signature: tuple[int, int] | None = None,
        accompaniment: "Accompaniment | None" = None,
    ) -> "NoteSequence":
        """The melody as notes in seconds, from time 0; see `ostinato.music.notes.to_note_sequence`."""
        # Generation and training handle melodies without ever loading protobuf.
        from ostinato.music.notes import to_note_sequence

        return to_note_sequence(
            self,
            qpm=qpm,
            velocity=velocity,
            program=program,
            time_signature=time_signature,
            accompaniment=accompaniment,
        )

    def to_pretty_midi(self, qpm: float = 120.0, *, velocity: int = 100, program: int = 0) -> "pretty_midi.PrettyMIDI":
        """The melody as an object of the library pretty_midi, which must be installed.

        Args:
            qpm: quarter notes a minute, above 0.
            velocity: of every note, 1..127.
            program: General MIDI instrument, 0..127.

        Raises:
            OstinatoError: if pretty_midi is not installed.
            SettingsError: if one of these is out of its range.
        """
        try:
            import pretty_midi
        except ImportError:
            raise OstinatoError("pretty_midi is not installed; pip install pretty_midi") from None
        from io import BytesIO

        from ostinato.formats.midi.writer import note_sequence_to_midi

        sequence = self.to_note_sequence(qpm, velocity=velocity, program=program)
        return pretty_midi.PrettyMIDI(BytesIO(note_sequence_to_midi(sequence)))

    def write(
        self,
        path: str | os.PathLike[str],
        *,
        qpm: float = 120.0,
        key: "str | Key | None" = None,
        title: str = "",
        accompaniment: "Accompaniment | None" = None,
    ) -> None:
        """Write the melody as a .mid, .abc, .musicxml or .wav file; see `ostinato.write`."""
        # A melody knows of no files until it is asked for one.
        from ostinato.front import write

        write(self, path, qpm=qpm, key=key, title=title, accompaniment=accompaniment)

    def _repr_html_(self) -> str:
        """A piano roll with a play button, which is how a notebook shows the melody."""
        # Nor of pictures.
        from ostinato.pages.piano_roll import notebook_html

        return notebook_html([self])


class MelodyList(list[Melody]):
    """A list of melodies that a notebook shows as piano rolls with sound."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> Melody: ...
    @overload
    def __getitem__(self, index: slice) -> "MelodyList": ...
    def __getitem__(self, index: SupportsIndex | slice) -> "Melody | MelodyList":
        found = super().__getitem__(index)
        return found if isinstance(found, Melody) else MelodyList(found)

    def __repr__(self) -> str:
        """A line for each of the first melodies."""
        lines = [repr(melody) for melody in self[:_SHOWN_MELODIES]]
        if len(self) > _SHOWN_MELODIES:
            lines.append(f"... and {len(self) - _SHOWN_MELODIES} more")
        return f"[{f',{chr(10)} '.join(lines)}]"

    def _repr_html_(self) -> str:
        """The piano rolls of the first melodies, each with its number in the list and a play button."""
        from ostinato.pages.piano_roll import notebook_html

        return notebook_html(self)


def meter_from(meter: Meter | str | None, steps_per_bar: int | None) -> Meter:
    """The meter, given as it is or as the length of its bar; 4/4 if neither is given.

    Raises:
        SettingsError: if both are given and contradict each other, or there is no such bar.
    """
    if meter is None:
        return _COMMON_TIME if steps_per_bar is None else plainest_meter(steps_per_bar)
    if isinstance(meter, str):
        meter = parse_meter(meter)
    if steps_per_bar not in (None, meter.steps_per_bar):
        raise SettingsError(f"a bar of {meter} has {meter.steps_per_bar} steps, not steps_per_bar={steps_per_bar}")
    return meter


def pitch_name(pitch: int) -> str:
    """The name of a MIDI pitch with its octave: 60 is C4."""
    return f"{_PITCH_NAMES[pitch % NOTES_PER_OCTAVE]}{pitch // NOTES_PER_OCTAVE - 1}"


def _checked(events: Iterable[int]) -> tuple[int, ...]:
    given = tuple(events)
    try:
        checked = tuple(map(operator.index, given))
        are_events = _EVENTS.issuperset(checked)
    except TypeError:
        are_events = False
    if not are_events:
        step = next(step for step, event in enumerate(given) if not _is_event(event))
        raise SettingsError(
            f"event {given[step]!r} at step {step} of a melody is not an integer in {NO_EVENT}..{MAX_PITCH}; "
            f"use {NO_EVENT} for no event, {NOTE_OFF} for note-off, {MIN_PITCH}..{MAX_PITCH} for a pitch"
        )
    first_note = next((step for step, event in enumerate(checked) if event >= MIN_PITCH), len(checked))
    return (NO_EVENT,) * first_note + checked[first_note:]


def _is_event(event: object) -> bool:
    try:
        return operator.index(event) in _EVENTS  # type: ignore[arg-type]
    except TypeError:
        return False
