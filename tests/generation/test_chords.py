"""How chords guide what is drawn."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.bundle import Bundle
from ostinato.config import PRESETS, Config, Hparams
from ostinato.encodings import OneHotEncoding
from ostinato.errors import SettingsError
from ostinato.generation.chords import ChordGuide, progression_of, working_key
from ostinato.generation.model import Model
from ostinato.generation.network import Network
from ostinato.generation.options import GenerationOptions
from ostinato.generation.sampling import log_probabilities_of
from ostinato.music.chords import Progression, parse_chords
from ostinato.music.keys import transpose
from ostinato.music.melody import NO_EVENT, NOTE_OFF, Melody
from ostinato.music.meter import Meter
from ostinato.music.notes import note_spans

MakeBundle = Callable[..., Bundle]
FOUR = Meter(4, 4)
NONE = -np.inf


@pytest.fixture(scope="module")
def model(random_bundle: MakeBundle) -> Model:
    """A small model of our own encoding, which foretells the end, with random arrays."""
    return Model(random_bundle(PRESETS["ostinato"].with_hparams({"rnn_layer_sizes": (16, 16)})))


@pytest.fixture(scope="module")
def unmoved_model(random_bundle: MakeBundle) -> Model:
    return Model(random_bundle(Config("unmoved", OneHotEncoding(48, 84, None), Hparams(rnn_layer_sizes=(16,)))))


def guide(chords: tuple[tuple[int, str], ...], strength: float, events: list[int], semitones: int = 0) -> ChordGuide:
    """A guide of one melody after these events."""
    made = ChordGuide(Progression(chords), strength, FOUR, semitones, 1)
    for event in events:
        made.push(np.array([event]))
    return made


# C, D, E, held, off.
EVENTS = np.array([[60, 62, 64, NO_EVENT, NOTE_OFF]])


def lean(*args: object) -> list[float] | None:
    costs = guide(*args).lean(EVENTS)  # type: ignore[arg-type]
    return None if costs is None else np.exp(costs[0]).round(9).tolist()


def test_what_chords_cost_by_hand() -> None:
    chords = ((0, "C"), (14, "G"), (32, "N.C."))
    # On a strong beat a quarter of the odds at strength 3/4, for a note and for holding it; D is no note of C.
    assert lean(chords, 0.75, []) == [1, 0.25, 1, 1, 1]
    assert lean(chords, 0.75, [62, *[NO_EVENT] * 7]) == [1, 0.25, 1, 0.25, 1]
    assert lean(chords, 0.75, [62, NOTE_OFF, *[NO_EVENT] * 6]) == [1, 0.25, 1, 1, 1]
    # On the second and the fourth beat half of them, the square root; between the beats all.
    assert lean(chords, 0.75, [64, *[NO_EVENT] * 3]) == [1, 0.5, 1, 1, 1]
    assert lean(chords, 0.75, [64, *[NO_EVENT] * 11]) == [1, 0.5, 1, 1, 1]
    assert lean(chords, 0.75, [62]) is None
    # Where a chord begins is strong, between the beats too.
    assert lean(chords, 0.75, [60, *[NO_EVENT] * 13]) == [0.25, 1, 0.25, 0.25, 1]
    # Silence in the harmony forbids nothing.
    assert lean(chords, 0.75, [60, *[NO_EVENT] * 31]) is None
    assert lean(chords, 1, []) == [1, 0, 1, 1, 1]
    assert lean(chords, 0, []) == [1, 1, 1, 1, 1]
    # A model that works two semitones higher hears C as D.
    assert lean(chords, 0.75, [], 2) == [0.25, 1, 0.25, 1, 1]


def test_the_last_note_counts_as_on_a_strong_beat() -> None:
    made = ChordGuide(Progression(((0, "C"), (4, "G"))), 0.75, FOUR, 0, 2)
    for events in ([60, 62], [NO_EVENT, NOTE_OFF], [NO_EVENT, NO_EVENT], [NO_EVENT, NO_EVENT]):
        made.push(np.array(events))
    # The end of the fourth step is in C; D is its last note, though it is over.
    assert np.exp(made.lean_of_end()).round(9).tolist() == [1, 0.25]
    made.push(np.array([NO_EVENT, NO_EVENT]))
    assert np.exp(made.lean_of_end()).round(9).tolist() == [0.25, 1]
    assert guide(((8, "C"),), 1, [62]).lean_of_end() == 0
    assert guide(((0, "C"),), 1, [62]).lean_of_end() == [-1e6]


def test_rows_go_their_own_ways() -> None:
    made = ChordGuide(Progression(((0, "C"),)), 0.75, FOUR, 0, 2)
    for events in ([60, 62], [NO_EVENT, NO_EVENT], [NO_EVENT, NO_EVENT], [NO_EVENT, NO_EVENT]):
        made.push(np.array(events))
    costs = made.select(np.array([1, 0, 1])).lean(np.tile(EVENTS, (3, 1)))
    assert costs is not None
    assert np.exp(costs[:, 3]).round(9).tolist() == [0.5, 1, 0.5]


def test_chords_come_again_from_the_first_whole_bar_on() -> None:
    progression = progression_of(GenerationOptions(num_bars=4, chords="C | G"), upbeat=True)
    assert progression is not None
    assert progression.at(15) == (None, False)
    assert [(str(chord), begins) for chord, begins in map(progression.at, (16, 17, 32, 48, 64))] == [
        *(("C", True), ("C", False), ("G", True), ("C", True), ("G", True)),
    ]
    assert progression.track(70) == ((16, "C"), (32, "G"), (48, "C"), (64, "G"))
    # A primer's upbeat counts too; a list is taken as it is, and its last chord goes on.
    primer = Melody([NO_EVENT] * 12 + [60] * 6)
    progression = progression_of(GenerationOptions(num_bars=4, primer=primer, chords="C"), upbeat=False)
    assert progression is not None
    assert progression.track(20) == ((16, "C"),)
    progression = progression_of(GenerationOptions(num_bars=4, chords=[(4, "Am"), (8, "F")]), upbeat=True)
    assert progression is not None
    assert [str(progression.at(step)[0]) for step in (3, 4, 100)] == ["None", "Am", "F"]
    assert progression_of(GenerationOptions(num_bars=4), upbeat=False) is None
    assert progression_of(GenerationOptions(num_bars=4, chords=[]), upbeat=False) is None


def test_the_key_that_chords_are_in() -> None:
    def key(chords: str) -> str:
        progression = progression_of(GenerationOptions(num_bars=4, chords=chords), upbeat=False)
        assert progression is not None
        return str(working_key(progression))

    assert key("C | Am | F G | C") == "C major"
    assert key("Am | F | C | G") == "A minor"
    assert key("C7 | F7 | C7 | % | F7 | % | C7 | % | G7 | F7 | C7 | G7") == "C major"
    assert key("Dm7 | G7 | Cmaj7") == "C major"
    assert key("Eb | Cm7 | Ab | Bb7") == "Eb major"
    assert key("N.C.") == "C major"


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000),
    chords=st.sampled_from(["C | Am | F G | C", "Eb7 | Abm", "F#dim7", "C E7/B"]),
    meter=st.sampled_from(["4/4", "3/4", "6/8", "5/4"]),
)
def test_strict_chords_hold_on_every_beat(unmoved_model: Model, seed: int, chords: str, meter: str) -> None:
    for melody in unmoved_model.generate(
        num_bars=4, meter=meter, chords=chords, chord_strength=1, num_outputs=3, seed=seed
    ):
        progression = progression_of(GenerationOptions(num_bars=4, meter=meter, chords=chords), upbeat=False)
        assert progression is not None
        assert melody.chords == progression.track(len(melody))
        for pitch, start, end in note_spans(melody):
            for step in range(start, end):
                chord, begins = progression.at(step)
                if step % melody.meter.steps_per_beat == 0 or begins:
                    assert chord is not None
                    assert pitch % 12 in chord.pitch_classes, (melody, step)


def test_a_seed_gives_the_same_melodies_however_many(model: Model) -> None:
    asked: dict[str, Any] = {"num_bars": 4, "chords": "C | G7 | Am | F", "seed": 7}
    many = model.generate(num_outputs=5, **asked)
    assert model.generate(num_outputs=2, **asked) == many[:2]
    assert len(set(many)) > 1
    assert model.generate(num_outputs=5, **(asked | {"chords": "C | G | Am | D"})) != many


def test_chords_that_are_not_heard_change_nothing(model: Model) -> None:
    without = model.generate(num_bars=4, num_outputs=3, seed=7)
    # They begin in C, as the model does.
    unheard = model.generate(num_bars=4, num_outputs=3, seed=7, chords="C | F#7", chord_strength=0)
    assert unheard == without
    assert not any(melody.chords for melody in without)
    assert {melody.chords[:2] for melody in unheard} == {((0, "C"), (16, "F#7"))}


def test_chords_go_with_key_range_ending_and_search(model: Model) -> None:
    chords = "Dm | Gm | A7 | Dm"
    several: list[dict[str, Any]] = [
        {},
        {"ending": True},
        {"until_end": True},
        {"upbeat": True},
        {"beam_size": 2, "branch_factor": 2, "ending": False},
        {"top_k": 3, "top_p": 0.9},
        {"rank": 4},
    ]
    for more in several:
        made = model.generate(
            num_bars=5,
            chords=chords,
            chord_strength=1,
            key="D harmonic minor",
            min_note=57,
            max_note=74,
            seed=1,
            **more,
        )
        scale, tones = {2, 4, 5, 7, 9, 10, 1}, {0: {2, 5, 9}, 1: {7, 10, 2}, 2: {9, 1, 4, 7}, 3: {2, 5, 9}}
        for melody in made:
            first_bar = 1 if "upbeat" in more else 0
            for pitch, start, _ in note_spans(melody):
                assert 57 <= pitch <= 74
                assert pitch % 12 in scale
                bar = start // 16 - first_bar
                assert start % 4 or bar < 0 or pitch % 12 in tones[bar % 4]


def test_a_primer_keeps_its_chords_and_its_bars_are_filled_by_them(model: Model) -> None:
    primer = Melody(
        list(itertools.chain.from_iterable([pitch, -2, -2, -2] for pitch in [60, 64, 67, 60] * 3)),
        chords=[(0, "C"), (16, "F"), (32, "C")],
    )
    (melody,) = model.generate(primer=primer, num_bars=5, ending=False, seed=1)
    assert melody.chords == ((0, "C"), (16, "F"), (32, "C"), (48, "N.C."))
    for seed in range(5):
        (filled,) = model.generate(primer=primer, fill=(2, 2), chord_strength=1, seed=seed)
        assert filled.chords == primer.chords
        assert {pitch % 12 for pitch in filled[16:32:4] if pitch >= 0} <= {5, 9, 0}
    # Others may be asked for.
    (melody,) = model.generate(primer=primer, num_bars=5, chords="C | F", ending=False, seed=1)
    assert melody.chords == ((0, "C"), (16, "F"), (32, "C"), (48, "F"), (64, "C"))


def test_a_stream_follows_them_without_end(model: Model) -> None:
    stream = model.stream(chords="C | G", chord_strength=1, seed=3)
    events = list(itertools.islice(stream, 200))
    for step in range(0, 200, 4):
        if events[step] >= 0:
            assert events[step] % 12 in ({0, 4, 7} if step // 16 % 2 == 0 else {7, 11, 2})


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), "much", None, True])
def test_strengths_that_cannot_be(strength: object) -> None:
    with pytest.raises(SettingsError, match="chord_strength must be from 0"):
        GenerationOptions(chords="C", chord_strength=strength)  # type: ignore[arg-type]


def test_chords_that_cannot_be() -> None:
    with pytest.raises(SettingsError, match="there is no chord 'Q'"):
        GenerationOptions(chords="C | Q")
    with pytest.raises(SettingsError, match="put them in order"):
        GenerationOptions(chords=[(4, "C"), (0, "G")])


@pytest.fixture(scope="module")
def chord_model(random_bundle: MakeBundle) -> Model:
    """A small model that is told of chords, with random arrays."""
    return Model(random_bundle(PRESETS["chord_rnn"].with_hparams({"rnn_layer_sizes": (16, 16)})))


@pytest.mark.parametrize(
    "more",
    [{}, {"until_end": True}, {"upbeat": True}, {"beam_size": 2, "branch_factor": 2, "ending": False}],
)
def test_a_model_is_told_the_chords_of_the_melody_that_it_makes(chord_model: Model, more: dict[str, Any]) -> None:
    text = "D | Bm7 | G A7/C#"
    asked: dict[str, Any] = {"num_bars": 6, "chords": text, "chord_strength": 0, "seed": 5, **more}
    network, encoding = Network(chord_model.bundle, np.float64), chord_model.bundle.config.encoding
    for traced in chord_model.generate_traced(num_outputs=2, **asked):
        melody = traced.melody
        assert [name for _, name in melody.chords[:4]] == ["D", "Bm7", "G", "A7/C#"]
        # Where it ends within its last bar, it was told of the chords up to the bar line, and where nobody knew when it
        # would end, of those that would have come.
        first = 16 * ("upbeat" in more)
        chords = Progression(*parse_chords(text, FOUR), first).track(400 if "until_end" in more else first + 96)
        # The model works in C.
        heard = transpose(Melody(melody.events, meter=melody.meter, chords=chords), -2)
        logits, _ = network.run(encoding.inputs(heard))
        are_it = encoding.class_events(heard)[1:] == np.array(heard.events)[1:, np.newaxis]
        expected = log_probabilities_of(logits[:-1, : are_it.shape[1]], are_it)
        made = expected[-len(traced.steps) :]
        assert traced.log_likelihood == pytest.approx(made.sum(), abs=1e-3)
        without = network.run(encoding.inputs(Melody(heard.events, meter=heard.meter)))[0]
        assert np.abs(without - logits).max() > 0.01


def test_chords_that_a_model_is_told_decide_in_double_precision_too(chord_model: Model) -> None:
    asked: dict[str, Any] = {"num_bars": 4, "chords": "C | G7", "ending": False, "seed": 3}
    in_doubt = GenerationOptions(**asked, num_outputs=3)
    # Every draw is taken up again.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ostinato.generation.search.LOG_PROBABILITY_ERROR", 1.0)
        again = chord_model.make(in_doubt)
    assert chord_model.make(in_doubt) == again
