"""Melodies at the model's hands."""

import logging
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.bundle import Bundle
from ostinato.config import Config, Hparams
from ostinato.encodings import LookbackEncoding
from ostinato.errors import SettingsError
from ostinato.generation.growing import begin
from ostinato.generation.network import Network
from ostinato.generation.sampling import Sampling
from ostinato.music.keys import parse_key
from ostinato.music.melody import Melody

MakeBundle = Callable[..., Bundle]
ENCODING = LookbackEncoding(lookback_distances="bars")


@pytest.fixture(scope="module")
def network(random_bundle: MakeBundle) -> Network:
    return Network(random_bundle(Config("small", ENCODING, Hparams(rnn_layer_sizes=(8,)))))


def generators(count: int) -> list[np.random.Generator]:
    return np.random.default_rng(3).spawn(count)


def test_without_a_primer_each_begins_with_a_note_of_the_tonic_chord_in_the_metre(network: Network) -> None:
    begun = begin(network, ENCODING, Melody((), steps_per_bar=12), generators(50), Sampling())
    chord = [55, 60, 64, 67, 72, 76]
    assert [list(opening) for opening in begun.openings] == [[chord[one.integers(6)]] for one in generators(50)]
    assert {opening.steps_per_bar for opening in begun.openings} == {12}
    assert begun.semitones == 0


def test_a_random_note_that_may_be_drawn(network: Network) -> None:
    sampling = Sampling(key=parse_key("D"), min_note=60, max_note=71)
    begun = begin(network, ENCODING, Melody(()), generators(200), sampling)
    assert {opening[0] for opening in begun.openings} == {62, 66, 69}
    # The model thinks in C, two semitones lower.
    assert begun.semitones == -2


def test_a_primer_is_fed_once_and_grows_in_all(network: Network) -> None:
    primer = Melody([62, -2, 66], start_step=5, steps_per_bar=12)
    begun = begin(network, ENCODING, primer, generators(3), Sampling(key=parse_key("D")), traced=True)
    assert begun.openings == [primer] * 3
    events, log_likelihoods = begun.melodies.extend()
    assert events.shape == log_likelihoods.shape == (3,)
    assert begun.recorder
    (first, *_) = begun.recorder.traced(
        [Melody([*primer, event]) for event in events - begun.semitones], 3, np.arange(3)
    )
    assert first.steps[0].event == events[0] - begun.semitones


def test_notes_of_the_primer_that_could_not_be_drawn_are_kept_and_told(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    sampling = Sampling(key=parse_key("C"), max_note=70)
    with caplog.at_level(logging.INFO):
        begun = begin(network, ENCODING, Melody([60, 61, 72]), generators(1), sampling)
    assert list(begun.openings[0]) == [60, 61, 72]
    assert caplog.messages == ["2 notes of the primer are not of C major within 0..70; they are kept"]


def test_a_primer_that_leaves_nothing_to_draw_is_refused(network: Network) -> None:
    with pytest.raises(
        SettingsError, match=r"makes notes of 48\.\.83 \(C3\.\.B5\), and none of them is within 0\.\.40"
    ):
        begin(network, ENCODING, Melody([60]), generators(1), Sampling(max_note=40))


def test_selected_melodies_go_on_by_themselves(network: Network) -> None:
    class Likeliest:
        def pick(self, probabilities: NDArray[np.float64], *_: object) -> NDArray[np.integer]:
            likeliest: NDArray[np.integer] = probabilities.argmax(axis=1)
            return likeliest

    begun = begin(network, ENCODING, Melody(()), generators(4), Sampling(), Likeliest())
    first, _ = begun.melodies.extend()
    chosen = begun.melodies.select(np.array([3, 1]))
    rest = np.array([begun.melodies.extend()[0] for _ in range(20)])
    chosen_rest = np.array([chosen.extend()[0] for _ in range(20)])
    np.testing.assert_array_equal(chosen_rest, rest[:, [3, 1]])
    assert len(first) == 4
