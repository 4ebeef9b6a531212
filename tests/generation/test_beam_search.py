"""The search on its own, with models so small that all of their melodies can be told."""

import itertools
from collections.abc import Sequence
from typing import Self

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.generation.beam_search import beam_search

NUM_EVENTS = 3


class Chain:
    """Markov chains, one an output, whose branches are all ways to go on.

    `log_probabilities[output, last event, event]`; a melody is (its output, its last event). Branch b of an
    iteration draws the digits of b to the base NUM_EVENTS, the lowest first.
    """

    def __init__(
        self, log_probabilities: NDArray[np.float64], output: NDArray[np.intp], last: NDArray[np.intp]
    ) -> None:
        self.log_probabilities = log_probabilities
        self.output = output
        self.last = last
        self.branch = np.arange(len(last))

    def extend(self) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
        before, self.last = self.last, self.branch % NUM_EVENTS
        self.branch = self.branch // NUM_EVENTS
        return self.last, self.log_probabilities[self.output, before, self.last]

    def select(self, rows: NDArray[np.integer]) -> Self:
        return type(self)(self.log_probabilities, self.output[rows], self.last[rows])


def chains(seed: int, num_outputs: int) -> Chain:
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(NUM_EVENTS), (num_outputs, NUM_EVENTS))
    return Chain(np.log(probabilities), np.arange(num_outputs), np.zeros(num_outputs, np.intp))


def log_likelihood(log_probabilities: NDArray[np.float64], events: Sequence[int], last: int = 0) -> float:
    return float(sum(log_probabilities[before, event] for before, event in itertools.pairwise((last, *events))))


@settings(deadline=None)
@given(
    seed=st.integers(0, 1000),
    num_outputs=st.integers(1, 3),
    iterations=st.integers(1, 3),
    steps=st.integers(1, 4),
    rest=st.integers(0, 3),
)
def test_each_iteration_finds_the_likeliest_of_all_ways_to_go_on(
    seed: int, num_outputs: int, iterations: int, steps: int, rest: int
) -> None:
    # A beam of one, and a branch for each way: with one iteration it is the likeliest melody there is.
    rest = min(rest, steps - 1)
    melodies = chains(seed, num_outputs)
    events, scores, _ = beam_search(
        melodies,
        rest + iterations * steps,
        num_outputs=num_outputs,
        branch_factor=NUM_EVENTS**steps,
        steps_per_iteration=steps,
    )
    for output, table in enumerate(melodies.log_probabilities):
        found, last = events[output].tolist(), 0
        assert scores[output] == pytest.approx(log_likelihood(table, found))
        for length in [rest] * (rest > 0) + [steps] * iterations:
            way, found = found[:length], found[length:]
            ways = itertools.product(range(NUM_EVENTS), repeat=length)
            assert log_likelihood(table, way, last) == pytest.approx(max(log_likelihood(table, w, last) for w in ways))
            last = way[-1]


class Diary:
    """Writes down what the search does. Row r draws event r, which is likely as told: one list for each step."""

    def __init__(self, batch_size: int, log_likelihoods: list[list[float]] | None = None) -> None:
        self.batch_size = batch_size
        self.log_likelihoods = log_likelihoods
        self.extended: list[int] = []
        self.selected: list[list[int]] = []

    def extend(self) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
        self.extended.append(self.batch_size)
        likely = self.log_likelihoods.pop(0) if self.log_likelihoods else [0.0] * self.batch_size
        return np.arange(self.batch_size), np.array(likely)

    def select(self, rows: NDArray[np.integer]) -> Self:
        self.selected.append(rows.tolist())
        self.batch_size = len(rows)
        return self


def test_a_beam_worked_by_hand() -> None:
    # At first rows 2 and 0 are likeliest; in the end it is row 1, which goes on from row 0: -1 - 0.125.
    # A beam of one would have gone on from row 2 alone.
    diary = Diary(1, [[-1, -2, -0.5, -3], [-2, -0.125, -3, -1]])
    events, scores, rows = beam_search(diary, 2, num_outputs=1, beam_size=2, branch_factor=2)
    assert diary.selected == [[0, 0, 0, 0], [2, 0, 2, 0]]
    assert events.tolist() == [[0, 1]]
    assert scores.tolist() == [-1.125]
    assert rows.tolist() == [1]


def test_the_first_iteration_takes_the_odd_steps_and_ties_go_to_the_first() -> None:
    diary = Diary(2)
    events, scores, rows = beam_search(diary, 7, num_outputs=2, beam_size=2, branch_factor=3, steps_per_iteration=3)
    assert diary.extended == [12] * 7
    # One, three and three steps; both outputs have six rows, of which the first two are kept.
    first, *later = diary.selected
    assert first == [0] * 6 + [1] * 6
    assert later == [[0, 1, 0, 1, 0, 1, 6, 7, 6, 7, 6, 7]] * 2
    assert events.tolist() == [[0] * 7, [6] * 7]
    assert scores.tolist() == [0, 0]
    assert rows.tolist() == [0, 6]


def test_without_branches_melodies_are_only_drawn() -> None:
    diary = Diary(3)
    events, _, _ = beam_search(diary, 4, num_outputs=3)
    assert diary.extended == [3] * 4
    assert events.tolist() == [[0] * 4, [1] * 4, [2] * 4]


def test_no_steps_are_no_events() -> None:
    events, scores, _ = beam_search(Diary(3), 0, num_outputs=3, beam_size=2)
    assert events.shape == (3, 0)
    assert scores.tolist() == [0, 0, 0]
