"""A model to play with: continue melodies, invent them, tell how likely they are."""

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from ostinato.bundle import Bundle
from ostinato.errors import SettingsError
from ostinato.generation.network import Network
from ostinato.generation.options import DEFAULT_MOST_BARS, DEFAULT_STEPS, Events, GenerationOptions, as_melody
from ostinato.generation.sampling import log_probabilities_of, log_softmax, softmax
from ostinato.generation.search import Begun, Growing, Watch, beam_search, begin, most_likely, most_varied
from ostinato.generation.transposition import heard_events, log_folded
from ostinato.music.melody import Melody, MelodyList

if TYPE_CHECKING:
    from ostinato.generation.continuations import Chosen
    from ostinato.generation.trace import Recorder, Traced

# Of a melody that becomes a MIDI file, and on top of it of one whose draws are kept: at least what was measured, and at
# most four times as much.
_BYTES_AN_EVENT, _BYTES_A_TRACED_EVENT = 300, 500
_BYTES_A_GROWING_EVENT = 24  # of each melody side by side: the event, and what may be gone through again
_BYTES_A_GENERATOR = 3_000
# More side by side would be no faster, and take more memory.
_MELODIES_AT_ONCE = 1_000
# Those that are brought to an end, or filled, are so many times as many for their last steps: 4,096 take some 0.3 GB.
_NUM_CONTINUATIONS = 32
_CONTINUED_AT_ONCE = 128

_log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


