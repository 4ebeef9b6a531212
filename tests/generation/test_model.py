"""A model at play: against Magenta's recorded runs, and by what it promises."""

import itertools
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato import memory
from ostinato.bundle import Bundle, load_bundle
from ostinato.config import PRESETS, Config, Hparams
from ostinato.encodings import LookbackEncoding, OneHotEncoding
from ostinato.errors import SettingsError
from ostinato.generation import model as model_module
from ostinato.generation.model import Model
from ostinato.generation.options import GenerationOptions
from ostinato.generation.transposition import opening_notes
from ostinato.music.keys import parse_key
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

    def pick(self, probabilities: NDArray[np.float64], *_: object) -> NDArray[np.integer]:
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


def test_without_a_primer_each_begins_with_any_note_that_begins_well(model: Model) -> None:
    firsts = {melody[0] for melody in model.generate(2, num_outputs=400, seed=0)}
    # One of at most 24 is missed by 400 draws with a chance of 1 in a million.
    assert firsts == set(opening_notes(model.bundle.config.encoding).tolist())


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

    def pick(self, probabilities: NDArray[np.float64], *_: object) -> NDArray[np.integer]:
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


def test_generation_goes_by_the_same_probabilities(unmoved_model: Model, random_bundle: MakeBundle) -> None:
    # Small weights forget what was rounded, so that no step adds more than a few roundings to a probability.
    quiet_model = Model(random_bundle(unmoved_model.bundle.config, scale=0.1))
    seen: list[NDArray[np.float64]] = []

    class Listening:
        def pick(self, probabilities: NDArray[np.float64], *_: object) -> NDArray[np.integer]:
            seen.append(probabilities[0])
            likeliest: NDArray[np.integer] = probabilities.argmax(axis=1)
            return likeliest

    (melody,) = quiet_model.generate(30, [60, 64], draws=Listening())
    np.testing.assert_allclose(np.array(seen), quiet_model.probabilities(melody)[1:-1], atol=16 * 2**-24)
    # In a search it is double precision throughout, and no weight is too large.
    seen.clear()
    (melody,) = unmoved_model.generate(30, [60, 64], beam_size=2, draws=Listening())
    np.testing.assert_allclose(np.array(seen), unmoved_model.probabilities(melody)[1:-1], atol=2**-24)


def test_a_key_moves_what_a_model_of_one_key_invents(attention_model: Model) -> None:
    options: dict[str, Any] = {"num_outputs": 5, "seed": 3}
    for first, second, up in (("C", "D", 2), ("C", "F#", -6), ("Am", "Bm", 2), ("D dorian", "G dorian", 5)):
        here = attention_model.generate(60, key=first, **options)
        there = attention_model.generate(60, key=second, **options)
        assert [[e + up if e >= 0 else e for e in melody] for melody in here] == [list(melody) for melody in there]
    assert all(melody[0] % 12 in {9, 0, 4} for melody in attention_model.generate(60, key="Am", **options))


def test_a_range_moves_what_a_model_of_one_key_invents_by_octaves(attention_model: Model) -> None:
    # From 48..83 down to 36..71, of which 36..60 is heard.
    for melody in attention_model.generate(60, min_note=36, max_note=60, num_outputs=5, seed=3):
        assert set(melody.pitches) <= set(range(36, 61))
        assert min(melody.pitches) < 48


KEYS = ["C", "Am", "D dorian", "F# minor", "Bb mixolydian", "e phrygian", "G pentatonic", "Eb blues"]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_what_is_drawn_obeys_key_range_top_k_and_seed(model: Model, data: st.DataObject) -> None:
    min_note = data.draw(st.integers(50, 62))
    options: dict[str, Any] = {
        "num_steps": 24,
        "primer": data.draw(st.sampled_from([None, [60, -2, 61], Melody([67, 69, -1], steps_per_bar=12)])),
        "num_outputs": data.draw(st.integers(1, 3)),
        "seed": data.draw(st.integers(0, 2**32)),
        "temperature": data.draw(st.sampled_from([0.01, 1.0, 3.0])),
        "top_k": data.draw(st.integers(0, 4)),
        "top_p": data.draw(st.sampled_from([0.2, 0.9, 1.0])),
        "key": data.draw(st.sampled_from([None, *KEYS])),
        "min_note": min_note,
        "max_note": min_note + data.draw(st.integers(11, 30)),
    }
    key = parse_key(options["key"]) if options["key"] else None
    traced = model.generate_traced(**options)
    assert [each.melody for each in traced] == model.generate(**options)
    for each in traced:
        for pitch in each.melody[each.primer_steps :]:
            if pitch >= 0:
                assert min_note <= pitch <= options["max_note"]
                assert key is None or pitch % 12 in key.pitch_classes
        for step in each.steps:
            if options["top_k"]:
                assert len(step.candidates) <= options["top_k"]
                assert step.event in dict(step.candidates)
                assert sum(dict(step.candidates).values()) == pytest.approx(1)


