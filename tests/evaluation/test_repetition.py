import math

import pytest

from ostinato.evaluation.repetition import Share, notes_in_key, pooled, repeated_bars, repeated_notes
from ostinato.music.melody import Melody


def bars(*events: list[int]) -> Melody:
    """Bars of four steps."""
    return Melody([event for bar in events for event in bar], steps_per_bar=4)


def test_shares() -> None:
    assert Share(1, 4).value == 0.25
    assert math.isnan(Share(0, 0).value)
    assert pooled([Share(1, 4), Share(2, 2)]) == Share(3, 6)
    assert pooled([]) == Share(0, 0)


def test_repeated_bars() -> None:
    held, empty = [60, -2, -2, -2], [-2, -2, -2, -2]
    melody = bars(held, held, empty, held, [62, -2, -2, -1], [62, -2])
    # Bars 1, 3 and 4 hold a note and have a bar before them; bar 1 equals it. The last one is no whole bar.
    assert repeated_bars(melody, 1) == Share(1, 3)
    # Bars 3 and 4 hold a note and have a bar two before; bar 3 equals it.
    assert repeated_bars(melody, 2) == Share(1, 2)
    assert repeated_bars(melody, 4) == Share(0, 1)
    assert repeated_bars(melody, 5) == Share(0, 0)


def test_a_bar_with_another_rest_is_another_bar() -> None:
    assert repeated_bars(bars([60, -2, -2, -2], [60, -2, -1, -2]), 1) == Share(0, 1)
    assert repeated_bars(bars([60, -2, -1, -2], [60, -2, -1, -2]), 1) == Share(1, 1)


def test_what_sounds_on_from_before_is_no_event_of_a_bar() -> None:
    # The 60 sounds on into the second bar; the third begins in silence.
    assert repeated_bars(bars([-2, -2, -2, 60], [-2, 62, -1, -2], [-2, 62, -1, -2]), 1) == Share(1, 2)


def test_bars_are_those_of_the_melodys_own_meter() -> None:
    events = [60, -2, 62, 60, -2, 62]
    assert repeated_bars(Melody(events, steps_per_bar=3), 1) == Share(1, 1)
    assert repeated_bars(Melody(events, steps_per_bar=2), 1) == Share(0, 2)


@pytest.mark.parametrize(
    ("events", "share"),
    [
        ([60, 60, 60, 60, 62], Share(0, 5)),
        ([60, 60, 60, 60, 60, 62, 62, 62, 62], Share(5, 9)),
        ([60, -1, 60, -2, 60, -1, 60, 60, 60], Share(6, 6)),
        ([60, 60, 60, 72, 60, 60], Share(0, 6)),
        ([-2], Share(0, 0)),
    ],
)
def test_repeated_notes(events: list[int], share: Share) -> None:
    assert repeated_notes(Melody(events)) == share


@pytest.mark.parametrize(
    ("pitches", "share"),
    [
        ([60, 62, 64, 65, 67, 69, 71], Share(7, 7)),  # C major
        ([57, 59, 60, 62, 64, 65, 67], Share(7, 7)),  # A minor
        ([62, 64, 66, 67, 69, 71, 73, 60], Share(7, 8)),  # D major and a C
        ([60, 61, 62, 63, 64], Share(3, 5)),  # no five neighbors have more than three notes of a major scale
        ([61, 61, 61], Share(3, 3)),
    ],
)
def test_notes_in_key(pitches: list[int], share: Share) -> None:
    assert notes_in_key(Melody(pitches)) == share
