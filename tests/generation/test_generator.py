"""A model at play: against Magenta's recorded runs, and by what it promises."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.bundle import Bundle
from ostinato.bundle.files import load_bundle
from ostinato.config import PRESETS, Config, Hparams
from ostinato.encodings import OneHotEncoding
from ostinato.errors import SettingsError
from ostinato.generation.generator import Model
from ostinato.music.melody import Melody

MakeBundle = Callable[..., Bundle]
SMALL_LAYERS = {"rnn_layer_sizes": (16, 16)}


@pytest.fixture(params=PRESETS, scope="module")
def model(request: pytest.FixtureRequest, random_bundle: MakeBundle) -> Model:
    """A small model of each preset, with random arrays."""
    return Model(random_bundle(PRESETS[request.param].with_hparams(SMALL_LAYERS)))


@pytest.fixture(scope="module")
def attention_model(random_bundle: MakeBundle) -> Model:
    return Model(random_bundle(PRESETS["attention_rnn"].with_hparams(SMALL_LAYERS)))


@pytest.fixture(scope="module")
def unmoved_model(random_bundle: MakeBundle) -> Model:
    """A model that takes melodies of its range as they are; each class is an event of its own."""
    config = Config("unmoved", OneHotEncoding(48, 84, None), Hparams(rnn_layer_sizes=(16, 16), attn_length=8))
    return Model(random_bundle(config))


class Recording:
    """Magenta's draws. Its graph of a fixed batch size drew for its padding rows too."""

    def __init__(self, choices: list[int], batch_size: int) -> None:
        self.choices = np.array(choices)
        self.batch_size = batch_size

    def pick(self, probabilities: NDArray[np.float64]) -> NDArray[np.integer]:
        rows = len(probabilities)
        drawn = math.ceil(rows / self.batch_size) * self.batch_size
        picked, self.choices = self.choices[:rows], self.choices[drawn:]
        assert (probabilities[np.arange(rows), picked] > 0).all()
        return picked


def recorded_cases() -> list[Any]:
    # One bundle's graph takes one melody at a time; the others' take 16.
    return [
        pytest.param(name, batch_size, case, id=f"{name}-{case}")
        for name, batch_size in (("funkyb_attention", 1), ("gold_lookback", 16), ("gold_attention", 16))
        for case in range(6)
    ]


def replay(model: Model, case: dict[str, Any], primer: list[int], draws: Recording) -> Melody:
    names = ("num_steps", "temperature", "beam_size", "branch_factor", "steps_per_iteration")
    (melody,) = model.generate(primer=primer, draws=draws, **{name: case[name] for name in names})
    assert not len(draws.choices)
    return melody


@pytest.mark.parametrize(("name", "batch_size", "number"), recorded_cases())
def test_magentas_draws_give_magentas_events(golden_public: Path, name: str, batch_size: int, number: int) -> None:
    case = json.loads((golden_public / f"generate_{name}.json").read_text())[number]
    primer = case["primer"]
    melody = replay(
        Model(load_bundle(golden_public / f"{name}.mag")),
        case,
        primer,
        Recording(case["generate_melody_choices"], batch_size),
    )
    assert list(melody)[: len(primer)] == primer
    # Magenta gives back the primer as the model heard it, with far notes folded in; ours is the one that was given.
    assert list(melody)[len(primer) :] == case["generate_melody_events"][len(primer) :]


@pytest.mark.parametrize(("name", "batch_size", "number"), recorded_cases())
def test_magentas_draws_give_the_notes_of_its_command(
    golden_public: Path, name: str, batch_size: int, number: int
) -> None:
    case = json.loads((golden_public / f"generate_{name}.json").read_text())[number]
    model = Model(load_bundle(golden_public / f"{name}.mag"))
    # Magenta's command ends the primer and waits a step before it goes on.
    rows = max(case["beam_size"] * case["branch_factor"], batch_size)
    num_drawn = len(case["cli_choices"]) // rows
    primer = [*case["primer"], -1]
    primer += [-2] * (case["num_steps"] - num_drawn - len(primer))
    melody = replay(model, case, primer, Recording(case["cli_choices"], batch_size))
    notes = melody.to_note_sequence(qpm=case["qpm"]).notes
    given_notes = sum(event >= 0 for event in primer)
    played = [[note.pitch, note.velocity, note.start_time, note.end_time] for note in notes]
    expected = [note[:4] for note in case["cli_notes"]]
    for ours, theirs in zip(played[given_notes:], expected[given_notes:], strict=True):
        assert ours == pytest.approx(theirs)
    assert len(played) == len(expected)


