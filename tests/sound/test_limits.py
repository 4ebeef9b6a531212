import math
from typing import Any

import pytest

from ostinato.errors import DataError, SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.sound.limits import sounding_seconds


def _sequence(count: int = 1, **fields: Any) -> NoteSequence:
    sequence = NoteSequence()
    for _ in range(count):
        sequence.notes.add(**{"pitch": 60, "velocity": 100, "start_time": 0.0, "end_time": 1.0, **fields})
    return sequence


def test_a_sequence_lasts_to_its_end_and_that_of_its_notes() -> None:
    sequence = _sequence()
    assert sounding_seconds(sequence, 44_100) == 1.0
    sequence.total_time = 2.5
    assert sounding_seconds(sequence, 44_100) == 2.5
    for nonsense in (math.nan, math.inf, -1.0):
        sequence.total_time = nonsense
        assert sounding_seconds(sequence, 44_100) == 1.0
    assert sounding_seconds(NoteSequence(), 44_100) == 0.0


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ({"pitch": 128}, "note 0 has pitch 128, velocity 100 and program 0; each must be"),
        ({"pitch": -1}, "pitch -1"),
        ({"velocity": 200}, "velocity 200"),
        ({"program": 128}, "program 128"),
        ({"start_time": 2.0}, "note 0 lasts from second 2 to 1"),
        ({"start_time": -1.0}, "from second -1"),
        ({"end_time": math.inf}, "to inf"),
        ({"start_time": math.nan}, "from second nan"),
        ({"end_time": 1801.0}, "it lasts 1,801 seconds; at 44,100 samples a second at most 1,800 can be rendered"),
    ],
)
def test_notes_that_cannot_be_rendered(note: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        sounding_seconds(_sequence(**note), 44_100)


def test_too_many_long_notes() -> None:
    with pytest.raises(DataError, match="its notes last 102,000 seconds in all; at most 100,000"):
        sounding_seconds(_sequence(60, end_time=1700.0), 44_100)


@pytest.mark.parametrize("rate", [0, 7_999, 192_001])
def test_the_sample_rate(rate: int) -> None:
    with pytest.raises(SettingsError, match=r"must be of 8,000\.\.192,000 samples a second"):
        sounding_seconds(_sequence(), rate)
