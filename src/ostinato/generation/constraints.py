"""What may be drawn: the notes of a key and a range, the likeliest few events.

Shapes: B melodies, C classes. Events are counted as they are heard, and classes
that stand for the same event ("as one bar ago" and the event itself) count
together.

The filters act one after the other: key and range first, then top_k of what is
left, then top_p of that. Each leaves the odds among what it keeps as they were.
"""

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings import Encoding
from ostinato.errors import SettingsError
from ostinato.generation.sampling import Sampling, log_softmax
from ostinato.generation.transposition import heard_table
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NO_EVENT

# What cannot be told from impossible still is not: where nothing else may be drawn, it is drawn.
_LEAST_LOG_PROBABILITY = -1e300


class Constraints:
    """The filters of `Sampling`, for melodies that the model hears moved.

    No event and note-off are always allowed.

    Args:
        sampling: says what may be heard.
        encoding: of the model.
        semitones: how far above what is heard the model works.

    Attributes:
        notes: the pitches of the model that may be drawn, lowest first.

    Raises:
        SettingsError: if the model has no note that may be heard.
    """

    def __init__(self, sampling: Sampling, encoding: Encoding, semitones: int) -> None:
        self._top_k, self._top_p = sampling.top_k, sampling.top_p
        self._heard = heard_table(semitones)
        notes = self._heard >= MIN_PITCH
        self._allowed = ~notes
        self._allowed[notes] = [sampling.allows(pitch) for pitch in self._heard[notes].tolist()]
        pitches = np.arange(encoding.min_pitch, encoding.max_pitch)
        self.notes = pitches[self._allowed[pitches - NO_EVENT]]
        if not len(self.notes):
            from ostinato.music.keys import pitch_name

            reach = self._heard[pitches - NO_EVENT]
            low, high = int(reach.min()), int(reach.max())
            raise SettingsError(
                f"here the model makes notes of {low}..{high} ({pitch_name(low)}..{pitch_name(high)}), and none of "
                f"them is {sampling.allowed_notes}; widen the range, or move the primer"
            )

    def filter(
        self, log_probabilities: NDArray[np.float64], class_events: NDArray[np.integer], slack: float = 0.0
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The distribution to draw from.

        Args:
            log_probabilities: [B, C], of each class.
            class_events: [B, C], the model's event that each class stands for.
            slack: how far the odds of any set of classes may be off, as a share of them.

        Returns:
            [B, C], log-probabilities again: -inf for what may not be drawn; and [B], whether top_k or top_p could have
            kept other events within the slack.
        """
        in_doubt = np.zeros(len(class_events), np.bool_)
        kept = self._allowed[class_events - NO_EVENT]
        possible = np.maximum(log_probabilities, _LEAST_LOG_PROBABILITY)
        filtered = log_softmax(np.where(kept, possible, -np.inf))
        if self._top_k or self._top_p < 1:
            heard = self._heard[class_events - NO_EVENT]
            likeliest, in_doubt = self._likeliest(event_probabilities(np.exp(filtered), heard), slack)
            kept &= np.take_along_axis(likeliest, heard - NO_EVENT, axis=1)
            filtered = log_softmax(np.where(kept, possible, -np.inf))
        return filtered, in_doubt

    def _likeliest(
        self, probabilities: NDArray[np.float64], slack: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """[B, 130]: whether top_k and top_p keep an event; of equally probable ones the lower counts as more so.

        And [B]: whether others could be kept, were the odds off by the slack.
        """
        in_doubt = np.zeros(len(probabilities), np.bool_)
        order = np.argsort(-probabilities, axis=1, kind="stable")
        ranked = np.take_along_axis(probabilities, order, axis=1)
        if self._top_k:
            ranked[:, self._top_k :] = 0
        if self._top_p < 1:
            cumulative = np.cumsum(ranked, axis=1)
            # An event is kept while those before it do not make up the share.
            share = self._top_p * cumulative[:, -1:]
            ranked[:, 1:][cumulative[:, :-1] >= share] = 0
            in_doubt = (np.abs(cumulative - share) < slack * share * (1 - self._top_p)).any(axis=1)
        if slack:
            # Or the last event that is kept and the first that is not could change places.
            sizes = np.count_nonzero(ranked, axis=1)
            rows = np.arange(len(sizes))
            left_out = probabilities[rows, order[rows, np.minimum(sizes, ranked.shape[1] - 1)]]
            in_doubt |= ranked[rows, sizes - 1] < left_out * (1 + slack)
        likeliest = np.zeros(ranked.shape, np.bool_)
        np.put_along_axis(likeliest, order, ranked > 0, axis=1)
        return likeliest, in_doubt


def event_probabilities(probabilities: NDArray[np.float64], events: NDArray[np.integer]) -> NDArray[np.float64]:
    """Add up the classes of each event.

    Args:
        probabilities: [B, C], of the classes.
        events: [B, C], what each stands for.

    Returns:
        [B, 130], of the events -2 to 127.
    """
    size = MAX_PITCH - NO_EVENT + 1
    cells = events - NO_EVENT + size * np.arange(len(events))[:, np.newaxis]
    sums = np.bincount(cells.ravel(), weights=probabilities.ravel(), minlength=size * len(events))
    return sums.astype(np.float64, copy=False).reshape(-1, size)
