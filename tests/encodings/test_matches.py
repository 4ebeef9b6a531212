"""Runs of repeats, by hand and step by step."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ostinato.encodings.matches import MAX_BARS, Matches, Matching


def test_runs_by_hand() -> None:
    # Bars of two steps: A B | A C | A B | A B.
    events = np.array([60, 62, 60, 64, 60, 62, 60, 62])
    matches = Matches.along(events, 2)
    assert matches.runs.shape == (8, MAX_BARS)
    assert matches.runs[:, :4].tolist() == [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
        [1, 1, 0, 0],  # the A, as one bar and as two bars ago
        [0, 2, 0, 0],  # and the B as two bars ago
        [1, 3, 1, 0],
        [2, 0, 2, 0],  # B as one bar ago, and as three
    ]
    assert not matches.runs[:, 4:].any()
    assert matches.alike[:, :2].tolist() == [[0, 0], [0, 0], [1, 0], [1, 0], [1, 1], [1, 2], [1, 2], [2, 1]]
    assert matches.longest.tolist() == [0, 0, 1, 0, 1, 2, 3, 2]
    # What came after the nearest of the longest; after the last step that is the A of a bar ago.
    assert matches.ahead.tolist() == [-2, -2, 62, -2, 64, 60, 64, 60]


@given(st.lists(st.sampled_from([-2, -1, 60, 62]), min_size=1, max_size=120), st.integers(1, 5))
def test_step_by_step_the_same(events: list[int], steps_per_bar: int) -> None:
    whole = Matches.along(np.array(events), steps_per_bar)
    matching = Matching(1, steps_per_bar).select(np.array([0, 0]))
    for step, event in enumerate(events):
        matches = matching.push(np.array([event, event]))
        assert matches.runs[1].tolist() == whole.runs[step].tolist()
        assert matches.alike[1].tolist() == whole.alike[step].tolist()
        assert (matches.longest[0], matches.ahead[0]) == (whole.longest[step], whole.ahead[step])