def _by_keywords(
    method: "Callable[[Model, GenerationOptions], R]", options: Callable[P, GenerationOptions]
) -> "Callable[Concatenate[Model, P], R]":
    """A method that takes the fields of `GenerationOptions` as its arguments."""

    def asked(model: "Model", /, *args: P.args, **keywords: P.kwargs) -> R:
        return method(model, options(*args, **keywords))

    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    asked.__signature__ = inspect.Signature([itself, *inspect.signature(options).parameters.values()])  # type: ignore[attr-defined]
    asked.__doc__ = f"`{method.__name__}` with the fields of `GenerationOptions` as arguments."
    return asked


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

    def __repr__(self) -> str:
        layers = ", ".join(map(str, self.bundle.config.hparams.rnn_layer_sizes))
        description = self.bundle.provenance.get("description")
        return f"<Model {self.bundle.config.name}, layers of {layers}{f': {description}' if description else ''}>"

    def make(self, options: GenerationOptions, watch: Watch | None = None) -> MelodyList:
        """Make melodies.

        The primer's events are fed as they are and generation goes on from
        there: the primer [60] may be held on. Where the way back from the
        model's key leads out of the MIDI range, notes are folded in by octaves.

        Args:
            options: what to make.
            watch: told how it goes on. If it asks for a stop, there are as many melodies as are finished; if none is,
                those that are under way, as far as they go.

        Returns:
            `num_outputs` melodies of `num_steps` events, in the primer's meter.

        Raises:
            SettingsError: if no note could be drawn, the melodies are to have no end, or memory does not hold them.
        """
        if options.ranks_by_likelihood:
            return MelodyList(each.melody for each in self.make_traced(options, watch))
        made, primer_steps, _ = self._all(options, traced=False, watch=watch)
        return MelodyList(made[place] for place in _kept(made, primer_steps, options))

    def make_traced(self, options: GenerationOptions, watch: Watch | None = None) -> "list[Traced]":
        """Make the melodies that `make` makes, and tell how each event was chosen."""
        made, primer_steps, traced = self._all(options, traced=True, watch=watch)
        if options.ranks_by_likelihood:
            places = most_likely([each.mean_log_likelihood for each in traced], options.num_outputs)
        else:
            places = _kept(made, primer_steps, options)
        return [traced[place] for place in places]

    def make_stream(self, options: GenerationOptions) -> Iterator[int]:
        """Make one melody without end, an event at a time, for live use.

        Returns:
            An iterator of the events after the primer, as the first melody of `make` has them.

        Raises:
            SettingsError: if no note could be drawn, or the options ask for more than one melody drawn event by event.
        """
        if options.num_steps is not None or options.num_made > 1 or options.is_search:
            raise SettingsError("a stream is one melody without end, drawn event by event; see GenerationOptions")
        # A stream has no end, so its past is not kept: it is computed in double precision.
        begun = begin(self._exact_network, self._encoding, options)

        def events() -> Iterator[int]:
            if options.primer is None:
                yield from begun.openings[0]
            while True:
                drawn, _ = begun.melodies.extend()
                log_folded(drawn, begun.semitones)
                yield int(heard_events(drawn, begun.semitones)[0])

        return events()

    generate = _by_keywords(make, GenerationOptions)
    generate_traced = _by_keywords(make_traced, GenerationOptions)

    stream = _by_keywords(make_stream, functools.partial(GenerationOptions, None))

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
        squashed, _ = self._encoding.squash(as_melody(melody))
        if len(squashed) < 2:
            return np.zeros(0)
        logits, _ = self._exact_network.run(self._encoding.inputs(squashed)[:-1])
        are_it = self._encoding.class_events(squashed)[1:] == np.array(squashed.events)[1:, np.newaxis]
        return log_probabilities_of(logits[:, : are_it.shape[1]], are_it)

    def end_probabilities(self, melody: Events) -> NDArray[np.float64]:
        """How likely the model holds it that a tune is over, after each of a melody's n events: [n].

        Raises:
            SettingsError: if the events are no melody, or the model has not learned where tunes end.
        """
        if not self._encoding.foretells_end:
            raise SettingsError(f"{self.bundle.config.name} has not learned where tunes end; take another model")
        logits, _ = self._logits_and_labels(melody)
        probabilities: NDArray[np.float64] = softmax(logits)[:, -1]
        return probabilities

    @functools.cached_property
    def _exact_network(self) -> Network:
        # Over some hundred steps, rounding to float32 comes to 1e-5 in a probability.
        return Network(self.bundle, np.float64)

    def _exact_logits(self, melody: Melody) -> NDArray[np.float64]:
        """The logits [n, C] after each event of a melody that lies in the model's range and key."""
        logits, _ = self._exact_network.run(self._encoding.inputs(melody))
        return logits

    def _logits_and_labels(self, melody: Events) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The logits [n, C] after each event, and the class [n] of each event."""
        squashed, _ = self._encoding.squash(as_melody(melody))
        logits, _ = self._exact_network.run(self._encoding.inputs(squashed))
        return logits.astype(np.float64, copy=False), self._encoding.labels(squashed)

    def _all(
        self, options: GenerationOptions, *, traced: bool, watch: Watch | None
    ) -> "tuple[list[Melody], int, list[Traced]]":
        """All melodies that are made, those that ranking leaves out too.

        Returns:
            The melodies, how many of their first events were given, and how each was made; nothing if not `traced`.
        """
        at_once = self._require_memory(options, traced=traced)
        generators = options.generators()
        have_upbeat = self._have_upbeat(options, generators)
        melodies: dict[int, Melody] = {}
        traces: dict[int, Traced] = {}
        primer_steps = 0
        for upbeat, places in _parts(have_upbeat, at_once):
            some = replace(options, num_outputs=len(places), rank=None, upbeat=None)
            if upbeat:
                bars = (DEFAULT_MOST_BARS if options.num_bars is None else options.num_bars) + 1
                some = replace(some, num_bars=bars, num_steps=DEFAULT_STEPS)
            found = self._search(
                some, [generators[place] for place in places], upbeat=upbeat, traced=traced, watch=watch
            )
            if found.stopped:
                _log.info("stopped: %s", _what_is_kept(len(melodies), options.num_made, found, some.num_steps))
                if melodies:
                    break
            melodies.update(zip(places, found.melodies, strict=True))
            primer_steps = found.primer_steps
            if found.recorder:
                counts = [len(events) for events in found.made]
                of_these = found.recorder.traced(found.melodies, primer_steps, found.first_step, counts, found.rows)
                traces.update(zip(places, of_these, strict=True))
            if found.stopped:
                break
        return (
            [melodies[place] for place in sorted(melodies)],
            primer_steps,
            [traces[place] for place in sorted(traces)],
        )

    def _require_memory(self, options: GenerationOptions, *, traced: bool) -> int:
        """Refuse a wider beam, longer melodies or more of them than there is memory for.

        Returns:
            How many outputs to make at a time.

        Raises:
            SettingsError: if they would not fit; it says how much would.
        """
        from ostinato.memory import require_memory

        steps = options.num_steps or 0
        network = self._exact_network if options.is_search else self._network
        is_continued = options.fill or (self._choice_of_last(options, None) and not options.until_end)
        growing = network.bytes_per_melody + steps * _BYTES_A_GROWING_EVENT
        if is_continued:
            growing *= _NUM_CONTINUATIONS
        # An event is a number in some lists and arrays, and later half a note with its bytes in a file.
        finished = _BYTES_A_GENERATOR + steps * (_BYTES_AN_EVENT + traced * _BYTES_A_TRACED_EVENT)
        length = ("num_steps", steps) if options.num_bars is None else ("num_bars", options.num_bars)
        require_memory(growing + finished, f"a melody of {steps:,} steps", *length)
        beam, branches = options.beam_size, options.branch_factor
        widest = ("beam_size", beam) if beam >= branches else ("branch_factor", branches)
        each = "" if branches == 1 else f" and {branches:,} continuations of each"
        melodies = "1 melody" if beam == 1 else f"{beam:,} melodies"
        require_memory(beam * branches * growing + finished, f"a beam of {melodies}{each}", *widest)
        most = max(1, _MELODIES_AT_ONCE // (beam * branches))
        at_once = min(options.num_made, most, _CONTINUED_AT_ONCE if is_continued else most)
        if options.draws:  # draws that are given come in the order of all melodies
            at_once = options.num_made
        number = ("num_outputs", options.num_outputs) if options.rank is None else ("rank", options.rank)
        require_memory(
            at_once * beam * branches * growing + options.num_made * finished,
            f"{options.num_made:,} melodies of {steps:,} steps",
            *number,
        )
        return at_once

    def _have_upbeat(self, options: GenerationOptions, generators: list[np.random.Generator]) -> NDArray[np.bool_]:
        """Which melodies begin with an upbeat."""
        data = self.bundle.provenance.get("data")
        share = data.get("upbeats", 0.0) if isinstance(data, dict) else 0.0
        if options.upbeat is not None:
            share = float(options.upbeat)
        if options.primer is not None or options.draws is not None or not options.is_in_bars or not share:
            return np.zeros(len(generators), np.bool_)
        # From random numbers of their own: the draws stay what they are.
        return np.array([generator.spawn(1)[0].random() < share for generator in generators])

    def _search(
        self,
        options: GenerationOptions,
        generators: list[np.random.Generator],
        *,
        upbeat: bool,
        traced: bool,
        watch: Watch | None,
    ) -> "_Found":
        """Melodies that all begin with an upbeat, or all without."""
        if options.num_steps is None:
            raise SettingsError("num_steps is None: only a stream has no end")
        # A beam compares the likelihoods of whole melodies, which any rounding could decide.
        network, exact_logits = (
            (self._exact_network, None) if options.is_search else (self._network, self._exact_logits)
        )
        choose_last = self._choice_of_last(options, watch)
        begun = begin(
            network, self._encoding, options, exact_logits, generators=generators, upbeat=upbeat, traced=traced
        )
        given = len(begun.openings[0])
        num_steps = (options.fill_steps[1] if options.fill else options.num_steps) - given
        num_last = min(num_steps, choose_last.num_steps) if choose_last else 0
        num_first = num_steps - num_last
        continuations, _, rows, melodies = beam_search(begun.melodies, num_first, options, watch)
        stopped = continuations.shape[1] < num_first
        last = None
        if choose_last and num_last and not stopped:
            last = choose_last.choose(melodies.select(rows), begun, num_last)
            stopped = last.stopped
            if watch is not None and not options.until_end:
                watch(len(rows) * num_last)
        made = list(continuations)
        if last:
            made = [np.concatenate(parts) for parts in zip(made, last.events, strict=True)]
        log_folded(np.concatenate(made), begun.semitones)
        after = options.opening[options.fill_steps[1] :] if options.fill else ()
        ends = last.ends if last else np.zeros(len(made), np.bool_)
        melodies_heard = [
            Melody(
                [*opening, *heard_events(events, begun.semitones).tolist(), *after],
                opening.start_step,
                meter=opening.meter,
                ends=bool(it_ends) or (options.fill is not None and options.opening.ends),
                chords=begun.progression.track(len(opening) + len(events) + len(after)) if begun.progression else (),
            )
            for opening, events, it_ends in zip(begun.openings, made, ends, strict=True)
        ]
        # Without anything given, the first note is a random one.
        primer_steps = options.fill_steps[0] if options.fill else given if options.primer is not None else 0
        return _Found(melodies_heard, primer_steps, given, made, last.rows if last else rows, begun.recorder, stopped)

    def _choice_of_last(self, options: GenerationOptions, watch: Watch | None) -> "_LastSteps | None":
        """How the last steps are chosen, where they are not simply drawn.

        Raises:
            SettingsError: if an end is asked for that the model cannot foretell.
        """
        can_end = self._encoding.foretells_end
        ends_by_default = options.ending is None and options.num_bars is not None and can_end
        if not (options.fill or options.until_end or options.ending or ends_by_default):
            return None
        # Most melodies are drawn to their last step.
        from ostinato.generation.continuations import (
            ENDING_BARS,
            LEAST_BARS,
            draw_ending,
            draw_fill,
            draw_until_end,
        )

        if options.fill:
            return _LastSteps(
                lambda melodies, begun, num_steps: draw_fill(melodies, begun.generators, num_steps, begun.following)
            )
        if not can_end:
            raise SettingsError(
                f"{self.bundle.config.name} has not learned where tunes end; take another model, or leave out "
                + ("until_end" if options.until_end else "ending")
            )
        steps_per_bar = options.opening.steps_per_bar
        if options.until_end:
            return _LastSteps(
                lambda melodies, begun, num_steps: draw_until_end(
                    melodies,
                    begun.generators,
                    num_steps,
                    max(1, LEAST_BARS * steps_per_bar - len(begun.openings[0])),
                    watch,
                )
            )
        return _LastSteps(
            lambda melodies, begun, num_steps: draw_ending(melodies, begun.generators, num_steps, steps_per_bar),
            ENDING_BARS * steps_per_bar,
        )


@dataclass(frozen=True, slots=True)
class _LastSteps:
    """How the last steps of melodies are chosen: what does it, and how many they are at most."""

    choose: "Callable[[Growing, Begun, int], Chosen]"
    num_steps: int = sys.maxsize


@dataclass(frozen=True, slots=True)
class _Found:
    """Finished melodies.

    Attributes:
        melodies: as they are heard.
        primer_steps: how many of their first events were given.
        first_step: the first that was drawn from the model's word.
        made: the events that were, of each.
        rows: where each stood at the last step.
        recorder: of how they grew, or None.
        stopped: whether they were stopped before they were finished.
    """

    melodies: list[Melody]
    primer_steps: int
    first_step: int
    made: list[NDArray[np.int64]]
    rows: NDArray[np.intp]
    recorder: "Recorder | None"
    stopped: bool


def _parts(have_upbeat: NDArray[np.bool_], at_once: int) -> Iterator[tuple[bool, list[int]]]:
    """Which melodies are made together: those without an upbeat and then those with one, so many at a time."""
    for upbeat in (False, True):
        places = np.flatnonzero(have_upbeat == upbeat).tolist()
        for first in range(0, len(places), at_once):
            yield upbeat, places[first : first + at_once]


def _what_is_kept(finished: int, asked: int, found: _Found, num_steps: int | None) -> str:
    """What there is when the making of melodies is stopped, in words."""
    if finished:
        return f"{finished:,} of {asked:,} melodies are finished and kept"
    steps = max(map(len, found.melodies))
    return (
        f"none of {asked:,} melodies is finished; {len(found.melodies):,} are kept as far as they go, "
        f"{steps:,} of {num_steps:,} steps"
    )


def _kept(melodies: list[Melody], primer_steps: int, options: GenerationOptions) -> list[int]:
    """The places of the melodies that are handed on where likelihood does not decide."""
    if options.rank is None:
        return list(range(len(melodies)))
    return most_varied([Melody(melody[primer_steps:]) for melody in melodies], options.num_outputs)
