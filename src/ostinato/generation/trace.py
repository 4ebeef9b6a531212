"""Why a melody came out as it did: what was likely at each step, what repeated, where the attention looked.

Shapes: B melodies, C classes, n drawn events, A memory rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings import Encoding
from ostinato.encodings.repeats import lookbacks_of
from ostinato.generation.network import Floats
from ostinato.generation.sampling import event_probabilities, log_probabilities_of
from ostinato.generation.transposition import heard_table
from ostinato.music.melody import NO_EVENT, Melody

_NUM_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class StepTrace:
    """How one event was chosen.

    Attributes:
        step: of the melody, 0 for its first event.
        event: what was drawn, as it is heard.
        probability: of this event in the distribution that it was drawn from: after temperature, key, range, top_k and
            top_p. Classes that stand for the same event count together.
        lookback: which repeat was drawn: 0 for that of the encoding's first distance, and so on; None where the event
            was drawn by its own name, or the repeat reaches back before the melody.
        repeat_steps: that distance, in steps, or None.
        candidates: the most probable events and their probabilities, best first: up to 5, none of probability 0.
    """

    step: int
    event: int
    probability: float
    lookback: int | None
    repeat_steps: int | None
    candidates: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """A melody and how it was made.

    Attributes:
        melody: the primer and what was drawn.
        primer_steps: how many of its first events were given; 0 without a primer, whose first note is then drawn evenly
            from all that may be and has no step here.
        steps: of each of the n events that the model made, in order.
        log_likelihood: natural logarithm of how likely the model holds these n events at temperature 1, by itself: no
            key, range, top_k or top_p.
        attention: float32 [n, A], what the attention gave to each row of its memory when the event was drawn, summing
            to 1; None without attention. Column a of the row of step s is what the model remembered of step s - 1 - A
            + a: the oldest comes first, and steps below 0 are blank memory.
    """

    melody: Melody
    primer_steps: int
    steps: list[StepTrace]
    log_likelihood: float
    attention: NDArray[np.float32] | None

    @property
    def mean_log_likelihood(self) -> float:
        """`log_likelihood` for each event; 0 where there is none."""
        return self.log_likelihood / max(len(self.steps), 1)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What is kept of one step of B melodies, an attribute of `StepTrace` or `Traced` for each melody."""

    events: NDArray[np.int64]  # [B]
    classes: NDArray[np.integer]  # [B]
    probabilities: NDArray[np.float64]  # [B]
    log_likelihoods: NDArray[np.float64]  # [B]
    candidate_events: NDArray[np.int64]  # [B, 5]
    candidate_probabilities: NDArray[np.float64]  # [B, 5]
    weights: Floats | None  # [B, A]


