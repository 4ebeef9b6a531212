"""Melodies that grow together, the beam search on its own with models so small that all can be told, and ranking."""

import itertools
import logging
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.bundle import Bundle
from ostinato.config import Config, Hparams
from ostinato.encodings import LookbackEncoding
from ostinato.errors import SettingsError
from ostinato.generation import search
from ostinato.generation.network import Floats, Network, State
from ostinato.generation.options import GenerationOptions
from ostinato.generation.search import ExactLogits, beam_search, begin, difference, most_likely, most_varied
from ostinato.music.melody import Melody

MakeBundle = Callable[..., Bundle]
ENCODING = LookbackEncoding(lookback_distances="bars")


@pytest.fixture(scope="module")
def network(random_bundle: MakeBundle) -> Network:
    return Network(random_bundle(Config("small", ENCODING, Hparams(rnn_layer_sizes=(8,)))))


def generators(count: int) -> list[np.random.Generator]:
    return np.random.default_rng(3).spawn(count)


def test_without_a_primer_each_begins_with_a_note_of_the_tonic_chord_in_the_meter(network: Network) -> None:
    begun = begin(network, ENCODING, GenerationOptions(steps_per_bar=12, num_outputs=50, seed=3))
    chord = [55, 60, 64, 67, 72, 76]
    assert [list(opening) for opening in begun.openings] == [[chord[one.integers(6)]] for one in generators(50)]
    assert {opening.steps_per_bar for opening in begun.openings} == {12}
    assert begun.semitones == 0


def test_a_random_note_that_may_be_drawn(network: Network) -> None:
    options = GenerationOptions(key="D", min_note=60, max_note=71, num_outputs=200)
    begun = begin(network, ENCODING, options)
    assert {opening[0] for opening in begun.openings} == {62, 66, 69}
    # The model thinks in C, two semitones lower.
    assert begun.semitones == -2


def test_a_primer_is_fed_once_and_grows_in_all(network: Network) -> None:
    primer = Melody([62, -2, 66], start_step=5, steps_per_bar=12)
    begun = begin(network, ENCODING, GenerationOptions(primer=primer, num_outputs=3, key="D", seed=3), traced=True)
    assert begun.openings == [primer] * 3
    events, log_likelihoods = begun.melodies.extend()
    assert events.shape == log_likelihoods.shape == (3,)
    assert begun.recorder
    (first, *_) = begun.recorder.traced(
        [Melody([*primer, event]) for event in events - begun.semitones], 3, 3, [1] * 3, np.arange(3)
    )
    assert first.steps[0].event == events[0] - begun.semitones


