"""A model to play with: continue melodies, invent them, tell how likely they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ostinato.bundle import Bundle
from ostinato.errors import SettingsError
from ostinato.generation.beam_search import beam_search
from ostinato.generation.growing import begin
from ostinato.generation.network import Network
from ostinato.generation.sampling import Draws, Sampling, log_probabilities_of, log_softmax, require_at_least_1, softmax
from ostinato.generation.transposition import heard_events, log_folded
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, STEPS_PER_BAR, Melody

if TYPE_CHECKING:
    from ostinato.generation.trace import Recorder, Traced
    from ostinato.music.keys import Key

Events = Melody | Sequence[int] | NDArray[np.integer]
Seed = int | np.random.Generator | None


class Model:
    """A trained model.

    Melodies given to it may lie anywhere: they are moved into the model's range
    and key before it sees them, and what it makes is moved back.

    Attributes:
        bundle: settings, arrays and provenance.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._encoding = bundle.config.encoding
        self._network = Network(bundle)

    def generate(
        self,
        num_steps: int,
        primer: Events | None = None,
        temperature: float = 1.0,
        num_outputs: int = 1,
        seed: Seed = None,
        beam_size: int = 1,
        branch_factor: int = 1,
        steps_per_iteration: int = 1,
        *,
        steps_per_bar: int | None = None,
        top_k: int = 0,
        top_p: float = 1.0,
        key: str | None = None,
        min_note: int | None = None,
        max_note: int | None = None,
        draws: Draws | None = None,
    ) -> list[Melody]:
        """Make melodies that begin with the primer.

        The primer's events are fed as they are and generation goes on from
        there: the primer [60] may be held on. Where the way back from the
        model's key leads out of the MIDI range, notes are folded in by octaves.

        Key and range say what may be drawn, in terms of what is heard; the
        primer is kept as it is. A model that works in one key takes the primer to
        be in the asked one, and without a primer its melodies are moved there
        from its own, and by octaves towards the asked range.

        Args:
            num_steps: length of each melody in 16th notes, the primer included.
            primer: the first events; without one, each melody begins with a random note of the model's tonic chord.
            temperature: above 0; below 1 for likelier melodies, above 1 for wilder ones.
            num_outputs: how many melodies, all made side by side.
            seed: a number of 0 or more, or a generator, for the same melodies again. The first melodies of a seed
                are the same however many are asked for.
            beam_size: melodies kept of each beam; see `Sampling`.
            branch_factor: continuations drawn of each.
            steps_per_iteration: events between two choices.
            steps_per_bar: the metre, as the length of a bar in 16th notes: 16 in 4/4, 12 in 3/4 and 6/8. A primer that
                is a `Melody` brings its own; otherwise it is 16 where none is given.
            top_k: draw only from so many of the most probable events; 0 draws from all.
            top_p: draw only from the fewest most probable events that make up this share, above 0 to 1.
            key: draw only notes of it, such as "C", "Am" or "D dorian"; see `ostinato.music.keys.parse_key`.
            min_note: lowest MIDI pitch to draw.
            max_note: highest MIDI pitch to draw, included.
            draws: where choices come from, in place of the seed.

        Returns:
            `num_outputs` melodies of `num_steps` events, in the primer's metre.

        Raises:
            SettingsError: if a value is out of its range or contradicts another, no note could be drawn, or the primer
                is as long as `num_steps` or longer, holds no note, or holds what is no event.
        """
        sampling = _sampling(
            temperature, beam_size, branch_factor, steps_per_iteration, top_k, top_p, key, min_note, max_note
        )
        return self._search(num_steps, primer, num_outputs, seed, steps_per_bar, sampling, draws).melodies

    def generate_traced(
        self,
        num_steps: int,
        primer: Events | None = None,
        temperature: float = 1.0,
        num_outputs: int = 1,
        seed: Seed = None,
        beam_size: int = 1,
        branch_factor: int = 1,
        steps_per_iteration: int = 1,
        *,
        steps_per_bar: int | None = None,
        top_k: int = 0,
        top_p: float = 1.0,
        key: str | None = None,
        min_note: int | None = None,
        max_note: int | None = None,
        draws: Draws | None = None,
    ) -> "list[Traced]":
        """Make the melodies that `generate` makes of the same arguments, and tell how each event was chosen."""
        sampling = _sampling(
            temperature, beam_size, branch_factor, steps_per_iteration, top_k, top_p, key, min_note, max_note
        )
        found = self._search(num_steps, primer, num_outputs, seed, steps_per_bar, sampling, draws, traced=True)
        assert found.recorder
        return found.recorder.traced(found.melodies, found.primer_steps, found.rows)

    def stream(
        self,
        primer: Events | None = None,
        temperature: float = 1.0,
        seed: Seed = None,
        *,
        steps_per_bar: int | None = None,
        top_k: int = 0,
        top_p: float = 1.0,
        key: str | None = None,
        min_note: int | None = None,
        max_note: int | None = None,
    ) -> Iterator[int]:
        """Make one melody without end, an event at a time, for live use.

        Args:
            primer: what to go on from; without one, the first event is a random note of the model's tonic chord.
            temperature: above 0.
            seed: as of `generate`, whose first melody goes the same way.
            steps_per_bar: as of `generate`.
            top_k: as of `generate`.
            top_p: as of `generate`.
            key: as of `generate`.
            min_note: as of `generate`.
            max_note: as of `generate`.

        Returns:
            An iterator of the events after the primer.

        Raises:
            SettingsError: if a value is out of its range or contradicts another, no note could be drawn, or the primer
                holds no note, or holds what is no event.
        """
        sampling = _sampling(temperature, 1, 1, 1, top_k, top_p, key, min_note, max_note)
        given = _given(primer, None, steps_per_bar)
        # A stream has no end, so its past is not kept: it is computed in double precision.
        begun = begin(self._exact_network, self._encoding, given, _generators(seed, 1), sampling)

        def events() -> Iterator[int]:
            if not given:
                yield from begun.openings[0]
            while True:
                drawn, _ = begun.melodies.extend()
                log_folded(drawn, begun.semitones)
                yield int(heard_events(drawn, begun.semitones)[0])

        return events()

    def probabilities(self, melody: Events) -> NDArray[np.float32]:
        """What the model holds likely along a melody.

        Args:
            melody: n events.

        Returns:
            [n, C]: row p after event p was fed. The classes are those of the model's encoding, for the melody in the
            model's key.

        Raises:
            SettingsError: if the events are no melody.
        """
        logits, _ = self._logits_and_labels(melody)
        return softmax(logits).astype(np.float32)

    def log_likelihood(self, melody: Events) -> float:
        """How likely a melody is, as a natural logarithm, summed over its events from the second on.

        Raises:
            SettingsError: if the events are no melody.
        """
        logits, labels = self._logits_and_labels(melody)
        log_probabilities = log_softmax(logits[:-1])
        return float(log_probabilities[np.arange(len(log_probabilities)), labels[1:]].sum())

    def event_log_probabilities(self, melody: Events) -> NDArray[np.float64]:
        """How likely each event of a melody is, given those before it.

        Classes that stand for the same event ("as one bar ago" and the event
        itself) count together, so that models of different encodings compare.

        Args:
            melody: n events.

        Returns:
            [n - 1], natural logarithms: of the events from the second on.

        Raises:
            SettingsError: if the events are no melody.
        """
        squashed, _ = self._encoding.squash(_melody(melody))
        if len(squashed) < 2:
            return np.zeros(0)
        logits, _ = self._exact_network.run(self._encoding.inputs(squashed)[:-1])
        are_it = self._encoding.class_events(squashed)[1:] == np.array(squashed.events)[1:, np.newaxis]
        return log_probabilities_of(logits, are_it)

    @cached_property
    def _exact_network(self) -> Network:
        # Over some hundred steps, rounding to float32 comes to 1e-5 in a probability.
        return Network(self.bundle, np.float64)

    def _exact_logits(self, melody: Melody) -> NDArray[np.float64]:
        """The logits [C] after a melody that lies in the model's range and key."""
        logits, _ = self._exact_network.run(self._encoding.inputs(melody))
        return logits[-1].astype(np.float64, copy=False)

    def _logits_and_labels(self, melody: Events) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The logits [n, C] after each event, and the class [n] of each event."""
        squashed, _ = self._encoding.squash(_melody(melody))
        logits, _ = self._exact_network.run(self._encoding.inputs(squashed))
        return logits.astype(np.float64, copy=False), self._encoding.labels(squashed)

    def _search(
        self,
        num_steps: int,
        primer: Events | None,
        num_outputs: int,
        seed: Seed,
        steps_per_bar: int | None,
        sampling: Sampling,
        draws: Draws | None,
        *,
        traced: bool = False,
    ) -> "_Found":
        """What `generate` and `generate_traced` have in common."""
        require_at_least_1("num_steps", num_steps)
        require_at_least_1("num_outputs", num_outputs)
        given = _given(primer, num_steps, steps_per_bar)
        generators = _generators(seed, num_outputs)
        # A beam compares the likelihoods of whole melodies, which any rounding could decide.
        is_search = sampling.beam_size * sampling.branch_factor > 1
        begun = begin(
            self._exact_network if is_search else self._network,
            self._encoding,
            given,
            generators,
            sampling,
            draws,
            exact_logits=None if is_search else self._exact_logits,
            traced=traced,
        )
        continuations, _, rows = beam_search(
            begun.melodies,
            num_steps - len(begun.openings[0]),
            num_outputs=num_outputs,
            beam_size=sampling.beam_size,
            branch_factor=sampling.branch_factor,
            steps_per_iteration=sampling.steps_per_iteration,
        )
        log_folded(continuations, begun.semitones)
        heard = heard_events(continuations, begun.semitones).tolist()
        melodies = [
            Melody([*opening, *continuation], opening.start_step, opening.steps_per_bar)
            for opening, continuation in zip(begun.openings, heard, strict=True)
        ]
        return _Found(melodies, len(given), rows, begun.recorder)


@dataclass(frozen=True, slots=True)
class _Found:
    """Finished melodies.

    Attributes:
        melodies: as they are heard.
        primer_steps: how many of their first events were given.
        rows: where each stood at the last step.
        recorder: of how they grew, or None.
    """

    melodies: list[Melody]
    primer_steps: int
    rows: NDArray[np.intp]
    recorder: "Recorder | None"


def checked_primer(events: Events, num_steps: int | None = None, steps_per_bar: int | None = None) -> Melody:
    """The events as a primer.

    Args:
        events: a melody, or a list of events.
        num_steps: of the melodies that shall begin with it, the primer included; None if they have no end.
        steps_per_bar: the metre of a list; None is 4/4. A melody brings its own, which this must not contradict.

    Raises:
        SettingsError: if they are no melody, hold no note, fill the steps, or are of another metre.
    """
    if steps_per_bar is not None:
        _require_bar(steps_per_bar)
    primer = _melody(events, steps_per_bar or STEPS_PER_BAR)
    if steps_per_bar not in (None, primer.steps_per_bar):
        raise SettingsError(
            f"the primer's bars are {primer.steps_per_bar} steps long, not steps_per_bar={steps_per_bar}; leave it out"
        )
    if not primer.pitches:
        raise SettingsError(
            f"the primer {list(primer)} holds no note; give it a pitch of {MIN_PITCH}..{MAX_PITCH}, "
            "or leave it out to begin with a random note"
        )
    if num_steps is not None and len(primer) >= num_steps:
        raise SettingsError(
            f"the primer is {len(primer)} steps long but {num_steps} steps were asked for in all; "
            "ask for more, or shorten the primer"
        )
    return primer


def _sampling(
    temperature: float,
    beam_size: int,
    branch_factor: int,
    steps_per_iteration: int,
    top_k: int,
    top_p: float,
    key: str | None,
    min_note: int | None,
    max_note: int | None,
) -> Sampling:
    """The choices of a caller, checked."""
    asked_key: Key | None = None
    if key is not None:
        from ostinato.music.keys import parse_key

        asked_key = parse_key(key)
    return Sampling(
        temperature,
        beam_size,
        branch_factor,
        steps_per_iteration,
        top_k,
        top_p,
        asked_key,
        MIN_PITCH if min_note is None else min_note,
        MAX_PITCH if max_note is None else max_note,
    )


def _require_bar(steps_per_bar: int) -> None:
    from ostinato.music.meter import MAX_STEPS_PER_BAR

    require_at_least_1("steps_per_bar", steps_per_bar)
    if steps_per_bar > MAX_STEPS_PER_BAR:
        raise SettingsError(f"steps_per_bar must be at most {MAX_STEPS_PER_BAR}, not {steps_per_bar}")


def _given(primer: Events | None, num_steps: int | None, steps_per_bar: int | None) -> Melody:
    """The checked primer; without one a melody of the metre that has no events."""
    if primer is not None:
        return checked_primer(primer, num_steps, steps_per_bar)
    if steps_per_bar is None:
        return Melody(())
    _require_bar(steps_per_bar)
    return Melody((), steps_per_bar=steps_per_bar)


def _melody(events: Events, steps_per_bar: int = STEPS_PER_BAR) -> Melody:
    """The events as a melody.

    Raises:
        SettingsError: if they are no list of events.
    """
    if isinstance(events, Melody):
        return events
    if not isinstance(events, (list, tuple, np.ndarray)):
        raise SettingsError(f"a melody is a list of events such as [60, -2, 62, -1], not {events!r}")
    return Melody(events, steps_per_bar=steps_per_bar)


def _generators(seed: Seed, count: int) -> list[np.random.Generator]:
    """Independent streams of random numbers; the first ones of a seed are the same whatever the count."""
    if not (
        seed is None or isinstance(seed, np.random.Generator) or (isinstance(seed, (int, np.integer)) and seed >= 0)
    ):
        raise SettingsError(f"seed must be a whole number of 0 or more, not {seed!r}")
    return np.random.default_rng(seed).spawn(count)
