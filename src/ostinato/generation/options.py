"""Everything that can be asked of a generation, checked once."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import SettingsError
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NOTES_PER_OCTAVE, Melody
from ostinato.music.meter import MAX_STEPS_PER_BAR, Meter, parse_meter, plainest_meter

if TYPE_CHECKING:
    from ostinato.generation.sampling import Draws
    from ostinato.music.keys import Key

Events = Melody | Sequence[int] | NDArray[np.integer] | str | os.PathLike[str]
"""A melody, its events, note names such as "C4 D4:2 r E4", or the path of a file with a melody in it."""
Seed = int | np.random.Generator | None

DEFAULT_STEPS = 128  # eight bars of 4/4
DEFAULT_CHORD_STRENGTH = 0.9  # as often on chord notes as human lead sheets (docs/guides/chords.md)
DEFAULT_MOST_BARS = 32  # of a melody that ends by itself: the longest that the built-in models have learned from


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """What to make, and how to choose among what the model holds likely.

    With `beam_size` and `branch_factor` at 1, melodies are drawn event by event.
    Otherwise each output is the likeliest of a beam: every `steps_per_iteration`
    events, each melody of the beam has been continued `branch_factor` times and
    the `beam_size` likeliest of all are kept. A beam is chosen by what the model
    holds likely, not by what is likely among the allowed: otherwise it would cost
    nothing to lead the model to where only unlikely events are allowed.

    Key and range say what may be drawn, in terms of what is heard; the primer is
    kept as it is. A model that works in one key takes the primer to be in the key
    asked for, and without a primer its melodies are moved there from its own, and by
    octaves towards the range asked for.

    Attributes:
        num_steps: length of each melody in 16th notes, the primer included; None for one without end.
        primer: the first events: a `Melody`, a list, note names such as "C4 D4:2 r E4" (see
            `ostinato.music.notes.parse_notes`), or the path of a file, whose likeliest melody is taken; without one,
            each melody begins with a random note of the model's tonic chord.
        temperature: the logits are divided by it: below 1 makes likely events likelier, above 1 evens them out.
        num_outputs: how many melodies, all made side by side.
        seed: a number of 0 or more, or a generator, for the same melodies again. The first melodies of a seed are the
            same however many are asked for, unless they are ranked.
        beam_size: melodies kept after an iteration.
        branch_factor: continuations drawn of each melody in an iteration.
        steps_per_iteration: events drawn in an iteration; the first one takes what does not divide evenly.
        steps_per_bar: instead of the meter, for the plainest meter with bars of this many 16th notes.
        top_k: draw from this many of the most probable events; 0 draws from all.
        top_p: draw from the fewest most probable events that make up this share, above 0 to 1; 1 draws from all.
        key: draw only its notes: "C", "Am" or "D dorian"; see `ostinato.music.keys.parse_key`.
        min_note: lowest MIDI pitch to draw.
        max_note: highest MIDI pitch to draw, included.
        rank: make this many melodies and keep `num_outputs` of them, the best first; None keeps all.
        rank_by: keep the likeliest ("likely"), or those that differ most ("varied").
        meter: such as "6/8". A primer that is a `Melody` brings its own; otherwise it is 4/4 if you give none.
        num_bars: length in bars, instead of `num_steps`. A model that foretells the end of a tune then brings each
            melody to an end within the last of them.
        ending: whether to do so: None does where `num_bars` is given and the model can.
        until_end: let each melody end where the model ends it, after four bars at the earliest; `num_bars`, or else 32,
            are the most it may have.
        upbeat: begin with one, in a bar of its own before those that are counted: its first half is silent. None leaves
            it to chance where the length is in bars and there is no primer: as many melodies have one as tunes had that
            the model has learned from.
        fill: make these bars of the primer anew, the first and the last, counted from 1, so that what follows fits.
        chords: what sounds beside the melody, in bars: "C | Am | F G | C"; see `ostinato.music.chords.parse_chords`.
            They come again up to the end, and begin with the first whole bar, that of a primer too. Or a list of (step,
            name), of which the last one goes on. On the beats their notes are likelier; see `chord_strength`.
        chord_strength: how much likelier: the odds of other notes are multiplied by 1 - `chord_strength` on strong
            beats, and by its square root on the others; 0 changes nothing, with 1 no other note begins on a beat.
        draws: where choices come from, in place of the seed.

    Raises:
        SettingsError: if a value is out of its range or contradicts another, no note could be drawn, or the primer is
            as long as `num_steps` or longer, holds no note, or holds what is not an event.
    """

    num_steps: int | None = DEFAULT_STEPS
    primer: Events | None = None
    temperature: float = 1.0
    num_outputs: int = 1
    seed: Seed = None
    beam_size: int = 1
    branch_factor: int = 1
    steps_per_iteration: int = 1
    steps_per_bar: int | None = None
    top_k: int = 0
    top_p: float = 1.0
    key: "str | Key | None" = None
    min_note: int | None = None
    max_note: int | None = None
    rank: int | None = None
    rank_by: Literal["likely", "varied"] = "likely"
    meter: "str | Meter | None" = None
    num_bars: int | None = None
    ending: bool | None = None
    until_end: bool = False
    upbeat: bool | None = None
    fill: tuple[int, int] | None = None
    chords: "str | Sequence[tuple[int, str]] | None" = None
    chord_strength: float = DEFAULT_CHORD_STRENGTH
    draws: "Draws | None" = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        _require_counts(self)
        _require_odds(self)
        _settle_meter(self)
        if self.key is not None:
            from ostinato.music.keys import Key, parse_key

            object.__setattr__(self, "key", self.key if isinstance(self.key, Key) else parse_key(self.key))
        for name, bound in (("min_note", MIN_PITCH), ("max_note", MAX_PITCH)):
            note = getattr(self, name)
            if note is None:
                object.__setattr__(self, name, bound)
            elif not _is_whole(note) or not MIN_PITCH <= note <= MAX_PITCH:
                raise SettingsError(f"{name} must be a MIDI pitch {MIN_PITCH}..{MAX_PITCH}, not {note!r}")
        low, high = self.note_range
        if low > high:
            raise SettingsError(f"min_note={low} lies above max_note={high}; exchange them")
        if not any(map(self.allows, range(low, high + 1))):
            raise SettingsError(f"there is no note {self.allowed_notes}; widen the range")
        if self.primer is not None:
            object.__setattr__(self, "primer", _checked_primer(self.primer, self.meter))
        _settle_length(self)
        _require_chords(self)
        if self.primer is not None and self.upbeat:
            raise SettingsError("upbeat begins a melody without a primer; leave one of them out")
        if self.upbeat and not self.is_in_bars:
            raise SettingsError("upbeat comes before the bars that num_bars counts; give num_bars or until_end")

    @property
    def is_in_bars(self) -> bool:
        """Whether the length is in bars, or the model's choice."""
        return self.num_bars is not None or self.until_end

    @property
    def opening(self) -> Melody:
        """The primer; without one, a melody of the meter that has no events yet."""
        if self.primer is None:
            assert not isinstance(self.meter, str)
            return Melody((), meter=self.meter)
        assert isinstance(self.primer, Melody)
        return self.primer

    @property
    def fill_steps(self) -> tuple[int, int]:
        """The first step that is made anew, and the first one after that is not."""
        assert self.fill
        first, last = self.fill
        return (first - 1) * self.opening.steps_per_bar, last * self.opening.steps_per_bar

    @property
    def parsed_key(self) -> "Key | None":
        """The key, or None for all notes."""
        assert not isinstance(self.key, str)
        return self.key

    @property
    def note_range(self) -> tuple[int, int]:
        """Lowest and highest pitch that may be heard."""
        assert self.min_note is not None
        assert self.max_note is not None
        return self.min_note, self.max_note

    @property
    def is_search(self) -> bool:
        """Whether a beam search chooses, rather than each draw alone."""
        return self.beam_size > 1 or self.branch_factor > 1

    @property
    def is_constrained(self) -> bool:
        """Whether some events may not be drawn."""
        limits_notes = self.key is not None or self.note_range != (MIN_PITCH, MAX_PITCH)
        return limits_notes or self.top_k > 0 or self.top_p < 1 or self.has_chords

    @property
    def has_chords(self) -> bool:
        """Whether chords are asked for, or the primer has some."""
        return self.chords is not None or bool(self.opening.chords)

    def allows(self, pitch: int) -> bool:
        """Whether a note, as it is heard, lies within key and range."""
        key, (low, high) = self.parsed_key, self.note_range
        in_key = key is None or pitch % NOTES_PER_OCTAVE in key.pitch_classes
        return in_key and low <= pitch <= high

    @property
    def allowed_notes(self) -> str:
        """Which notes are allowed, in words: "of A minor within 60..72"."""
        low, high = self.note_range
        return (f"of {self.key} " if self.key else "") + f"within {low}..{high}"

    @property
    def num_made(self) -> int:
        """How many melodies are made, those that ranking leaves out too."""
        return self.rank or self.num_outputs

    @property
    def ranks_by_likelihood(self) -> bool:
        """Whether the likeliest of the melodies are kept."""
        return self.rank is not None and self.rank_by == "likely"

    def generators(self) -> list[np.random.Generator]:
        """Random numbers for each melody; the first generators of a seed are the same however many there are."""
        return np.random.default_rng(self.seed).spawn(self.num_made)