def test_of_one_candidate_the_likeliest_is_drawn(unmoved_model: Model) -> None:
    greedy = unmoved_model.generate(30, [60], seed=1, top_k=1)
    assert greedy == unmoved_model.generate(30, [60], seed=2, top_p=1e-9)
    assert greedy == unmoved_model.generate(30, [60], seed=3, temperature=1e-6)


def test_a_beam_obeys_too_and_goes_by_the_models_own_likelihood(unmoved_model: Model) -> None:
    beam: dict[str, Any] = {"beam_size": 4, "branch_factor": 4, "num_outputs": 20, "seed": 0, "key": "G", "top_k": 5}
    searched = unmoved_model.generate(24, [67], **beam)
    assert {pitch % 12 for melody in searched for pitch in melody.pitches} <= {7, 9, 11, 0, 2, 4, 6}
    drawn = unmoved_model.generate(24, [67], num_outputs=20, seed=0, key="G", top_k=5)

    def mean_likelihood(melodies: list[Melody]) -> float:
        return float(np.mean([unmoved_model.log_likelihood(melody) for melody in melodies]))

    assert mean_likelihood(searched) > mean_likelihood(drawn) + 5


def test_options_that_change_nothing_change_nothing(model: Model) -> None:
    plain = model.generate(40, [60, 64], num_outputs=3, seed=5)
    assert model.generate(40, [60, 64], num_outputs=3, seed=5, top_k=0, top_p=1.0, min_note=0, max_note=127) == plain
    assert model.generate(40, [60, 64], num_outputs=3, seed=5, steps_per_bar=16) == plain
    # All events may be drawn, by way of the filters: the same draws fall on the same classes.
    assert model.generate(40, [60, 64], num_outputs=3, seed=5, top_k=1000) == plain


def test_the_meter_is_the_primers_or_the_asked_one(random_bundle: MakeBundle) -> None:
    config = Config("by bars", LookbackEncoding(lookback_distances="bars"), Hparams(rnn_layer_sizes=(16,)))
    model = Model(random_bundle(config))
    asked = model.generate(60, [60, -2], seed=1, steps_per_bar=12)
    assert asked == model.generate(60, Melody([60, -2], steps_per_bar=12), seed=1)
    assert asked == model.generate(60, Melody([60, -2], steps_per_bar=12), seed=1, steps_per_bar=12)
    assert asked[0].steps_per_bar == 12
    assert asked[0].events != model.generate(60, [60, -2], seed=1)[0].events
    (invented,) = model.generate(60, seed=1, steps_per_bar=18)
    assert invented.steps_per_bar == 18
    assert invented.events != model.generate(60, seed=1)[0].events
    stream = model.stream([60, -2], seed=1, steps_per_bar=12)
    assert list(itertools.islice(stream, 58)) == list(asked[0][2:])


def test_a_stream_takes_the_same_options(model: Model) -> None:
    options: dict[str, Any] = {"top_k": 6, "top_p": 0.95, "key": "D", "min_note": 57, "max_note": 81}
    for primer in ([62, 66], None):
        (melody,) = model.generate(40, primer, seed=9, **options)
        rest = len(primer or ())
        assert list(itertools.islice(model.stream(primer, seed=9, **options), 40 - rest)) == list(melody[rest:])


def test_the_likelihood_of_events_adds_up_their_classes(random_bundle: MakeBundle) -> None:
    config = Config("lookback", LookbackEncoding(48, 84, None, (2, 3)), Hparams(rnn_layer_sizes=(8,)))
    model = Model(random_bundle(config))
    melody = [60, 62, 60, 62, 62, -2]
    shares = model.probabilities(melody).astype(np.float64)
    # Classes: no event, note-off, 48..83, then two and three steps ago again (no event, where that is before all).
    held, c4, d4, near, far = 0, 14, 16, 38, 39
    expected = [
        shares[0, d4],
        shares[1, c4] + shares[1, near],
        shares[2, d4] + shares[2, near],
        shares[3, d4] + shares[3, far],
        shares[4, held],
    ]
    found = model.event_log_probabilities(melody)
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-5)
    assert model.event_log_probabilities([60]).shape == (0,)
    # Before the melody's beginning stands no event, which both repeats then mean.
    assert np.exp(model.event_log_probabilities([60, -2])[0]) == pytest.approx(
        model.probabilities([60, -2])[0, [held, near, far]].sum(), rel=1e-5
    )


