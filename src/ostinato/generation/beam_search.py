"""Search for likely melodies: draw branches, keep the best.

It is Magenta's beam search, done for all outputs at once. The rows of the
batch are the melodies of all beams, those of one output side by side.
"""

from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

# Of the log-likelihoods that are compared: double precision keeps 10 of them over thousands of steps.
_DECIMALS = 6


class Melodies(Protocol):
    """What the search needs of a model at work on a batch of melodies."""

    def extend(self) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
        """Append a drawn event to each melody; returns the events [B] and their log-likelihoods [B]."""
        ...

    def select(self, rows: NDArray[np.integer]) -> Self:
        """The melodies at `rows`, in that order, as a batch of their own; rows may repeat."""
        ...


def beam_search(
    melodies: Melodies,
    num_steps: int,
    *,
    num_outputs: int,
    beam_size: int = 1,
    branch_factor: int = 1,
    steps_per_iteration: int = 1,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.intp]]:
    """Continue melodies by the likeliest of many drawn continuations.

    Each output begins with `beam_size` copies of its melody. An iteration
    continues every melody of a beam `branch_factor` times by
    `steps_per_iteration` drawn events, and keeps the `beam_size` likeliest. The
    first iteration takes the steps that do not divide evenly.

    Args:
        melodies: a batch of `num_outputs`.
        num_steps: events to append to each.
        num_outputs: beams that are searched side by side.
        beam_size: melodies kept of each beam.
        branch_factor: continuations of each of them.
        steps_per_iteration: events between two choices.

    Returns:
        The events of the likeliest melody of each beam, [num_outputs, num_steps],
        their summed log-likelihoods [num_outputs], and in which row of the last
        batch each of them stood [num_outputs].
    """
    if branch_factor == 1:
        # As many melodies are kept as there are: no choice falls before the end.
        steps_per_iteration = max(num_steps, 1)
    outputs = np.arange(num_outputs)[:, np.newaxis]
    events = np.empty((num_outputs, num_steps), np.int64)
    kept = np.zeros((num_outputs, beam_size), np.intp)  # places within each output's rows
    scores = np.zeros((num_outputs, beam_size))
    rows_per_output = 1
    done = 0
    while done < num_steps:
        # The branches of a beam stand round by round, as Magenta has them.
        kept, scores = np.tile(kept, branch_factor), np.tile(scores, branch_factor)
        rows = (outputs * rows_per_output + kept).ravel()
        melodies, events = melodies.select(rows), events[rows]
        rows_per_output = beam_size * branch_factor
        for _ in range((num_steps - done - 1) % steps_per_iteration + 1):
            events[:, done], log_likelihoods = melodies.extend()
            scores += log_likelihoods.reshape(scores.shape)
            done += 1
        # Stable, and blind to what rounding does, so that the earlier of two equally likely ones is kept.
        kept = np.argsort(-scores.round(_DECIMALS), axis=1, kind="stable")[:, :beam_size]
        scores = np.take_along_axis(scores, kept, axis=1)
    rows = outputs[:, 0] * rows_per_output + kept[:, 0]
    return events[rows], scores[:, 0], rows