def as_melody(events: Events, meter: Meter | None = None) -> Melody:
    """A melody from whatever may stand for one.

    Args:
        events: a melody; a list or array of events; note names; or the path of a music file. A text is a path if it
            ends as the names of such files do, or if there is a file of that name.
        meter: of a list or of note names; 4/4 if absent.

    Raises:
        SettingsError: if it is none of these.
        DataError: if there is no melody in the file, or no such file.
        FormatError: if the file is no music.
    """
    if isinstance(events, Melody):
        return events
    if isinstance(events, str) and not _is_path(events):
        from ostinato.music.notes import parse_notes

        return parse_notes(events, meter)
    if isinstance(events, (str, os.PathLike)):
        from ostinato.dataset.melodies import primer_in

        return primer_in(events).melody
    if not isinstance(events, (list, tuple, np.ndarray)):
        raise SettingsError(
            f'a melody is a list of events such as [60, -2, 62, -1], note names such as "C4 D4:2", or the path of a '
            f"file, not {events!r}"
        )
    return Melody(events, meter=meter)


def _is_path(text: str) -> bool:
    from ostinato.dataset.convert import is_source

    return is_source(text) or os.path.isfile(text)  # noqa: PTH113 (it holds no text for too long)


def _require_counts(options: GenerationOptions) -> None:
    for name in ("num_outputs", "beam_size", "branch_factor", "steps_per_iteration"):
        _require_at_least_1(name, getattr(options, name))
    if options.num_steps is not None:
        _require_at_least_1("num_steps", options.num_steps)
    if not _is_whole(options.top_k) or options.top_k < 0:
        raise SettingsError(
            f"top_k must be a whole number of 0 or more, not {options.top_k!r}; 0 draws from all events"
        )
    if options.top_k == 1 and options.branch_factor > 1:
        raise SettingsError(
            f"top_k=1 draws the same events in all of branch_factor={options.branch_factor} branches; "
            "raise top_k, or leave out the branches"
        )
    if options.rank is not None and (not _is_whole(options.rank) or options.rank < options.num_outputs):
        raise SettingsError(
            f"rank={options.rank!r} melodies are too few to keep num_outputs={options.num_outputs} of them; make more"
        )
    if options.rank_by not in ("likely", "varied"):
        raise SettingsError(f"rank_by must be likely or varied, not {options.rank_by!r}")
    seed = options.seed
    if not (seed is None or isinstance(seed, np.random.Generator) or (_is_whole(seed) and seed >= 0)):
        raise SettingsError(f"seed must be a whole number of 0 or more, not {seed!r}")


