"""Gaps around locked bars, filled one after the other by small models."""

from typing import Any

import pytest

from ostinato.errors import SettingsError
from ostinato.generation.trace import Traced
from ostinato.studio.filling import fill
from ostinato.studio.models import Models
from ostinato.studio.schema import GenerateRequest, MelodyJson
from studio_parts import small_models

# Six bars of 6/8; the last has 7 steps.
EVENTS = (60, -2, 62, -2, 64, -2) * 2 + (67, -2, -2, -1, -2, -2) * 8 + (65, -2, 64, -2, 60, -2, -2)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return small_models(tmp_path_factory.mktemp("models"))


def filled(models: Models, name: str = "plain", *, seed: int = 1, **asked: Any) -> list[Traced]:
    primer = MelodyJson(EVENTS, meter="6/8", ends=True)
    return fill(models.model(name), GenerateRequest(primer=primer, **asked), seed)


def kept(made: Traced) -> list[int]:
    """The bars that are as they were, from 1."""
    bars = [made.melody[start : start + 12] for start in range(0, len(EVENTS), 12)]
    return [number for number, bar in enumerate(bars, 1) if bar == EVENTS[12 * number - 12 : 12 * number]]


@pytest.mark.parametrize("name", ["plain", "watchful", "finite"])
def test_what_is_not_filled_stays(models: Models, name: str) -> None:
    made = filled(models, name, fill=(2, 5), locked=(3, 6), variations=3)
    assert len(made) == 3
    for each in made:
        assert {1, 3, 6} <= set(kept(each))
        assert (len(each.melody), each.melody.ends, each.primer_steps) == (67, True, 12)
        assert [step.step for step in each.steps] == [*range(12, 24), *range(36, 60)]
        assert [step.event for step in each.steps] == [each.melody[step.step] for step in each.steps]
        assert each.attention is None or len(each.attention) == len(each.steps)
    assert len({each.melody.events for each in made}) > 1


def test_each_gap_of_each_melody_has_random_numbers_of_its_own(models: Models) -> None:
    first, second = filled(models, fill=(2, 5), locked=(3,), variations=2)
    (alone,) = filled(models, fill=(2, 5), locked=(3,), variations=1, draw=1)
    assert alone.melody == second.melody
    assert first.melody[36:60] != second.melody[36:60]
    (other,) = filled(models, fill=(2, 5), locked=(3,), variations=1, draw=1, seed=2)
    assert other.melody != second.melody


@pytest.mark.parametrize(
    ("name", "ending", "ends"), [("finite", None, True), ("finite", False, False), ("plain", None, False)]
)
def test_a_gap_at_the_end_goes_on_to_it(models: Models, name: str, ending: bool | None, ends: bool) -> None:
    for each in filled(models, name, fill=(1, 6), locked=(1, 4), ending=ending, variations=2):
        assert {1, 4} <= set(kept(each))
        assert each.melody.ends == ends
        assert 60 < len(each.melody) <= 72
        assert ends or len(each.melody) == 72


def test_chords_stay_to_the_end(models: Models) -> None:
    chords = ((0, "C"), (36, "G7"), (60, "F"), (66, "C"))
    primer = MelodyJson(EVENTS, meter="6/8", ends=True, chords=chords)
    for fill_bars, locked in (((1, 6), (1, 4)), ((5, 6), ()), ((2, 3), ())):
        request = GenerateRequest(primer=primer, fill=fill_bars, locked=locked, variations=2)
        for each in fill(models.model("plain"), request, 1):
            assert each.melody.chords == chords


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"fill": (2, 3), "locked": (3, 2)}, r"all bars of fill=\[2, 3\] are locked; take one of them out of locked"),
        ({"fill": (1, 6)}, "no note comes before bar 1, and all after it would be new; lock a bar that has one"),
        ({"fill": (3, 2)}, "must be the first and the last bar"),
        ({"fill": (2, 3), "ending": True}, "fill keeps the primer's length and end"),
        ({"fill": (2, 7)}, "fill=2-7 leaves nothing to follow it"),
    ],
)
def test_what_cannot_be_filled_is_refused(models: Models, asked: dict[str, Any], error: str) -> None:
    with pytest.raises(SettingsError, match=error):
        filled(models, **asked)


def test_there_must_be_something_to_fill(models: Models) -> None:
    with pytest.raises(SettingsError, match="fill makes bars of a primer anew, but there is none"):
        fill(models.model("plain"), GenerateRequest(fill=(1, 2), locked=(1,)), 1)