def test_events_are_at_least_as_likely_as_their_classes(model: Model) -> None:
    melody = Melody([60, -2, 64, -1] * 12)
    assert model.event_log_probabilities(melody).sum() >= model.log_likelihood(melody) - 1e-9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"primer": [60] * 8}, "the primer is 8 steps long but 8 steps were asked for in all; ask for more"),
        ({"primer": [60] * 9}, "the primer is 9 steps long but 8 steps"),
        ({"primer": [60, 128]}, "event 128 at step 1 of a melody is not an integer in -2..127"),
        ({"primer": [60, -3]}, "event -3 at step 1"),
        ({"primer": [60, 61.5]}, "event 61.5 at step 1"),
        ({"primer": ["C4"]}, "event 'C4' at step 0"),
        ({"primer": "sixty"}, "sixty"),
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
        ({"top_k": -1}, "top_k must be a whole number of 0 or more, not -1"),
        ({"top_p": 0.0}, "top_p must be a share above 0 and up to 1, not 0.0"),
        ({"key": "H"}, "there is no key 'H'; write a tonic and a mode"),
        ({"key": 5}, "there is no key 5"),
        ({"key": "C", "min_note": 61, "max_note": 61}, "there is no note of C major within 61..61"),
        ({"min_note": 70, "max_note": 60}, "min_note=70 lies above max_note=60"),
        ({"min_note": 100}, "makes notes of 48..83 (C3..B5), and none of them is within 100..127"),
        ({"top_k": 1, "branch_factor": 3}, "top_k=1 draws the same events in all of branch_factor=3 branches"),
        ({"steps_per_bar": 0}, "steps_per_bar must be a whole number of 1 or more, not 0"),
        ({"steps_per_bar": 5000}, "steps_per_bar must be at most 4080, not 5000"),
        ({"primer": None, "steps_per_bar": 1.5}, "steps_per_bar must be a whole number of 1 or more, not 1.5"),
        ({"primer": Melody([60]), "steps_per_bar": 12}, "the primer is in 4/4, not in 3/4; leave the meter out"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(attention_model: Model, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        attention_model.generate(**{"num_steps": 8, "primer": [60], **arguments})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arguments", [{"primer": [-2]}, {"temperature": -1}, {"seed": -1}, {"key": "H"}])
def test_a_stream_is_refused_before_it_begins(attention_model: Model, arguments: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        attention_model.stream(**arguments)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"num_outputs": 100_000_000}, "100,000,000 melodies of 128 steps .*; num_outputs"),
        ({"num_steps": 1_000_000_000}, "a melody of 1,000,000,000 steps .*; num_steps"),
        ({"num_bars": 1_000_000_000, "meter": "6/8"}, "a melody of 12,000,000,000 steps .*; num_bars"),
        ({"num_steps": 16, "beam_size": 100_000_000}, "a beam of 100,000,000 melodies .*; beam_size"),
        (
            {"num_steps": 16, "beam_size": 9_999, "branch_factor": 10_000},
            "a beam of 9,999 melodies and 10,000 continuations of each .*; branch_factor",
        ),
        ({"num_steps": 16, "rank": 100_000_000}, "100,000,000 melodies of 16 steps .*; rank"),
    ],
)
def test_more_than_memory_holds_is_refused_at_once(attention_model: Model, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=rf"{message} can be at most \d[\d,]*$") as refused:
        attention_model.generate(**asked)
    assert re.search(r"would take about [\d,.]+ GB of memory, but only [\d,.]+ GB is free", str(refused.value))


def test_a_beam_of_100_000_is_refused_where_24_gb_are_free(
    attention_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 4_000_000_000)
    with pytest.raises(SettingsError, match=r"a beam of 1,000,000 melodies would take about .* beam_size can be"):
        attention_model.generate(16, beam_size=1_000_000)


class Patience:
    """Asks for a stop after so many calls, and adds up the steps that it was told of."""

    def __init__(self, calls: int = 10**9) -> None:
        self.calls, self.steps = calls, 0

    def __call__(self, steps: int) -> bool:
        self.calls -= 1
        self.steps += steps
        return self.calls > 0


@pytest.mark.parametrize("asked", [{}, {"beam_size": 2, "branch_factor": 2}, {"rank": 11}])
def test_melodies_made_in_parts_are_those_made_at_once(
    attention_model: Model, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = GenerationOptions(24, num_outputs=7, seed=3, **asked)
    at_once = attention_model.make(options)
    monkeypatch.setattr(model_module, "_MELODIES_AT_ONCE", 3)
    watch = Patience()
    assert attention_model.make(options, watch) == at_once
    assert watch.steps == options.num_made * 23


def test_a_stop_keeps_the_melodies_that_are_finished(
    attention_model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(model_module, "_MELODIES_AT_ONCE", 3)
    options = GenerationOptions(24, num_outputs=8, seed=3)
    whole = attention_model.make(options)
    with caplog.at_level("INFO"):
        # 23 steps after the first note, for three melodies and for three more; the last two are under way.
        assert attention_model.make(options, Patience(23 + 23 + 5)) == whole[:6]
        assert caplog.messages == ["stopped: 6 of 8 melodies are finished and kept"]
        ranked = attention_model.make(replace(options, num_outputs=2, rank=8), Patience(23 + 5))
        assert len(ranked) == 2
        assert set(ranked) <= set(whole[:3])


def test_a_stop_before_a_melody_is_finished_keeps_what_there_is_of_it(
    attention_model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    options = GenerationOptions(24, num_outputs=2, seed=3)
    whole = attention_model.make(options)
    with caplog.at_level("INFO"):
        made = attention_model.make(options, Patience(5))
    assert [melody.events for melody in made] == [melody.events[:6] for melody in whole]
    assert caplog.messages == ["stopped: none of 2 melodies is finished; 2 are kept as far as they go, 6 of 24 steps"]
    (traced,) = attention_model.make_traced(GenerationOptions(24, seed=3), Patience(5))
    assert traced.melody.events == whole[0].events[:6]
