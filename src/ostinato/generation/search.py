"""Melodies that grow together, and the search for likely or varied ones among them.

The network works in single precision, where a sum of products comes out a little
different with the number of melodies side by side and with the processor. A
random number that falls so near to the line between two events that this could
decide is taken up again in double precision, from the melody's beginning: one in
10,000 is. So a melody depends neither on its neighbors nor on the machine.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings import Encoding, Stepper
from ostinato.encodings.chords import LOOKAHEAD_STEPS
from ostinato.generation.network import Floats, Network, State
from ostinato.generation.options import GenerationOptions
from ostinato.generation.sampling import Constraints, Draws, RandomDraws, log_probabilities_of, log_softmax
from ostinato.generation.transposition import heard_events, opening_notes, primer_into_model, semitones_without_primer
from ostinato.music.melody import MIN_PITCH, NO_EVENT, Melody
from ostinato.music.meter import Meter

if TYPE_CHECKING:
    from ostinato.generation.chords import ChordGuide
    from ostinato.generation.trace import Recorder
    from ostinato.music.chords import ChordTrack, Progression

_log = logging.getLogger(__name__)

# How far single precision may take log-probabilities from what double precision makes of them. If all of a set's are
# off by this, its probability is off by up to 5e-6. Along 256 steps it was off by at most 5e-7 with each built-in
# model, and by 5e-6 with the bundle of Magenta's whose weights are the largest at hand. More would cost time: as it is,
# one draw in 10,000 falls so near to a line.
LOG_PROBABILITY_ERROR = 1e-5
# Of the log-likelihoods that a search compares: double precision keeps 10 of them over thousands of steps.
DECIMALS = 6
_LONGEST_GRAM = 3  # moves, which is four notes

_Grams = Counter[tuple[tuple[int, int], ...]]

ExactLogits = Callable[[Melody], NDArray[np.float64]]
"""From a melody of n events as the model hears it to the logits [n, C] after each, in double precision."""


Watch = Callable[[int], bool]
"""Called as melodies grow, with how many steps were made since, of all of them together; says whether to go on."""


class Replay:
    """What came before in B melodies, to be gone through again in double precision.

    Args:
        exact_logits: goes through one melody.
        meter: of the melodies.
        chords: beside each, as the model hears them; None if none are known.
        events: [B] for each step.
    """

    def __init__(
        self,
        exact_logits: ExactLogits,
        meter: Meter,
        chords: "Progression | None" = None,
        events: Sequence[NDArray[np.integer]] = (),
    ) -> None:
        self._exact_logits = exact_logits
        self._meter = meter
        self._chords = chords
        self._events = list(events)

    def push(self, events: NDArray[np.integer]) -> None:
        """Append one event to each melody."""
        self._events.append(events)

    def logits(self, row: int) -> NDArray[np.float64]:
        """The logits [n, C] after each of a melody's n events."""
        events = [int(events[row]) for events in self._events]
        chords: ChordTrack = ()
        if self._chords is not None:
            chords = self._chords.track(len(events) + LOOKAHEAD_STEPS + 1)
        return self._exact_logits(Melody(events, meter=self._meter, chords=chords))

    def select(self, rows: NDArray[np.integer]) -> "Replay":
        """The melodies at `rows`, in that order; rows may repeat."""
        return Replay(self._exact_logits, self._meter, self._chords, [events[rows] for events in self._events])