def _require_odds(options: GenerationOptions) -> None:
    temperature, top_p = options.temperature, options.top_p
    if not (isinstance(temperature, (int, float)) and 0 < temperature < math.inf):
        raise SettingsError(
            f"temperature must be a number above 0, not {temperature!r}; 1 samples as the model learned"
        )
    if not (isinstance(top_p, (int, float)) and 0 < top_p <= 1):
        raise SettingsError(f"top_p must be a share above 0 and up to 1, not {top_p!r}; 1 draws from all events")


def _settle_meter(options: GenerationOptions) -> None:
    """Make one meter of what is given, a `Meter`, and leave its bars' length in `steps_per_bar`."""
    meter, steps_per_bar = options.meter, options.steps_per_bar
    if isinstance(meter, str):
        meter = parse_meter(meter)
    if steps_per_bar is not None:
        _require_at_least_1("steps_per_bar", steps_per_bar)
        if steps_per_bar > MAX_STEPS_PER_BAR:
            raise SettingsError(f"steps_per_bar must be at most {MAX_STEPS_PER_BAR}, not {steps_per_bar}")
        if meter is None:
            primer, meter = options.primer, plainest_meter(steps_per_bar)
            if isinstance(primer, Melody) and primer.steps_per_bar == steps_per_bar:
                meter = primer.meter
        if meter.steps_per_bar != steps_per_bar:
            raise SettingsError(f"bars of {meter} are {meter.steps_per_bar} steps long, not {steps_per_bar}; give one")
    object.__setattr__(options, "meter", meter)


