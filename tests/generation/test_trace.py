"""What is told of how melodies were made."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ostinato.bundle import Bundle
from ostinato.config import PRESETS, Config, Hparams
from ostinato.encodings import KeyEncoding, LookbackEncoding, OneHotEncoding
from ostinato.generation.model import Model
from ostinato.generation.network import Network
from ostinato.generation.trace import repeat_distances
from ostinato.music.melody import Melody

MakeBundle = Callable[..., Bundle]
BEAM: dict[str, Any] = {"beam_size": 3, "branch_factor": 3, "steps_per_iteration": 2}
FILTERS: dict[str, Any] = {"top_k": 4, "top_p": 0.9, "key": "E dorian", "min_note": 50, "max_note": 80}


@pytest.fixture(scope="module")
def repeating_model(random_bundle: MakeBundle) -> Model:
    """A model that takes melodies as they are, likes to repeat, and looks back three steps."""
    encoding = KeyEncoding(48, 84, None, lookback_distances=(3, 8))
    bundle = random_bundle(Config("repeating", encoding, Hparams(rnn_layer_sizes=(12,), attn_length=3)), scale=0.3)
    bundle.arrays["output.bias"][-2:] += 3
    return Model(bundle)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("primer", [None, [62, -2, 64, 66]])
@pytest.mark.parametrize("options", [{}, FILTERS, BEAM, {**FILTERS, **BEAM}], ids=["plain", "filters", "beam", "both"])
def test_the_traced_melodies_are_those_of_generate(
    random_bundle: MakeBundle, name: str, primer: list[int] | None, options: dict[str, Any]
) -> None:
    model = Model(random_bundle(PRESETS[name].with_hparams({"rnn_layer_sizes": (8, 8)})))
    plain = model.generate(40, primer, 0.9, 3, 7, steps_per_bar=12, **options)
    traced = model.generate_traced(40, primer, 0.9, 3, 7, steps_per_bar=12, **options)
    assert [each.melody for each in traced] == plain
    for each in traced:
        assert each.primer_steps == len(primer or ())
        first = each.primer_steps or 1
        assert [step.step for step in each.steps] == list(range(first, 40))
        assert tuple(step.event for step in each.steps) == each.melody[first:]
        for step in each.steps:
            events, probabilities = zip(*step.candidates, strict=True)
            assert list(probabilities) == sorted(probabilities, reverse=True)
            assert len(events) == len(set(events)) <= (4 if "top_k" in options else 5)
            assert 0 < sum(probabilities) <= 1 + 1e-9
            if step.event in events:
                assert step.probability == dict(step.candidates)[step.event]
            else:
                assert 0 < step.probability <= probabilities[-1]


@pytest.mark.parametrize("options", [{}, BEAM], ids=["plain", "beam"])
def test_probabilities_are_those_of_the_model(repeating_model: Model, options: dict[str, Any]) -> None:
    for each in repeating_model.generate_traced(60, [60, 62], num_outputs=4, seed=1, **options):
        expected = repeating_model.event_log_probabilities(each.melody)[1:]
        np.testing.assert_allclose([step.probability for step in each.steps], np.exp(expected), rtol=1e-3)
        assert each.log_likelihood == pytest.approx(expected.sum(), rel=1e-4)
        assert each.mean_log_likelihood == pytest.approx(expected.mean(), rel=1e-4)


def test_the_likelihood_is_the_models_own_whatever_may_be_drawn(repeating_model: Model) -> None:
    options = {**FILTERS, "top_k": 3, "temperature": 0.5}
    for each in repeating_model.generate_traced(60, [60, 62], num_outputs=4, seed=1, **options):
        expected = repeating_model.event_log_probabilities(each.melody)[1:]
        assert each.log_likelihood == pytest.approx(expected.sum(), rel=1e-4)
        drawn = np.log([step.probability for step in each.steps])
        assert drawn.sum() > expected.sum()


def test_repeats_are_told_with_their_distance(repeating_model: Model) -> None:
    traced = repeating_model.generate_traced(80, [60, -2, 64, 65, -1], num_outputs=5, seed=2)
    told = set()
    for each in traced:
        for step in each.steps:
            told.add((step.lookback, step.repeat_steps))
            if step.repeat_steps is not None:
                assert step.step >= step.repeat_steps
                assert each.melody[step.step] == each.melody[step.step - step.repeat_steps]
    assert told == {(None, None), (0, 3), (1, 8)}


def test_the_attention_looks_where_the_network_does(repeating_model: Model) -> None:
    encoding = repeating_model.bundle.config.encoding
    choices: list[dict[str, Any]] = [{}, BEAM]
    for options in choices:
        for each in repeating_model.generate_traced(20, [60, 62, -2], num_outputs=3, seed=4, **options):
            assert each.attention is not None
            assert each.attention.shape == (17, 3)
            assert each.attention.dtype == np.float32
            network = Network(repeating_model.bundle)
            state, expected = network.initial_state(1), []
            for row in encoding.inputs(each.melody)[:-1]:
                weights = np.empty((1, 3), np.float32)
                _, state = network.step(row[np.newaxis], state, weights)
                expected.append(weights[0])
            np.testing.assert_allclose(each.attention, expected[2:], atol=1e-5)


def test_blank_memory_comes_before_the_melody(random_bundle: MakeBundle) -> None:
    # The keys of blank rows are zeros: their weights are equal until the melody has filled them, oldest first.
    config = Config("looking", OneHotEncoding(48, 84, None), Hparams(rnn_layer_sizes=(6,), attn_length=4))
    (each,) = Model(random_bundle(config)).generate_traced(7, [60], seed=0)
    assert each.attention is not None
    for row, step in zip(each.attention, each.steps, strict=True):
        blank = [weight for column, weight in enumerate(row) if step.step - 1 - 4 + column < 0]
        assert len(set(blank)) <= 1
        assert len(set(row.tolist())) == min(4, step.step - 1) + bool(blank)


def test_without_attention_there_are_no_weights(random_bundle: MakeBundle) -> None:
    model = Model(random_bundle(Config("plain", OneHotEncoding(), Hparams(rnn_layer_sizes=(4,)))))
    (each,) = model.generate_traced(9, [60], seed=0)
    assert each.attention is None
    assert {(step.lookback, step.repeat_steps) for step in each.steps} == {(None, None)}


def test_one_note_has_no_trace(repeating_model: Model) -> None:
    (each,) = repeating_model.generate_traced(1, seed=0)
    assert (each.steps, each.primer_steps, each.log_likelihood, each.mean_log_likelihood) == ([], 0, 0, 0)
    assert each.attention is not None
    assert each.attention.shape == (0, 3)


def test_repeat_distances() -> None:
    assert repeat_distances(OneHotEncoding(), 16) == ()
    assert repeat_distances(LookbackEncoding(), 12) == (16, 32)
    assert repeat_distances(LookbackEncoding(lookback_distances="1,2,4 bars"), 12) == (12, 24, 48)
    assert Melody([]).steps_per_bar == 16