class _Drawing:
    """One step of B melodies between the network's word and the draw.

    Args:
        temperature: of the choice.
        constraints: what may be chosen; None for all.
        replay: what can tell the logits in double precision; None where they are.
        logits: [B, C]; changed where double precision had to decide.
        class_events: [B, C].
        lean: [B, C], what chords add to the log-probabilities; None for nothing.

    Attributes:
        log_probabilities: [B, C], at the temperature.
        drawn_from: [B, C], as logarithms: what the constraints leave of them.
    """

    log_probabilities: NDArray[np.float64]
    drawn_from: NDArray[np.float64]

    def __init__(
        self,
        temperature: float,
        constraints: Constraints | None,
        replay: Replay | None,
        logits: NDArray[np.float64],
        class_events: NDArray[np.int64],
        lean: NDArray[np.float64] | None = None,
    ) -> None:
        self._temperature, self._constraints, self._replay = temperature, constraints, replay
        self._logits, self._class_events, self._lean = logits, class_events, lean

    def settle(self, slack: float) -> None:
        """Find the distributions; what the slack leaves open about the constraints, double precision decides."""
        self.log_probabilities = self.drawn_from = log_softmax(self._logits, self._temperature)
        if self._constraints is not None:
            self.drawn_from, in_doubt = self._constraints.filter(
                self.log_probabilities, self._class_events, slack, self._lean
            )
            if slack and in_doubt.any():
                self.exactly(np.flatnonzero(in_doubt))

    def exactly(self, rows: NDArray[np.integer]) -> NDArray[np.float64]:
        """The probabilities [R, C] to draw from of some rows, once they are computed in double precision."""
        assert self._replay is not None
        self._logits[rows] = [self._replay.logits(row)[-1, : self._logits.shape[1]] for row in rows]
        lean = None if self._lean is None else self._lean[rows]
        there = _Drawing(self._temperature, self._constraints, None, self._logits[rows], self._class_events[rows], lean)
        there.settle(0.0)
        self.log_probabilities[rows], self.drawn_from[rows] = there.log_probabilities, there.drawn_from
        return np.exp(there.drawn_from)


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
        replay: of all events but the last; None for a network of double precision, which leaves nothing in doubt.
        guide: what chords make of the next event, told of all events but the last; None without chords.
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
        replay: Replay | None = None,
        guide: "ChordGuide | None" = None,
    ) -> None:
        self._network = network
        self._stepper = stepper
        self._state = state
        self._last = last
        self._draws = draws
        self._temperature = temperature
        self._constraints = constraints
        self._recorder = recorder
        self._replay = replay
        self._guide = guide
        self._heard: tuple[NDArray[np.float64], Floats | None] | None = None

    def extend(self) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
        """Append a drawn event to each melody; returns the events [B] and their log-likelihoods [B]."""
        logits, weights = self._heard or self.hear()
        class_events = self._stepper.class_events()
        # The end of the tune, where it has a class, is no event: what is drawn is how the tune goes on.
        logits = logits[:, : class_events.shape[1]]
        slack = self.slack / self._temperature
        lean = self._guide.lean(class_events) if self._guide else None
        step = _Drawing(self._temperature, self._constraints, self._replay, logits, class_events, lean)
        step.settle(slack)
        classes = self._draws.pick(np.exp(step.drawn_from), slack, step.exactly)
        rows = np.arange(len(classes))
        self._last = class_events[rows, classes]
        self._heard = None
        if self._recorder:
            self._recorder.record(logits, step.drawn_from, class_events, classes, weights)
        return self._last, step.log_probabilities[rows, classes]

    def append(self, event: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Append a given event to each; returns its log-likelihoods [B] and which classes stand for it [B, C]."""
        logits, _ = self._heard or self.hear()
        are_it = self._stepper.class_events() == event
        self._last = np.full(len(logits), event)
        self._heard = None
        return log_probabilities_of(logits[:, : are_it.shape[1]], are_it), are_it

    def exact_logits(self, row: int) -> NDArray[np.float64]:
        """The logits [n, C] after each event of a melody that was fed, in double precision."""
        assert self._replay is not None
        return self._replay.logits(row)

    def hear(self) -> tuple[NDArray[np.float64], Floats | None]:
        """Feed the last event; returns the logits [B, C] of what may follow, and the attention's weights [B, A]."""
        weights = self._recorder.room_for_weights(len(self._last)) if self._recorder else None
        logits, self._state = self._network.step(self._stepper.push(self._last), self._state, weights)
        if self._replay is not None:
            self._replay.push(self._last)
        if self._guide is not None:
            self._guide.push(self._last)
        self._heard = logits, weights
        return self._heard

    def lean_of_end(self) -> NDArray[np.float64] | float:
        """What chords add to the log-probabilities [B] that the tune ends here, after `hear`."""
        return self._guide.lean_of_end() if self._guide else 0.0

    @property
    def is_recorded(self) -> bool:
        """Whether it is written down how the melodies grow."""
        return self._recorder is not None

    @property
    def slack(self) -> float:
        """How far the odds of any events may be off at temperature 1, as a share of them."""
        return 0.0 if self._replay is None else 2 * LOG_PROBABILITY_ERROR

    def drawing(self, draws: Draws) -> Self:
        """The same melodies, from here on drawn otherwise. This one is spent."""
        self._draws = draws
        return self

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
            self._replay.select(rows) if self._replay else None,
            self._guide.select(rows) if self._guide else None,
        )