def _require_fill(options: GenerationOptions) -> None:
    """Refuse bars that cannot be filled."""
    if options.primer is None:
        raise SettingsError("fill makes bars of a primer anew, but there is none; give it a melody")
    if options.until_end or options.ending or options.num_bars is not None:
        raise SettingsError("fill keeps the primer's length and end; leave out num_bars, ending and until_end")
    if options.is_search:
        raise SettingsError("fill makes its own search; leave out beam_size and branch_factor")
    first, last = options.fill or (0, 0)
    primer = options.opening
    most = (len(primer) - 1) // primer.steps_per_bar
    if not (_is_whole(first) and _is_whole(last) and 1 <= first <= last):
        raise SettingsError(f"fill={options.fill!r} must be the first and the last bar, counted from 1, such as (5, 8)")
    if last > most:
        raise SettingsError(
            f"fill={first}-{last} leaves nothing to follow it: the primer has {len(primer) / primer.steps_per_bar:g} "
            "bars; go on from its beginning instead, with num_bars"
        )


def _settle_length(options: GenerationOptions) -> None:
    """Turn bars into steps, and refuse lengths that the primer fills."""
    bars, steps = options.num_bars, options.num_steps
    primer = len(options.opening)
    if options.fill is not None:
        _require_fill(options)
        object.__setattr__(options, "num_steps", primer)
        return
    if options.until_end and options.ending is False:
        raise SettingsError("until_end brings each melody to its end, which ending=False forbids; leave one out")
    if options.until_end and options.is_search:
        raise SettingsError("until_end draws event by event; leave out beam_size and branch_factor")
    if bars is not None or options.until_end:
        bars = DEFAULT_MOST_BARS if bars is None else bars
        _require_at_least_1("num_bars", bars)
        in_bars = bars * options.opening.steps_per_bar
        if steps not in (DEFAULT_STEPS, in_bars):
            raise SettingsError(f"num_steps={steps} and num_bars={bars} are two lengths; give one of them")
        object.__setattr__(options, "num_steps", in_bars)
    if options.num_steps is not None and primer >= options.num_steps:
        raise SettingsError(
            f"the primer is {primer} steps long but {options.num_steps} steps were asked for in all; "
            "ask for more, or shorten the primer"
        )


def _require_chords(options: GenerationOptions) -> None:
    """Refuse chords that cannot be read, and leave them as a text or as a track."""
    strength = options.chord_strength
    if isinstance(strength, bool) or not (isinstance(strength, (int, float)) and 0 <= strength <= 1):
        raise SettingsError(f"chord_strength must be from 0 (not heard) to 1 (strict), not {strength!r}")
    if options.chords is None:
        return
    from ostinato.music.chords import chord_track, parse_chords

    if isinstance(options.chords, str):
        parse_chords(options.chords, options.opening.meter)
    else:
        object.__setattr__(options, "chords", chord_track(options.chords) or None)


def _require_at_least_1(name: str, value: int) -> None:
    if not _is_whole(value) or value < 1:
        raise SettingsError(f"{name} must be a whole number of 1 or more, not {value!r}")


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _checked_primer(events: Events, meter: "str | Meter | None") -> Melody:
    assert not isinstance(meter, str)
    primer = as_melody(events, meter)
    if meter not in (None, primer.meter):
        raise SettingsError(f"the primer is in {primer.meter}, not in {meter}; leave the meter out")
    if not primer.pitches:
        raise SettingsError(
            f"the primer {list(primer)} holds no note; give it a pitch of {MIN_PITCH}..{MAX_PITCH}, "
            "or leave it out to begin with a random note"
        )
    return primer
