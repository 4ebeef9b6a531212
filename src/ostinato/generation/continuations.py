"""Continuations drawn side by side, of which the one is kept that what is to follow fits best.

What follows is the end of the tune, or bars that are given. A continuation is
drawn as any other, so it comes as often as the model holds it likely; then one
of them is drawn again, by how likely the model holds what is to follow. That is
sampling and importance resampling: with more and more continuations it comes to
drawing from what the model holds likely *given* what follows.

Shapes: N outputs, K continuations of each, B = N x K of them side by side.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.generation.sampling import RandomDraws, inverse_cdf, log_probabilities_of, log_softmax, softmax
from ostinato.generation.search import Growing

_log = logging.getLogger(__name__)

# More bring the ends of melodies no nearer to those of tunes; fewer do (docs/experiments.md).
NUM_CONTINUATIONS = 32
ENDING_BARS = 2
_HEARD_AFTER_FILL = 64  # steps of what follows a gap, by which what fills it is chosen: four bars of 4/4


@dataclass(frozen=True, slots=True)
class Chosen:
    """What goes on from each of N melodies.

    Attributes:
        events: of each, as many as it goes on for.
        rows: [N], where each stood in the last batch.
        ends: [N], whether the tune ends there.
    """

    events: list[NDArray[np.int64]]
    rows: NDArray[np.intp]
    ends: NDArray[np.bool_]


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
    log_ends = np.empty((len(events), window))
    for step in range(num_steps + 1):
        logits, _ = melodies.hear()
        if step > num_steps - window:
            log_ends[:, step - num_steps - 1] = log_end(logits)
        if step < num_steps:
            events[:, step], _ = melodies.extend()
    rows, places = _resampled(
        log_ends, children, melodies.slack, lambda row: log_end(melodies.exact_logits(row)[-window:])
    )
    lengths = num_steps - window + 1 + places
    its = [events[row, :length] for row, length in zip(rows, lengths, strict=True)]
    return Chosen(its, rows, np.ones(len(rows), np.bool_))


def draw_until_end(melodies: Growing, generators: Sequence[np.random.Generator], num_steps: int) -> Chosen:
    """Go on with each melody until it ends, or for `num_steps`, for at least one event.

    Whether it ends is drawn before each event, from random numbers of its own: the events are those that the melody
    has without an end.

    Args:
        melodies: N of them, of a model that foretells the end.
        generators: of each.
        num_steps: the most events to append, at least 1.
    """
    uniforms = np.stack([generator.spawn(1)[0].random(num_steps + 1) for generator in generators])
    num_outputs = len(uniforms)
    events = np.empty((num_outputs, num_steps), np.int64)
    lengths = np.full(num_outputs, num_steps)
    going_on = np.ones(num_outputs, np.bool_)
    for step in range(num_steps + 1):
        logits, _ = melodies.hear()
        if step:
            log_now = log_end(logits)
            odds = np.exp(log_now)
            for row in np.flatnonzero(np.abs(uniforms[:, step] - odds) < melodies.slack * odds):
                log_now[row] = log_end(melodies.exact_logits(int(row))[-1])
            over = going_on & (uniforms[:, step] < np.exp(log_now))
            lengths[over] = step
            going_on &= ~over
        if step == num_steps or not going_on.any():
            break
        events[:, step], _ = melodies.extend()
    its = [row[:length] for row, length in zip(events, lengths, strict=True)]
    if cut := int(going_on.sum()):
        _log.info("%d of %d melodies did not come to an end in their bars and are cut there", cut, num_outputs)
    return Chosen(its, np.arange(num_outputs), ~going_on)


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

    rows, _ = _resampled(log_likelihoods, children, len(heard) * melodies.slack, exactly)
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


def _resampled(
    log_weights: NDArray[np.float64],
    generators: Sequence[np.random.Generator],
    slack: float,
    exactly: Callable[[int], NDArray[np.float64]],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw one of K continuations and of W places in it, for each of N outputs.

    Args:
        log_weights: [B, W].
        generators: of each output.
        slack: how far the weights may be off, as a share of them.
        exactly: from a row to its log-weights [W] in double precision, asked where the slack leaves doubt.

    Returns:
        The rows [N] and the places [N].
    """
    rows, places = [], []
    for output, generator in enumerate(generators):
        first = output * NUM_CONTINUATIONS
        its = slice(first, first + NUM_CONTINUATIONS)
        uniform = np.array([generator.random()])
        drawn, in_doubt = inverse_cdf(softmax(log_weights[its].reshape(1, -1)), uniform, slack)
        if slack and in_doubt[0]:
            log_weights[its] = [exactly(row) for row in range(its.start, its.stop)]
            drawn, _ = inverse_cdf(softmax(log_weights[its].reshape(1, -1)), uniform)
        row, place = divmod(int(drawn[0]), log_weights.shape[1])
        rows.append(first + row)
        places.append(place)
    return np.array(rows), np.array(places)
