"""Continuations drawn side by side, of which the one is kept that what is to follow fits best.

What follows is the end of the tune, or bars that are given. A continuation is
drawn as any other, so it comes as often as the model holds it likely; of some
the one is kept after which the model holds it likeliest what is to follow.

Shapes: N outputs, K continuations of each, B = N x K of them side by side.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.generation.sampling import RandomDraws, log_probabilities_of, log_softmax
from ostinato.generation.search import DECIMALS, Growing, Watch

_log = logging.getLogger(__name__)

# More, and longer ones, bring the ends of melodies no nearer to those of tunes (docs/explanation/experiments.md).
NUM_CONTINUATIONS = 32
ENDING_BARS = 2
# A phrase. By default models learn from tunes of seven bars and more; still, where the end is drawn, one song in
# twenty would end before it is four bars long, and some after their first note.
LEAST_BARS = 4
_HEARD_AFTER_FILL = 32  # steps of what follows a gap, by which what fills it is chosen: two bars of 4/4


@dataclass(frozen=True, slots=True)
class Chosen:
    """What goes on from each of N melodies.

    Attributes:
        events: of each, as many as it goes on for.
        rows: [N], where each stood in the last batch; only told of melodies that are recorded.
        ends: [N], whether the tune ends there.
        stopped: whether they were to go on, but for a watch that asked for a stop.
    """

    events: list[NDArray[np.int64]]
    rows: NDArray[np.intp]
    ends: NDArray[np.bool_]
    stopped: bool = False


def draw_ending(
    melodies: Growing, generators: Sequence[np.random.Generator], num_steps: int, steps_per_bar: int
) -> Chosen:
    """Go on with each melody to an end within the last bar of `num_steps`.

    Args:
        melodies: N of them, of a model that foretells the end.
        generators: of each.
        num_steps: the most events to append, at least 1.
        steps_per_bar: of their meter.
    """
    melodies, children = _branched(melodies, generators)
    # Lengths at which the tune may end: no shorter than to the first step of the last bar.
    window = min(steps_per_bar, num_steps)
    events = np.empty((len(children) * NUM_CONTINUATIONS, num_steps), np.int64)
    log_ends, leans = np.empty((2, len(events), window))
    for step in range(num_steps + 1):
        logits, _ = melodies.hear()
        if step > num_steps - window:
            place = step - num_steps - 1
            leans[:, place] = melodies.lean_of_end()
            log_ends[:, place] = log_end(logits) + leans[:, place]
        if step < num_steps:
            events[:, step], _ = melodies.extend()
    rows, places = _likeliest(
        events, log_ends, melodies.slack, lambda row: log_end(melodies.exact_logits(row)[-window:]) + leans[row]
    )
    lengths = num_steps - window + 1 + places
    its = [events[row, :length] for row, length in zip(rows, lengths, strict=True)]
    return Chosen(its, rows, np.ones(len(rows), np.bool_))


def draw_until_end(
    melodies: Growing,
    generators: Sequence[np.random.Generator],
    num_steps: int,
    least_steps: int = 1,
    watch: Watch | None = None,
) -> Chosen:
    """Go on with each melody until it ends, or for `num_steps`.

    Whether it ends is drawn before each event, from random numbers of its own: the events are those that the melody
    has without an end.

    Args:
        melodies: N of them, of a model that foretells the end.
        generators: of each.
        num_steps: the most events to append, at least 1.
        least_steps: the fewest, at least 1.
        watch: asked after each step whether to go on.
    """
    uniforms = np.stack([generator.spawn(1)[0].random(num_steps + 1) for generator in generators])
    num_outputs = len(uniforms)
    events = np.empty((num_outputs, num_steps), np.int64)
    lengths = np.full(num_outputs, num_steps)
    going_on = np.ones(num_outputs, np.bool_)
    stopped = False
    for step in range(num_steps + 1):
        logits, _ = melodies.hear()
        if step >= least_steps:
            log_now = log_end(logits)
            chance = np.exp(log_now)
            for row in np.flatnonzero(going_on & (np.abs(uniforms[:, step] - chance) < melodies.slack * chance)):
                log_now[row] = log_end(melodies.exact_logits(int(row))[-1])
            over = going_on & (uniforms[:, step] < np.exp(log_now))
            lengths[over] = step
            going_on &= ~over
        if step == num_steps or not going_on.any():
            break
        events[:, step], _ = melodies.extend()
        if watch is not None and not watch(num_outputs):
            lengths[going_on] = step + 1
            stopped = True
            break
    its = [row[:length] for row, length in zip(events, lengths, strict=True)]
    if (cut := int(going_on.sum())) and not stopped:
        _log.info("%d of %d melodies did not come to an end in their bars and are cut there", cut, num_outputs)
    return Chosen(its, np.arange(num_outputs), ~going_on, stopped)


def draw_fill(
    melodies: Growing, generators: Sequence[np.random.Generator], num_steps: int, following: NDArray[np.int64]
) -> Chosen:
    """Go on with each melody for `num_steps` so that the events that follow fit.

    Args:
        melodies: N of them.
        generators: of each.
        num_steps: events to append.
        following: at least one event.
    """
    melodies, children = _branched(melodies, generators)
    events = np.empty((len(children) * NUM_CONTINUATIONS, num_steps), np.int64)
    for step in range(num_steps):
        events[:, step], _ = melodies.extend()
    heard = following[:_HEARD_AFTER_FILL]
    appended = [melodies.append(event) for event in heard.tolist()]
    log_likelihoods = np.sum([each for each, _ in appended], axis=0)[:, np.newaxis]
    are_it = np.stack([each for _, each in appended])

    def exactly(row: int) -> NDArray[np.float64]:
        logits = melodies.exact_logits(row)[-len(heard) :, : are_it.shape[2]]
        return np.array([log_probabilities_of(logits, are_it[:, row]).sum()])

    rows, _ = _likeliest(events, log_likelihoods, len(heard) * melodies.slack, exactly)
    return Chosen([events[row] for row in rows], rows, np.zeros(len(rows), np.bool_))


def log_end(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """How likely the tune is over [...], as a natural logarithm, by logits [..., C] of a model that foretells it."""
    log_probabilities: NDArray[np.float64] = log_softmax(logits)[..., -1]
    return log_probabilities


def _branched(
    melodies: Growing, generators: Sequence[np.random.Generator]
) -> tuple[Growing, list[np.random.Generator]]:
    """K of each melody, and random numbers that leave those of the generators as they are."""
    children = [generator.spawn(1)[0] for generator in generators]
    rows = np.repeat(np.arange(len(children)), NUM_CONTINUATIONS)
    return melodies.select(rows).drawing(RandomDraws(children)), children


def _likeliest(
    events: NDArray[np.int64],
    log_likelihoods: NDArray[np.float64],
    slack: float,
    exactly: Callable[[int], NDArray[np.float64]],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The best of K continuations and of W places in it, for each of N outputs; of equals the first.

    Args:
        events: [B, T].
        log_likelihoods: [B, W]; changed where double precision had to decide.
        slack: how far their differences may be off.
        exactly: from a row to its log-likelihoods [W] in double precision, asked where the slack leaves doubt.

    Returns:
        The rows [N] and the places [N].
    """
    width = log_likelihoods.shape[1]
    rows = np.arange(0, len(log_likelihoods), NUM_CONTINUATIONS)
    for first in rows.tolist():
        its = log_likelihoods[first : first + NUM_CONTINUATIONS]
        # Many are the same, an exact repeat: only the first of them counts.
        seen: set[bytes] = set()
        for log_likelihood, each in zip(its, events[first : first + NUM_CONTINUATIONS], strict=True):
            if each.tobytes() in seen:
                log_likelihood[:] = -np.inf
            seen.add(each.tobytes())
        near = its >= its.max() - slack
        if slack and near.sum() > 1:
            for row in np.flatnonzero(near.any(axis=1)):
                its[row] = exactly(first + int(row))
    chosen = log_likelihoods.round(DECIMALS).reshape(len(rows), -1).argmax(axis=1)
    return rows + chosen // width, chosen % width