class Recorder:
    """Writes down how melodies grow, through all the choices of a search.

    Args:
        encoding: of the model.
        attn_length: A, rows of the attention's memory; 0 without attention.
        semitones: how far above what is heard the model works.
    """

    def __init__(self, encoding: Encoding, attn_length: int, semitones: int) -> None:
        self._encoding = encoding
        self._attn_length = attn_length
        self._heard = heard_table(semitones)
        # Each step, with the rows of the step before that its rows go on from.
        self._steps: list[tuple[NDArray[np.integer] | None, _Drawn]] = []
        self._origins: NDArray[np.integer] | None = None

    def room_for_weights(self, batch_size: int) -> Floats | None:
        """[B, A], for the network to write the attention's weights to; None without attention."""
        return np.empty((batch_size, self._attn_length), np.float32) if self._attn_length else None

    def record(
        self,
        logits: NDArray[np.floating[Any]],
        drawn_from: NDArray[np.float64],
        class_events: NDArray[np.integer],
        classes: NDArray[np.integer],
        weights: Floats | None,
    ) -> None:
        """Write down a step.

        Args:
            logits: [B, C], as the network gave them.
            drawn_from: [B, C], the log-probabilities that were drawn from.
            class_events: [B, C], the model's event that each class stands for.
            classes: [B], what was drawn.
            weights: [B, A], the attention's.
        """
        rows = np.arange(len(classes))
        heard = self._heard[class_events - NO_EVENT]
        events = heard[rows, classes]
        probabilities = event_probabilities(np.exp(drawn_from), heard)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :_NUM_CANDIDATES]
        drawn = _Drawn(
            events,
            classes,
            probabilities[rows, events - NO_EVENT],
            log_probabilities_of(logits, heard == events[:, np.newaxis]),
            best + NO_EVENT,
            np.take_along_axis(probabilities, best, axis=1),
            weights,
        )
        self._steps.append((self._origins, drawn))
        self._origins = None

    def select(self, rows: NDArray[np.integer]) -> None:
        """From here on go the melodies at `rows`; rows may repeat."""
        self._origins = rows if self._origins is None else self._origins[rows]

    def traced(
        self,
        melodies: Sequence[Melody],
        primer_steps: int,
        first_step: int,
        counts: Sequence[int],
        rows: NDArray[np.integer],
    ) -> list[Traced]:
        """The finished melodies with what was written down of them.

        Args:
            melodies: as they are heard.
            primer_steps: see `Traced`.
            first_step: of each melody, the first that was drawn from the model's word.
            counts: how many of each melody's were, from there on; more may have been drawn.
            rows: where each melody stood at the last step.
        """
        drawn = list(self._back_from(rows))[::-1]
        return [
            Traced(
                melody,
                primer_steps,
                self._step_traces([(step, row[number]) for step, row in drawn[:count]], melody, first_step),
                float(sum(step.log_likelihoods[row[number]] for step, row in drawn[:count])),
                self._weights([(step, row[number]) for step, row in drawn[:count]]),
            )
            for number, (melody, count) in enumerate(zip(melodies, counts, strict=True))
        ]

    def _weights(self, drawn: Sequence[tuple[_Drawn, int]]) -> NDArray[np.float32] | None:
        """[n, A] of one melody; None without attention."""
        if not self._attn_length:
            return None
        rows = [step.weights[row] for step, row in drawn if step.weights is not None]
        return np.array(rows, np.float32).reshape(-1, self._attn_length)

    def _back_from(self, rows: NDArray[np.integer]) -> Iterator[tuple[_Drawn, NDArray[np.integer]]]:
        """Each step, the last one first, and where in it the melodies stood."""
        for origins, drawn in reversed(self._steps):
            yield drawn, rows
            if origins is not None:
                rows = origins[rows]

    def _step_traces(self, drawn: Sequence[tuple[_Drawn, int]], melody: Melody, first_step: int) -> list[StepTrace]:
        distances = repeat_distances(self._encoding, melody.steps_per_bar)
        first_repeat = self._encoding.num_classes - self._encoding.foretells_end - len(distances)
        traces = []
        for step, (taken, row) in enumerate(drawn, start=first_step):
            lookback = int(taken.classes[row]) - first_repeat
            repeats = lookback >= 0 and distances[lookback] <= step
            pairs = zip(taken.candidate_events[row].tolist(), taken.candidate_probabilities[row].tolist(), strict=True)
            traces.append(
                StepTrace(
                    step,
                    int(taken.events[row]),
                    float(taken.probabilities[row]),
                    lookback if repeats else None,
                    distances[lookback] if repeats else None,
                    tuple([pair for pair in pairs if pair[1] > 0]),
                )
            )
        return traces


def repeat_distances(encoding: Encoding, steps_per_bar: int) -> tuple[int, ...]:
    """How many steps back each repeat class of an encoding goes, the last classes that it has; () if it has none."""
    lookbacks = getattr(encoding, "lookback_distances", None)
    return () if lookbacks is None else lookbacks_of(lookbacks, steps_per_bar).distances
