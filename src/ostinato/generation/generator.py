"""A model to play with: continue melodies, invent them, tell how likely they are."""

import logging
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ostinato.bundle import Bundle
from ostinato.encodings import Stepper
from ostinato.errors import SettingsError
from ostinato.generation.beam_search import beam_search
from ostinato.generation.network import Network, State
from ostinato.generation.sampling import Draws, RandomDraws, Sampling, log_softmax, require_at_least_1, softmax
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NOTES_PER_OCTAVE, STEPS_PER_BAR, Melody

_log = logging.getLogger(__name__)

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
        draws: Draws | None = None,
    ) -> list[Melody]:
        """Make melodies that begin with the primer.

        The primer's events are fed as they are and generation goes on from
        there: the primer [60] may be held on. Where the way back from the
        model's key leads out of the MIDI range, notes are folded in by octaves.

        Args:
            num_steps: length of each melody in 16th notes, the primer included.
            primer: the first events; without one, each melody begins with a random note of the model's range.
            temperature: above 0; below 1 for likelier melodies, above 1 for wilder ones.
            num_outputs: how many melodies, all made side by side.
            seed: a number of 0 or more, or a generator, for the same melodies again. The first melodies of a seed
                are the same however many are asked for.
            beam_size: melodies kept of each beam; see `Sampling`.
            branch_factor: continuations drawn of each.
            steps_per_iteration: events between two choices.
            draws: where choices come from, in place of the seed.

        Returns:
            `num_outputs` melodies of `num_steps` events, in the primer's metre.

        Raises:
            SettingsError: if a value is out of its range, or the primer is as long as `num_steps` or longer, holds no
                note, or holds what is no event.
        """
        sampling = Sampling(temperature, beam_size, branch_factor, steps_per_iteration)
        require_at_least_1("num_steps", num_steps)
        require_at_least_1("num_outputs", num_outputs)
        given = None if primer is None else checked_primer(primer, num_steps)
        generators = _generators(seed, num_outputs)
        openings, melodies, semitones = self._begin(given, generators, draws or RandomDraws(generators), temperature)
        continuations, _ = beam_search(
            melodies,
            num_steps - len(openings[0]),
            num_outputs=num_outputs,
            beam_size=sampling.beam_size,
            branch_factor=sampling.branch_factor,
            steps_per_iteration=sampling.steps_per_iteration,
        )
        return [
            Melody([*opening, *continuation], opening.start_step, opening.steps_per_bar)
            for opening, continuation in zip(openings, _moved(continuations, -semitones).tolist(), strict=True)
        ]

    def stream(self, primer: Events | None = None, temperature: float = 1.0, seed: Seed = None) -> Iterator[int]:
        """Make one melody without end, an event at a time, for live use.

        Args:
            primer: what to go on from; without one, the first event is a random note of the model's range.
            temperature: above 0.
            seed: as of `generate`, whose first melody goes the same way.

        Returns:
            An iterator of the events after the primer.

        Raises:
            SettingsError: if a value is out of its range, or the primer holds no note, or holds what is no event.
        """
        Sampling(temperature)
        given = None if primer is None else checked_primer(primer)
        generators = _generators(seed, 1)
        openings, melodies, semitones = self._begin(given, generators, RandomDraws(generators), temperature)

        def events() -> Iterator[int]:
            if given is None:
                yield from openings[0]
            while True:
                drawn, _ = melodies.extend()
                yield int(_moved(drawn, -semitones)[0])

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

    @cached_property
    def _exact_network(self) -> Network:
        # Over some hundred steps, rounding to float32 comes to 1e-5 in a probability.
        return Network(self.bundle, np.float64)

    def _logits_and_labels(self, melody: Events) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The logits [n, C] after each event, and the class [n] of each event."""
        squashed, _ = self._encoding.squash(_melody(melody))
        logits, _ = self._exact_network.run(self._encoding.inputs(squashed))
        return logits.astype(np.float64, copy=False), self._encoding.labels(squashed)

    def _begin(
        self, given: Melody | None, generators: Sequence[np.random.Generator], draws: Draws, temperature: float
    ) -> tuple[list[Melody], "_Growing", int]:
        """Feed an opening to as many melodies as there are generators.

        Returns:
            The opening of each, the melodies in the model's key, and the semitones that they went up into it.
        """
        network, encoding, batch_size = self._network, self._encoding, len(generators)
        if given is None:
            low, high = encoding.min_pitch, encoding.max_pitch
            notes = np.array([generator.integers(low, high) for generator in generators])
            stepper, state = encoding.stepper(batch_size, STEPS_PER_BAR), network.initial_state(batch_size)
            melodies = _Growing(network, stepper, state, notes, draws, temperature)
            return [Melody([note]) for note in notes.tolist()], melodies, 0
        squashed, semitones = encoding.squash(given)
        *fed, last = np.array(squashed.events)[:, np.newaxis]
        stepper, state = encoding.stepper(1, given.steps_per_bar), network.initial_state(1)
        if fed:
            _, state = network.run(np.concatenate([stepper.push(event) for event in fed]))
        melodies = _Growing(network, stepper, state, last, draws, temperature)
        return [given] * batch_size, melodies.select(np.zeros(batch_size, np.intp)), semitones


def checked_primer(events: Events, num_steps: int | None = None) -> Melody:
    """The events as a primer.

    Args:
        events: a melody, or a list of events.
        num_steps: of the melodies that shall begin with it, the primer included; None if they have no end.

    Raises:
        SettingsError: if they are no melody, hold no note, or fill the steps.
    """
    primer = _melody(events)
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


class _Growing:
    """Melodies that grow together, an event drawn at a time: what the search works on.

    Args:
        network: what predicts.
        stepper, state: after all events but the last.
        last: [B], the last event of each melody.
        draws: chooses the next ones.
        temperature: of the choice.
    """

    def __init__(
        self,
        network: Network,
        stepper: Stepper,
        state: State,
        last: NDArray[np.integer],
        draws: Draws,
        temperature: float,
    ) -> None:
        self._network = network
        self._stepper = stepper
        self._state = state
        self._last = last
        self._draws = draws
        self._temperature = temperature

    def extend(self) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
        """Append a drawn event to each melody; returns the events [B] and their log-likelihoods [B]."""
        logits, self._state = self._network.step(self._stepper.push(self._last), self._state)
        log_probabilities = log_softmax(logits, self._temperature)
        rows = np.arange(len(log_probabilities))
        classes = self._draws.pick(np.exp(log_probabilities))
        self._last = self._stepper.class_events()[rows, classes]
        return self._last, log_probabilities[rows, classes]

    def select(self, rows: NDArray[np.integer]) -> "_Growing":
        """The melodies at `rows`, in that order; rows may repeat."""
        return _Growing(
            self._network,
            self._stepper.select(rows),
            self._state.select(rows),
            self._last[rows],
            self._draws,
            self._temperature,
        )


def _melody(events: Events) -> Melody:
    """The events as a melody.

    Raises:
        SettingsError: if they are no list of events.
    """
    if isinstance(events, Melody):
        return events
    if not isinstance(events, (list, tuple, np.ndarray)):
        raise SettingsError(f"a melody is a list of events such as [60, -2, 62, -1], not {events!r}")
    return Melody(events)


def _generators(seed: Seed, count: int) -> list[np.random.Generator]:
    """Independent streams of random numbers; the first ones of a seed are the same whatever the count."""
    if not (
        seed is None or isinstance(seed, np.random.Generator) or (isinstance(seed, (int, np.integer)) and seed >= 0)
    ):
        raise SettingsError(f"seed must be a whole number of 0 or more, not {seed!r}")
    return np.random.default_rng(seed).spawn(count)


def _moved(events: NDArray[np.integer], semitones: int) -> NDArray[np.integer]:
    """Events with their pitches so many semitones up, and by octaves back into the MIDI range."""
    pitches = events + semitones
    low = pitches < MIN_PITCH
    high = pitches > MAX_PITCH
    folded = np.where(low, pitches % NOTES_PER_OCTAVE, pitches)
    folded = np.where(high, MAX_PITCH + 1 - NOTES_PER_OCTAVE + (pitches - MAX_PITCH - 1) % NOTES_PER_OCTAVE, folded)
    notes = events >= MIN_PITCH
    if outside := np.count_nonzero((low | high) & notes):
        _log.info("%d notes would have left the MIDI range and were moved by octaves", outside)
    return np.where(notes, folded, events)