@dataclass(frozen=True, slots=True)
class Begun:
    """Melodies after their opening.

    Attributes:
        openings: the first events of each, as they are heard.
        melodies: at the model's hands.
        semitones: how far above what is heard the model works.
        recorder: of how they grow, or None.
        generators: random numbers of each.
        following: what comes after the gap that is to be filled, as the model hears it; nothing without one.
        progression: the chords beside them, or None.
    """

    openings: list[Melody]
    melodies: Growing
    semitones: int
    recorder: "Recorder | None"
    generators: list[np.random.Generator]
    following: NDArray[np.int64]
    progression: "Progression | None" = None


def begin(
    network: Network,
    encoding: Encoding,
    options: GenerationOptions,
    exact_logits: ExactLogits | None = None,
    *,
    generators: list[np.random.Generator] | None = None,
    upbeat: bool = False,
    traced: bool = False,
) -> Begun:
    """Feed the opening to the model.

    Args:
        network: of the model.
        encoding: of the model.
        options: what to make; without a primer each melody begins with one of `opening_notes`, or with an upbeat.
        exact_logits: what decides where single precision could not; None for a network of double precision.
        generators: of each melody's random numbers; by default those of the options.
        upbeat: begin with half a bar of silence, so that the model makes an upbeat.
        traced: write down how the melodies are made.

    Raises:
        SettingsError: if no note could be drawn.
    """
    whole, key = options.opening, options.parsed_key
    progression = guide = None
    guided = False
    if options.has_chords:
        from ostinato.generation.chords import ChordGuide, as_told, guides, progression_of, working_key

        progression, guided = progression_of(options, upbeat=upbeat), guides(options)
    if upbeat:
        whole = replace(whole, events=(NO_EVENT,) * (whole.steps_per_bar // 2))
    fed = whole
    # What comes after a gap tells the key as well.
    given = whole if options.fill is None else replace(whole, events=whole[: options.fill_steps[0]], ends=False)
    if whole.pitches:
        fed, semitones = primer_into_model(whole, encoding, key)
        if outside := sum(not options.allows(pitch) for pitch in given.pitches):
            which = "1 note of the primer is" if outside == 1 else f"{outside} notes of the primer are"
            kept = "it is" if outside == 1 else "they are"
            _log.info("%s not %s; %s kept", which, options.allowed_notes, kept)
    else:
        key = key or (working_key(progression) if progression and guided else None)
        semitones = semitones_without_primer(encoding, key, *options.note_range)
    constraints = Constraints(options, encoding, semitones) if options.is_constrained else None
    recorder = None
    if traced:
        from ostinato.generation.trace import Recorder

        recorder = Recorder(encoding, network.attn_length, semitones)
    generators = options.generators() if generators is None else generators
    # A primer is fed once, for all melodies.
    batch_size = 1 if given else len(generators)
    told = as_told(progression, options, semitones) if progression and encoding.num_chord_inputs else None
    stepper = encoding.stepper(batch_size, given.meter, [told] if told else ())
    state = network.initial_state(batch_size)
    replay = Replay(exact_logits, given.meter, told) if exact_logits else None
    if progression and guided:
        guide = ChordGuide(progression, options.chord_strength, given.meter, semitones, batch_size)
    if given:
        *earlier, last = np.array(fed.events)[: len(given), np.newaxis]
        if earlier:
            _, state = network.run(np.concatenate([stepper.push(event) for event in earlier]))
        for event in earlier:
            if replay:
                replay.push(event)
            if guide:
                guide.push(event)
        openings = [given] * len(generators)
    else:
        chord = progression.at(0)[0] if progression else None
        notes = opening_notes(encoding, constraints.notes if constraints else None, key, semitones, chord)
        last = np.array([notes[generator.integers(len(notes))] for generator in generators])
        firsts = heard_events(last, semitones).tolist()
        openings = [Melody([note], meter=given.meter) for note in firsts]
    draws = options.draws or RandomDraws(generators)
    melodies = Growing(network, stepper, state, last, draws, options.temperature, constraints, recorder, replay, guide)
    if given:
        melodies = melodies.select(np.zeros(len(generators), np.intp))
    following = np.array(fed.events[options.fill_steps[1] :]) if options.fill else np.array([], np.int64)
    return Begun(openings, melodies, semitones, recorder, generators, following, progression)


class Melodies(Protocol):
    """What the search needs of a model at work on a batch of melodies."""

    def extend(self) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
        """Append a drawn event to each melody; returns the events [B] and their log-likelihoods [B]."""
        ...

    def select(self, rows: NDArray[np.integer]) -> Self:
        """The melodies at `rows`, in that order, as a batch of their own; rows may repeat."""
        ...


M = TypeVar("M", bound=Melodies)


def beam_search(
    melodies: M, num_steps: int, options: GenerationOptions, watch: Watch | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.intp], M]:
    """Continue melodies by the likeliest of many drawn continuations.

    It is Magenta's beam search, done for all outputs at once. The rows of the
    batch are the melodies of all beams, those of one output side by side.

    Each output begins with `beam_size` copies of its melody. An iteration
    continues every melody of a beam `branch_factor` times by
    `steps_per_iteration` drawn events, and keeps the `beam_size` likeliest. The
    first iteration takes the steps that do not divide evenly.

    Args:
        melodies: a batch of one for each beam.
        num_steps: events to append to each.
        options: beam_size, branch_factor and steps_per_iteration, and how many beams to search side by side.
        watch: asked after each step whether to go on.

    Returns:
        Of the N beams the events of the likeliest melody, [N, num_steps] or, if it was stopped, fewer, its
        summed log-likelihood [N], in which row of the last batch it stood [N], and that batch.
    """
    num_beams, beam_size, branch_factor = options.num_made, options.beam_size, options.branch_factor
    # With one branch as many melodies are kept as there are: no choice falls before the end.
    steps_per_iteration = max(num_steps, 1) if branch_factor == 1 else options.steps_per_iteration
    outputs = np.arange(num_beams)[:, np.newaxis]
    events = np.empty((num_beams, num_steps), np.int64)
    kept = np.zeros((num_beams, beam_size), np.intp)  # places within each output's rows
    scores = np.zeros((num_beams, beam_size))
    rows_per_output = 1
    done, goes_on = 0, True
    while done < num_steps and goes_on:
        # The branches of a beam stand round by round, as Magenta has them.
        kept, scores = np.tile(kept, branch_factor), np.tile(scores, branch_factor)
        rows = (outputs * rows_per_output + kept).ravel()
        melodies, events = melodies.select(rows), events[rows]
        rows_per_output = beam_size * branch_factor
        for _ in range((num_steps - done - 1) % steps_per_iteration + 1):
            events[:, done], log_likelihoods = melodies.extend()
            scores += log_likelihoods.reshape(scores.shape)
            done += 1
            if watch is not None and not watch(num_beams):
                goes_on = False
                break
        # Stable, and blind to what rounding does, so that the earlier of two equally likely ones is kept.
        kept = np.argsort(-scores.round(DECIMALS), axis=1, kind="stable")[:, :beam_size]
        scores = np.take_along_axis(scores, kept, axis=1)
    rows = outputs[:, 0] * rows_per_output + kept[:, 0]
    return events[rows, :done], scores[:, 0], rows, melodies


def most_likely(mean_log_likelihoods: Sequence[float], count: int) -> list[int]:
    """The places of the melodies that a model holds likeliest, the likeliest first; of equals the earlier."""
    places = range(len(mean_log_likelihoods))
    return sorted(places, key=lambda place: -mean_log_likelihoods[place])[:count]


def most_varied(melodies: Sequence[Melody], count: int) -> list[int]:
    """The places of melodies that differ much from each other.

    It begins with the first one. Then comes, again and again, the one whose
    nearest neighbor among those kept is furthest; of equals the earlier.
    """
    grams = [_grams(melody) for melody in melodies]
    kept = [0]
    nearest = [_distance(grams[0], other) for other in grams]
    while len(kept) < min(count, len(melodies)):
        chosen = max((place for place in range(len(melodies)) if place not in kept), key=nearest.__getitem__)
        kept.append(chosen)
        nearest = [min(near, _distance(grams[chosen], other)) for near, other in zip(nearest, grams, strict=True)]
    return kept


def difference(one: Melody, other: Melody) -> float:
    """How much two melodies differ, from 0 to 1, wherever they lie.

    A melody is taken as its moves from note to note: the interval in semitones
    and the steps from start to start. Runs of one, two and three moves are
    counted in both melodies, and compared by the weighted Jaccard distance: 1 -
    (what both have) / (what either has).
    """
    return _distance(_grams(one), _grams(other))


def _grams(melody: Melody) -> _Grams:
    notes = [(step, event) for step, event in enumerate(melody) if event >= MIN_PITCH]
    moves = [(to - pitch, end - start) for (start, pitch), (end, to) in pairwise(notes)]
    return Counter(
        tuple(moves[at : at + length])
        for length in range(1, _LONGEST_GRAM + 1)
        for at in range(len(moves) - length + 1)
    )


def _distance(one: _Grams, other: _Grams) -> float:
    either = (one | other).total()
    return 1 - (one & other).total() / either if either else 0.0
