"""Ends, and gaps that are filled: by a model whose word is known, and by a small network."""

from collections.abc import Callable
from typing import Any, Self, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.bundle import Bundle
from ostinato.config import Config, Hparams
from ostinato.encodings import BarEncoding
from ostinato.errors import SettingsError
from ostinato.generation import model as model_module
from ostinato.generation import search
from ostinato.generation.continuations import NUM_CONTINUATIONS, draw_ending, draw_fill, draw_until_end
from ostinato.generation.model import Model
from ostinato.generation.options import GenerationOptions
from ostinato.generation.search import Growing
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter

MakeBundle = Callable[..., Bundle]
CONFIG = Config("small", BarEncoding(tells_beat=True, foretells_end=True), Hparams(rnn_layer_sizes=(8,)))


class Told:
    """A model at work, which appends the number of each row, and whose word on what follows is told.

    Args:
        log_odds: from rows [B] and how many events each has to the log-odds [B] of the end.
        likelihoods: from rows [B] to the log-likelihood of any event that is given.
    """

    slack = 0.0

    def __init__(
        self,
        log_odds: Callable[[NDArray[np.intp], int], NDArray[np.float64]],
        likelihoods: Callable[[NDArray[np.intp]], NDArray[np.float64]] = np.zeros_like,
        size: int = 1,
    ) -> None:
        self.log_odds, self.likelihoods, self.rows, self.steps = log_odds, likelihoods, np.arange(size), 0

    def select(self, rows: NDArray[np.intp]) -> Self:
        self.rows = np.arange(len(rows))
        return self

    def drawing(self, _: Any) -> Self:
        return self

    def hear(self) -> tuple[NDArray[np.float64], None]:
        ends = self.log_odds(self.rows, self.steps)
        return np.stack([np.zeros(len(ends)), ends], axis=1), None

    def extend(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        self.steps += 1
        return self.rows, np.zeros(len(self.rows))

    def append(self, _: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        return self.likelihoods(self.rows), np.ones((len(self.rows), 2), np.bool_)

    def lean_of_end(self) -> float:
        return 0.0


def growing(told: Told) -> Growing:
    return cast(Growing, told)


def generators(count: int, seed: int = 0) -> list[np.random.Generator]:
    return np.random.default_rng(seed).spawn(count)


def test_the_tune_ends_where_the_model_holds_it_likeliest() -> None:
    def log_odds(rows: NDArray[np.intp], steps: int) -> NDArray[np.float64]:
        return np.where((rows % NUM_CONTINUATIONS == 5) & (steps == 7), 0.0, -1000.0)

    chosen = draw_ending(growing(Told(log_odds, size=2)), generators(2), 8, 4)
    assert [its.tolist() for its in chosen.events] == [[5] * 7, [NUM_CONTINUATIONS + 5] * 7]
    assert chosen.rows.tolist() == [5, NUM_CONTINUATIONS + 5]
    assert chosen.ends.all()


def test_an_end_before_the_last_bar_is_no_end() -> None:
    # Likeliest after 4 of 8 steps, which is the end of the last bar but one; after 5 more likely than later.
    def log_odds(rows: NDArray[np.intp], steps: int) -> NDArray[np.float64]:
        return np.full(len(rows), {4: 50.0, 5: 0.0}.get(steps, -1000.0))

    chosen = draw_ending(growing(Told(log_odds)), generators(1), 8, 4)
    assert [len(its) for its in chosen.events] == [5]


def test_of_equally_likely_ends_the_first_is_taken() -> None:
    def log_odds(rows: NDArray[np.intp], steps: int) -> NDArray[np.float64]:
        # Double precision tells the second from the others by less than is counted.
        return np.where(rows % NUM_CONTINUATIONS == 1, 1e-9, 0.0) if steps == 3 else np.full(len(rows), -9.0)

    chosen = draw_ending(growing(Told(log_odds, size=2)), generators(2), 4, 4)
    assert chosen.rows.tolist() == [0, NUM_CONTINUATIONS]
    assert [len(its) for its in chosen.events] == [3, 3]


def test_a_gap_is_filled_by_what_makes_likely_what_follows() -> None:
    def likelihoods(rows: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.where(rows % NUM_CONTINUATIONS == 11, -1.0, -50.0)

    told = Told(lambda rows, _: np.zeros(len(rows)), likelihoods, size=2)
    chosen = draw_fill(growing(told), generators(2), 4, np.array([60, -2]))
    assert [its.tolist() for its in chosen.events] == [[11] * 4, [NUM_CONTINUATIONS + 11] * 4]
    assert not chosen.ends.any()


def test_an_end_is_drawn_after_each_event() -> None:
    chance = 1 / 4
    told = Told(lambda rows, _: np.full(len(rows), np.log(chance / (1 - chance))), size=4000)
    chosen = draw_until_end(growing(told), generators(4000), 1000)
    lengths = np.array([len(its) for its in chosen.events])
    assert lengths.min() == 1
    assert chosen.ends.all()
    # A geometric distribution of mean 4 and standard deviation sqrt(12): five of 4,000 draws' are 0.28.
    assert abs(lengths.mean() - 1 / chance) < 0.28


def test_no_end_is_drawn_too_soon() -> None:
    certain = Told(lambda rows, _: np.full(len(rows), 1000.0), size=2)
    chosen = draw_until_end(growing(certain), generators(2), 10, 4)
    assert [len(its) for its in chosen.events] == [4, 4]
    assert chosen.ends.all()


def test_a_melody_that_does_not_end_is_cut() -> None:
    chosen = draw_until_end(growing(Told(lambda rows, _: np.full(len(rows), -1000.0), size=2)), generators(2), 6)
    assert [len(its) for its in chosen.events] == [6, 6]
    assert not chosen.ends.any()


@pytest.fixture(scope="module")
def model(random_bundle: MakeBundle) -> Model:
    return Model(random_bundle(CONFIG))


def test_a_length_in_bars_brings_an_end_and_one_in_steps_does_not(model: Model) -> None:
    (ended,) = model.generate(num_bars=6, meter="6/8", seed=3)
    (cut,) = model.generate(num_steps=72, meter="6/8", seed=3)
    (cut_too,) = model.generate(num_bars=6, meter="6/8", seed=3, ending=False)
    assert ended.ends
    assert 60 < len(ended) <= 72
    assert ended.meter == Meter(6, 8)
    # The first four bars are the same.
    assert ended[:48] == cut[:48]
    assert (cut.ends, len(cut)) == (False, 72)
    assert cut_too == cut


def test_until_the_end_the_events_are_those_of_no_end(model: Model) -> None:
    several = model.generate(num_bars=8, until_end=True, num_outputs=12, seed=1)
    endless = model.generate(num_steps=128, num_outputs=12, seed=1)
    for melody, whole in zip(several, endless, strict=True):
        assert melody.events == whole[: len(melody)]
        assert melody.ends == (len(melody) < 128)
        assert len(melody) >= 4 * 16
    assert len({len(melody) for melody in several}) > 3


@pytest.mark.parametrize(
    "asked",
    [{"num_bars": 4}, {"num_bars": 8, "until_end": True}, {"primer": [60, 62, 64, 65] * 12, "fill": (2, 2)}],
)
def test_a_melody_does_not_depend_on_its_neighbors_nor_on_being_traced(model: Model, asked: dict[str, Any]) -> None:
    four = model.generate(num_outputs=4, seed=9, **asked)
    assert model.generate(num_outputs=1, seed=9, **asked) == four[:1]
    traced = model.generate_traced(num_outputs=4, seed=9, **asked)
    assert [each.melody for each in traced] == four
    for each in traced:
        assert [step.event for step in each.steps] == [each.melody[step.step] for step in each.steps]


@pytest.mark.parametrize("asked", [{"num_bars": 3}, {"primer": [60, 62, 64, 65] * 12, "fill": (2, 2)}])
def test_many_melodies_are_continued_some_at_a_time(
    model: Model, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.generate(num_outputs=7, seed=4, **asked)
    monkeypatch.setattr(model_module, "_CONTINUED_AT_ONCE", 3)
    some = model.generate(num_outputs=7, seed=4, **asked)
    assert some == whole
    assert [melody.ends for melody in some] == [melody.ends for melody in whole]


def test_a_stop_while_the_model_may_end_keeps_what_there_is(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    options = GenerationOptions(num_bars=20, until_end=True, num_outputs=2, seed=1)
    whole = model.make(options)
    calls = iter(range(10))
    with caplog.at_level("INFO"):
        made = model.make(options, lambda _: next(calls) < 9)
    # A note, and the ten steps after which it was asked: no tune ends before its fifth bar.
    assert [melody.events for melody in made] == [melody.events[:11] for melody in whole]
    assert not any(melody.ends for melody in made)
    assert caplog.messages == ["stopped: none of 2 melodies is finished; 2 are kept as far as they go, 11 of 320 steps"]


def test_what_rounding_could_decide_is_decided_in_double_precision(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = [
        {"num_bars": 3},
        {"num_bars": 8, "until_end": True},
        {"primer": [60, 62, 64, 65] * 12, "fill": (2, 2)},
    ]
    expected = [model.generate(num_outputs=3, seed=2, **each) for each in asked]
    monkeypatch.setattr(search, "LOG_PROBABILITY_ERROR", 0.1)  # everything is in doubt, and comes out the same
    assert [model.generate(num_outputs=3, seed=2, **each) for each in asked] == expected


def test_a_fill_keeps_what_is_around_it(model: Model) -> None:
    primer = Melody([62, -2, 66, -2, 69, -2, 66, -2, 62, -2, -1, -2] * 5, 12, meter=Meter(6, 8), ends=True)
    filled = model.generate(primer=primer, fill=(3, 4), num_outputs=4, seed=5)
    for melody in filled:
        assert (melody[:24], melody[48:]) == (primer[:24], primer[48:])
        assert (melody.meter, melody.ends, melody.start_step, len(melody)) == (primer.meter, True, 12, 60)
    assert len(set(filled)) == 4
    # From the first bar on there is nothing before the gap: it begins with a note of the tonic chord.
    (from_the_first,) = model.generate(primer=primer, fill=(1, 1), seed=5)
    assert from_the_first[12:] == primer[12:]
    assert from_the_first[0] >= 0
    (traced,) = model.generate_traced(primer=primer, fill=(1, 1), seed=5)
    assert (traced.primer_steps, traced.steps[0].step, traced.steps[-1].step) == (0, 1, 11)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"fill": (1, 1)}, "fill makes bars of a primer anew, but there is none"),
        ({"fill": (2, 1), "primer": [60] * 64}, r"fill=\(2, 1\) must be the first and the last bar"),
        ({"fill": (3, 4), "primer": [60] * 64}, "fill=3-4 leaves nothing to follow it: the primer has 4 bars"),
        ({"fill": (1, 1), "primer": [60] * 64, "num_bars": 4}, "leave out num_bars"),
        ({"fill": (1, 1), "primer": [60] * 64, "beam_size": 2}, "leave out beam_size"),
        ({"until_end": True, "ending": False}, "which ending=False forbids"),
        ({"until_end": True, "branch_factor": 2}, "until_end draws event by event"),
        ({"num_bars": 2, "num_steps": 40}, "num_steps=40 and num_bars=2 are two lengths"),
        ({"num_bars": 0}, "num_bars must be a whole number of 1 or more"),
        ({"meter": "6/8", "steps_per_bar": 16}, "bars of 6/8 are 12 steps long, not 16"),
        ({"meter": "waltz"}, "'waltz' is not a meter"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(model: Model, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        model.generate(**asked)


def test_a_model_that_foretells_no_end_is_asked_for_none(random_bundle: MakeBundle) -> None:
    model = Model(random_bundle(Config("old", BarEncoding(), Hparams(rnn_layer_sizes=(8,)))))
    (melody,) = model.generate(num_bars=2, seed=0)
    assert (len(melody), melody.ends) == (32, False)
    for asked in ({"ending": True}, {"until_end": True}):
        with pytest.raises(SettingsError, match="old has not learned where tunes end"):
            model.generate(**asked)  # type: ignore[arg-type]


def with_upbeats(model: Model, share: float) -> Model:
    return Model(Bundle(model.bundle.config, model.bundle.arrays, {"data": {"upbeats": share}}))


def is_silent_at_first(melody: Melody) -> bool:
    half = melody.steps_per_bar // 2
    return melody[:half] == (-2,) * half


def test_a_melody_begins_with_an_upbeat_as_often_as_the_models_tunes(model: Model) -> None:
    asked: dict[str, Any] = {"num_bars": 4, "ending": False, "meter": "6/8", "seed": 1}
    some = with_upbeats(model, 0.7).generate(num_outputs=200, **asked)
    # Six standard deviations of 200 draws are 0.19.
    assert abs(sum(map(is_silent_at_first, some)) / 200 - 0.7) < 0.19
    for melody in some:
        # The bar of the upbeat comes before those that are counted.
        assert len(melody) == 12 * (4 + is_silent_at_first(melody))
        assert is_silent_at_first(melody) or melody[0] >= 0
    # The others are what they would be, and each is what it is alone.
    plain = model.generate(num_outputs=200, **asked)
    assert [one for one in some if not is_silent_at_first(one)] == [
        other for one, other in zip(some, plain, strict=True) if not is_silent_at_first(one)
    ]
    assert with_upbeats(model, 0.7).generate(num_outputs=20, **asked) == some[:20]


def test_an_upbeat_can_be_asked_for_and_refused(model: Model) -> None:
    assert is_silent_at_first(model.generate(num_bars=4, upbeat=True, seed=1)[0])
    assert is_silent_at_first(model.generate(until_end=True, upbeat=True, seed=1)[0])
    always = with_upbeats(model, 1.0)
    for asked in ({"num_bars": 4, "upbeat": False}, {"num_steps": 64}, {"num_bars": 4, "primer": [60]}):
        assert always.generate(seed=1, **cast(Any, asked))[0][0] >= 0
    with pytest.raises(SettingsError, match="upbeat begins a melody without a primer"):
        model.generate(num_bars=4, primer=[60], upbeat=True)
    with pytest.raises(SettingsError, match="give num_bars or until_end"):
        model.generate(num_steps=64, upbeat=True)


def test_how_a_melody_with_an_upbeat_was_made_begins_after_the_silence(model: Model) -> None:
    asked: dict[str, Any] = {"num_bars": 2, "num_outputs": 12, "seed": 3}
    half = with_upbeats(model, 0.5)
    traced = half.generate_traced(**asked)
    assert [each.melody for each in traced] == half.generate(**asked)
    for each in traced:
        first = 8 if is_silent_at_first(each.melody) else 1
        assert [step.step for step in each.steps] == list(range(first, len(each.melody)))