def test_melodies_are_as_long_as_asked_and_begin_with_the_primer(model: Model) -> None:
    primer = Melody([60, -2, 64, -1, -2, 67], start_step=24, steps_per_bar=12)
    melodies = model.generate(40, primer, num_outputs=3, seed=1)
    assert len(melodies) == 3
    for melody in melodies:
        assert len(melody) == 40
        assert melody[:6] == primer.events
        assert (melody.start_step, melody.steps_per_bar) == (24, 12)
    assert len({melody.events for melody in melodies}) == 3


def test_a_list_is_as_good_as_a_melody(model: Model) -> None:
    melodies = [
        model.generate(20, primer, seed=3) for primer in ([60, -2], (60, -2), np.array([60, -2]), Melody([60, -2]))
    ]
    assert all(melody == melodies[0] for melody in melodies)


def test_a_seed_gives_the_same_again(model: Model) -> None:
    assert model.generate(32, [60], num_outputs=4, seed=7) == model.generate(32, [60], num_outputs=4, seed=7)
    assert model.generate(32, [60], num_outputs=4, seed=7) != model.generate(32, [60], num_outputs=4, seed=8)
    assert model.generate(32, [60]) != model.generate(32, [60])
    generator = np.random.default_rng(7)
    assert model.generate(32, [60], num_outputs=2, seed=generator) == model.generate(32, [60], num_outputs=2, seed=7)
    assert model.generate(32, [60], seed=generator) != model.generate(32, [60], seed=7)


@pytest.mark.parametrize("primer", [None, [60, 62]])
@pytest.mark.parametrize("beam", [{}, {"beam_size": 2, "branch_factor": 3, "steps_per_iteration": 2}])
def test_a_melody_does_not_depend_on_how_many_are_asked_for(
    model: Model, primer: list[int] | None, beam: dict[str, Any]
) -> None:
    ten = model.generate(24, primer, num_outputs=10, seed=5, **beam)
    assert model.generate(24, primer, num_outputs=3, seed=5, **beam) == ten[:3]


def test_without_a_primer_each_begins_with_a_note_of_the_range(model: Model) -> None:
    encoding = model.bundle.config.encoding
    firsts = {melody[0] for melody in model.generate(2, num_outputs=400, seed=0)}
    # All 36 notes are missed by 400 draws with a chance of 0.05 %; of 128, most are met.
    assert len(firsts) > 0.9 * (encoding.max_pitch - encoding.min_pitch)
    assert encoding.min_pitch <= min(firsts)
    assert max(firsts) < encoding.max_pitch


def test_one_step_without_a_primer_is_one_note(model: Model) -> None:
    (melody,) = model.generate(1, seed=0)
    assert len(melody.pitches) == len(melody) == 1


@pytest.mark.parametrize("semitones", [-36, -13, -12, -5, 1, 6, 24, 37])
def test_a_model_of_one_key_hears_every_key_alike(attention_model: Model, semitones: int) -> None:
    primer = [60, 62, 64, 65, 67, 71, -2]  # of no other key than C
    (at_home,) = attention_model.generate(40, primer, seed=0)
    (moved,) = attention_model.generate(40, [e + semitones if e >= 0 else e for e in primer], seed=0)
    difference = {b - a for a, b in zip(at_home, moved, strict=True) if a >= 0}
    assert difference == {semitones}


@pytest.mark.parametrize("primer", [[0], [127, -2, 0], [1, 3, 120]])
def test_the_way_back_stays_in_the_midi_range(attention_model: Model, primer: list[int]) -> None:
    for melody in attention_model.generate(60, primer, num_outputs=20, temperature=2, seed=0):
        assert melody[: len(primer)] == tuple(primer)
        assert min(melody.pitches) >= 0
        assert max(melody.pitches) <= 127


def test_low_temperature_is_greedy(attention_model: Model) -> None:
    cold = attention_model.generate(24, [60], temperature=1e-6, num_outputs=3, seed=0)
    assert len({melody.events for melody in cold}) == 1


def test_a_beam_makes_likelier_melodies(unmoved_model: Model) -> None:
    def mean_likelihood(**beam: Any) -> float:
        melodies = unmoved_model.generate(24, [60], num_outputs=20, seed=0, **beam)
        return float(np.mean([unmoved_model.log_likelihood(melody) for melody in melodies]))

    assert mean_likelihood(beam_size=4, branch_factor=4) > mean_likelihood() + 5