def test_notes_of_the_primer_that_could_not_be_drawn_are_kept_and_told(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    options = GenerationOptions(primer=[60, 61, 72], key="C", max_note=70)
    with caplog.at_level(logging.INFO):
        begun = begin(network, ENCODING, options)
    assert list(begun.openings[0]) == [60, 61, 72]
    assert caplog.messages == ["2 notes of the primer are not of C major within 0..70; they are kept"]


def test_a_primer_that_leaves_nothing_to_draw_is_refused(network: Network) -> None:
    with pytest.raises(
        SettingsError, match=r"makes notes of 48\.\.83 \(C3\.\.B5\), and none of them is within 0\.\.40"
    ):
        begin(network, ENCODING, GenerationOptions(primer=[60], max_note=40))


class Unsteady(Network):
    """A network whose logits are off, each time otherwise, as if a sum were rounded to three digits."""

    chance = np.random.default_rng(0)

    def step(self, inputs: Floats, state: State, weights: Floats | None = None) -> tuple[NDArray[np.float64], State]:
        logits, state = super().step(inputs, state, weights)
        return logits + self.chance.uniform(-4e-3, 4e-3, logits.shape), state


@pytest.mark.parametrize("settings", [{}, {"top_k": 4}, {"top_p": 0.7, "temperature": 0.5}, {"key": "G", "top_p": 0.9}])
def test_what_rounding_could_decide_is_decided_in_double_precision(
    random_bundle: MakeBundle, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOG_PROBABILITY_ERROR", 5e-3)
    bundle = random_bundle(Config("small", ENCODING, Hparams(rnn_layer_sizes=(8,))))
    exact, unsteady = Network(bundle, np.float64), Unsteady(bundle)
    options = GenerationOptions(primer=[67], num_outputs=100, seed=1, **settings)

    def exact_logits(melody: Melody) -> NDArray[np.float64]:
        logits: NDArray[np.float64] = exact.run(ENCODING.inputs(melody))[0]
        return logits

    def made(network: Network, exact_logits: ExactLogits | None) -> NDArray[np.int64]:
        return beam_search(begin(network, ENCODING, options, exact_logits).melodies, 100, options)[0]

    expected = made(exact, None)
    np.testing.assert_array_equal(made(unsteady, exact_logits), expected)
    # Of 10,000 draws some do fall where it matters.
    assert (made(unsteady, None) != expected).any()


def test_selected_melodies_go_on_by_themselves(network: Network) -> None:
    class Likeliest:
        def pick(self, probabilities: NDArray[np.float64], *_: object) -> NDArray[np.integer]:
            likeliest: NDArray[np.integer] = probabilities.argmax(axis=1)
            return likeliest

    begun = begin(network, ENCODING, GenerationOptions(num_outputs=4, draws=Likeliest()))
    first, _ = begun.melodies.extend()
    chosen = begun.melodies.select(np.array([3, 1]))
    rest = np.array([begun.melodies.extend()[0] for _ in range(20)])
    chosen_rest = np.array([chosen.extend()[0] for _ in range(20)])
    np.testing.assert_array_equal(chosen_rest, rest[:, [3, 1]])
    assert len(first) == 4


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
    events, scores, *_ = beam_search(
        melodies,
        rest + iterations * steps,
        GenerationOptions(num_outputs=num_outputs, branch_factor=NUM_EVENTS**steps, steps_per_iteration=steps),
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
    events, scores, rows, _ = beam_search(diary, 2, GenerationOptions(num_outputs=1, beam_size=2, branch_factor=2))
    assert diary.selected == [[0, 0, 0, 0], [2, 0, 2, 0]]
    assert events.tolist() == [[0, 1]]
    assert scores.tolist() == [-1.125]
    assert rows.tolist() == [1]


def test_the_first_iteration_takes_the_odd_steps_and_ties_go_to_the_first() -> None:
    diary = Diary(2)
    events, scores, rows, _ = beam_search(
        diary, 7, GenerationOptions(num_outputs=2, beam_size=2, branch_factor=3, steps_per_iteration=3)
    )
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
    events, *_ = beam_search(diary, 4, GenerationOptions(num_outputs=3))
    assert diary.extended == [3] * 4
    assert events.tolist() == [[0] * 4, [1] * 4, [2] * 4]


def test_no_steps_are_no_events() -> None:
    events, scores, *_ = beam_search(Diary(3), 0, GenerationOptions(num_outputs=3, beam_size=2))
    assert events.shape == (3, 0)
    assert scores.tolist() == [0, 0, 0]


SCALE = Melody([60, -2, 62, -2, 64, -2])
MELODIES = st.lists(st.lists(st.integers(-2, 127), max_size=12).map(Melody), min_size=1, max_size=6)


def test_the_likeliest_come_first_and_ties_in_order() -> None:
    assert most_likely([-2.0, -1.0, -3.0, -1.0], 3) == [1, 3, 0]
    assert most_likely([-2.0], 1) == [0]


def test_differences_worked_by_hand() -> None:
    # Moves (2, 2) twice and their one pair, whatever the key, the rests and the end.
    assert difference(SCALE, Melody([65, -1, 67, -2, 69, -1, -2, -2])) == 0
    # Half as many steps: nothing in common.
    assert difference(SCALE, Melody([60, 62, 64])) == 1
    # SCALE: (2,2) (2,2) and their pair: 3 grams. The other: (2,2) (-2,2) and their pair. One of five is in both.
    assert difference(SCALE, Melody([60, -2, 62, -2, 60])) == pytest.approx(4 / 5)
    # One note more: moves 2 of 3, pairs 1 of 2, triples 0 of 1: three of six.
    assert difference(SCALE, Melody([60, -2, 62, -2, 64, -2, 66])) == pytest.approx(1 / 2)


def test_without_moves_nothing_differs() -> None:
    assert difference(Melody([60, -2]), Melody([-2, -2])) == 0
    assert difference(Melody([60, -2]), SCALE) == 1


def test_the_most_varied_worked_by_hand() -> None:
    up, same, down, half = SCALE, Melody([50, -2, 52, -2, 54]), Melody([60, -2, 62, -2, 60]), Melody([60, 62, 64])
    assert most_varied([up, same, down, half], 1) == [0]
    # `half` differs wholly from `up`, `down` by 4/5, `same` not at all.
    assert most_varied([up, same, down, half], 4) == [0, 3, 2, 1]


@given(MELODIES, st.integers(1, 8))
def test_as_many_are_kept_as_asked_none_twice(melodies: list[Melody], count: int) -> None:
    kept = most_varied(melodies, count)
    assert len(kept) == len(set(kept)) == min(count, len(melodies))
    assert set(kept) <= set(range(len(melodies)))


@given(MELODIES)
def test_differences_are_symmetric_shares(melodies: list[Melody]) -> None:
    for melody in melodies:
        assert difference(melodies[0], melody) == difference(melody, melodies[0])
        assert 0 <= difference(melodies[0], melody) <= 1
        assert difference(melody, melody) == 0
