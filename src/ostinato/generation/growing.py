"""Melodies that grow together, an event drawn at a time."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings import Encoding, Stepper
from ostinato.generation.constraints import Constraints
from ostinato.generation.network import Network, State
from ostinato.generation.sampling import Draws, RandomDraws, Sampling, log_softmax
from ostinato.generation.transposition import heard_events, opening_notes, primer_into_model, semitones_without_primer
from ostinato.music.melody import Melody

if TYPE_CHECKING:
    from ostinato.generation.trace import Recorder

_log = logging.getLogger(__name__)


class Growing:
    """B melodies at the model's hands: what `beam_search` works on.

    Args:
        network: what predicts.
        stepper, state: after all events but the last.
        last: [B], the last event of each melody.
        draws: chooses the next ones.
        temperature: of the choice.
        constraints: what may be chosen; None for all.
        recorder: writes down how each was chosen; None for nobody.
    """

    def __init__(
        self,
        network: Network,
        stepper: Stepper,
        state: State,
        last: NDArray[np.integer],
        draws: Draws,
        temperature: float,
        constraints: Constraints | None = None,
        recorder: "Recorder | None" = None,
    ) -> None:
        self._network = network
        self._stepper = stepper
        self._state = state
        self._last = last
        self._draws = draws
        self._temperature = temperature
        self._constraints = constraints
        self._recorder = recorder

    def extend(self) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
        """Append a drawn event to each melody; returns the events [B] and their log-likelihoods [B]."""
        batch_size = len(self._last)
        weights = self._recorder.room_for_weights(batch_size) if self._recorder else None
        logits, self._state = self._network.step(self._stepper.push(self._last), self._state, weights)
        class_events = self._stepper.class_events()
        log_probabilities = drawn_from = log_softmax(logits, self._temperature)
        if self._constraints:
            drawn_from = self._constraints.filter(log_probabilities, class_events)
        rows = np.arange(batch_size)
        classes = self._draws.pick(np.exp(drawn_from))
        self._last = class_events[rows, classes]
        if self._recorder:
            self._recorder.record(logits, drawn_from, class_events, classes, weights)
        return self._last, log_probabilities[rows, classes]

    def select(self, rows: NDArray[np.integer]) -> Self:
        """The melodies at `rows`, in that order; rows may repeat."""
        if self._recorder:
            self._recorder.select(rows)
        return type(self)(
            self._network,
            self._stepper.select(rows),
            self._state.select(rows),
            self._last[rows],
            self._draws,
            self._temperature,
            self._constraints,
            self._recorder,
        )


@dataclass(frozen=True, slots=True)
class Begun:
    """Melodies after their opening.

    Attributes:
        openings: the first events of each, as they are heard.
        melodies: at the model's hands.
        semitones: how far above what is heard the model works.
        recorder: of how they grow, or None.
    """

    openings: list[Melody]
    melodies: Growing
    semitones: int
    recorder: "Recorder | None"


def begin(
    network: Network,
    encoding: Encoding,
    given: Melody,
    generators: Sequence[np.random.Generator],
    sampling: Sampling,
    draws: Draws | None = None,
    *,
    traced: bool = False,
) -> Begun:
    """Feed an opening to the model.

    Args:
        network: of the model.
        encoding: of the model.
        given: the primer; one without events lets each melody begin with one of `opening_notes`, in its metre.
        generators: random numbers, one for each melody.
        sampling: how the melodies shall go on.
        draws: where choices come from, in place of the generators.
        traced: write down how they are made.

    Raises:
        SettingsError: if no note could be drawn.
    """
    if given:
        fed, semitones = primer_into_model(given, encoding, sampling.key)
        if outside := sum(not sampling.allows(pitch) for pitch in given.pitches):
            _log.info("%d notes of the primer are not %s; they are kept", outside, sampling.allowed_notes)
    else:
        semitones = semitones_without_primer(encoding, sampling.key, sampling.min_note, sampling.max_note)
    constraints = Constraints(sampling, encoding, semitones) if sampling.is_constrained else None
    recorder = None
    if traced:
        from ostinato.generation.trace import Recorder

        recorder = Recorder(encoding, network.attn_length, semitones)
    # A primer is fed once, for all melodies.
    batch_size = 1 if given else len(generators)
    stepper, state = encoding.stepper(batch_size, given.steps_per_bar), network.initial_state(batch_size)
    if given:
        *earlier, last = np.array(fed.events)[:, np.newaxis]
        if earlier:
            _, state = network.run(np.concatenate([stepper.push(event) for event in earlier]))
        openings = [given] * len(generators)
    else:
        notes = opening_notes(encoding, constraints.notes if constraints else None, sampling.key, semitones)
        last = np.array([notes[generator.integers(len(notes))] for generator in generators])
        firsts = heard_events(last, semitones).tolist()
        openings = [Melody([note], steps_per_bar=given.steps_per_bar) for note in firsts]
    melodies = Growing(
        network, stepper, state, last, draws or RandomDraws(generators), sampling.temperature, constraints, recorder
    )
    if given:
        melodies = melodies.select(np.zeros(len(generators), np.intp))
    return Begun(openings, melodies, semitones, recorder)