class EveryClass:
    """Branch b of the beam draws the digits of b to the base of the number of classes: all there is."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.step = 0

    def pick(self, probabilities: NDArray[np.float64]) -> NDArray[np.integer]:
        digits: NDArray[np.integer] = np.arange(len(probabilities)) // self.num_classes**self.step % self.num_classes
        self.step += 1
        return digits


def test_a_beam_of_all_branches_finds_what_an_exhaustive_search_finds(random_bundle: MakeBundle) -> None:
    # 14 classes, each an event of its own; nothing is moved to another key.
    config = Config("tiny", OneHotEncoding(60, 72, None), Hparams(rnn_layer_sizes=(4,), attn_length=2))
    model = Model(random_bundle(config, scale=1.5))
    events = [-2, -1, *range(60, 72)]
    melodies = [[65, 60, *continuation] for continuation in itertools.product(events, repeat=2)]
    likeliest = max(melodies, key=model.log_likelihood)
    (found,) = model.generate(4, [65, 60], branch_factor=14**2, steps_per_iteration=2, draws=EveryClass(14))
    assert list(found) == likeliest


def test_a_stream_goes_the_way_of_the_first_melody(model: Model) -> None:
    (melody,) = model.generate(50, [50, -2, 57], seed=11)
    assert list(itertools.islice(model.stream([50, -2, 57], seed=11), 47)) == list(melody[3:])
    (melody,) = model.generate(50, temperature=1.3, seed=12)
    assert Melody(itertools.islice(model.stream(temperature=1.3, seed=12), 50)) == melody


def test_probabilities_and_likelihood_of_a_melody(model: Model) -> None:
    encoding = model.bundle.config.encoding
    melody = Melody([90, -2, 92, -1, 90, -2, -2, 85])
    squashed, _ = encoding.squash(melody)
    probabilities = model.probabilities(melody)
    assert probabilities.shape == (8, encoding.num_classes)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(probabilities, model.probabilities(list(squashed)), atol=1e-7)
    labels = encoding.labels(squashed)
    expected = np.log(probabilities[np.arange(7), labels[1:]].astype(np.float64)).sum()
    assert model.log_likelihood(melody) == pytest.approx(expected, abs=1e-5)


@given(st.lists(st.integers(-2, 127), max_size=40))
def test_any_events_have_probabilities(attention_model: Model, events: list[int]) -> None:
    probabilities = attention_model.probabilities(events)
    assert probabilities.shape == (len(events), 40)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert attention_model.log_likelihood(events) <= 0


def test_one_event_is_as_likely_as_can_be(model: Model) -> None:
    assert model.log_likelihood([60]) == 0


def test_generation_goes_by_the_same_probabilities(unmoved_model: Model) -> None:
    seen: list[NDArray[np.float64]] = []

    class Listening:
        def pick(self, probabilities: NDArray[np.float64]) -> NDArray[np.integer]:
            seen.append(probabilities[0])
            likeliest: NDArray[np.integer] = probabilities.argmax(axis=1)
            return likeliest

    (melody,) = unmoved_model.generate(30, [60, 64], draws=Listening())
    np.testing.assert_allclose(np.array(seen), unmoved_model.probabilities(melody)[1:-1], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"primer": [60] * 8}, "the primer is 8 steps long but 8 steps were asked for in all; ask for more"),
        ({"primer": [60] * 9}, "the primer is 9 steps long but 8 steps"),
        ({"primer": [60, 128]}, "event 128 at step 1 of a melody is no integer of -2..127"),
        ({"primer": [60, -3]}, "event -3 at step 1"),
        ({"primer": [60, 61.5]}, "event 61.5 at step 1"),
        ({"primer": ["C4"]}, "event 'C4' at step 0"),
        ({"primer": "60"}, "a melody is a list of events such as"),
        ({"primer": 60}, "a melody is a list of events such as"),
        ({"primer": []}, "holds no note"),
        ({"primer": [-2, -1, -2]}, "holds no note; give it a pitch of 0..127"),
        ({"num_outputs": 0}, "num_outputs must be a whole number of 1 or more, not 0"),
        ({"num_steps": 0}, "num_steps must be a whole number of 1 or more, not 0"),
        ({"temperature": 0}, "temperature must be a number above 0, not 0"),
        ({"beam_size": 0}, "beam_size must be"),
        ({"branch_factor": -1}, "branch_factor must be"),
        ({"steps_per_iteration": 0}, "steps_per_iteration must be"),
        ({"seed": -1}, "seed must be a whole number of 0 or more, not -1"),
        ({"seed": "lucky"}, "seed must be a whole number of 0 or more, not 'lucky'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(attention_model: Model, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        attention_model.generate(**{"num_steps": 8, "primer": [60], **arguments})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arguments", [{"primer": [-2]}, {"temperature": -1}, {"seed": -1}])
def test_a_stream_is_refused_before_it_begins(attention_model: Model, arguments: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        attention_model.stream(**arguments)
