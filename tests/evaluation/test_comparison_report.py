import json
import math

import numpy as np
import pytest

from ostinato.evaluation.comparison import Comparison, compare
from ostinato.evaluation.comparison_report import as_json, number, tables
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter


def small_comparison(*, cut: bool = True, human_notes: int = 12) -> Comparison:
    made = [("a.mid", Melody([60, 62, 64, 62] * 2, steps_per_bar=4)), ("b.mid", Melody([60, 60, 60, 60] * 2))]
    human = [(f"{start}.mid", Melody(range(start, start + human_notes), steps_per_bar=4)) for start in range(60, 64)]
    return compare(made, human, [("t.mid", Melody([60, 62, 64]))], cut=cut)


def test_tables() -> None:
    sets, figures, form, onsets, features, targets = tables(small_comparison())
    assert sets.rows[1] == ("human, cut to 8 steps", "4", "0", "32", "8", "4 in 100%")
    assert [row[0] for row in sets.rows] == ["generated", "human, cut to 8 steps", "human, whole", "training"]
    assert sets.rows[0][-1] == "4 in 50%, 16 in 50%"
    rows = {row[0]: row[1:] for row in figures.rows}
    assert figures.header == ("", "generated", "human, cut to 8 steps", "difference", "human, whole")
    assert rows["notes"] == ("8.00", "8.00", "+0.00", "12.00")
    # a goes up 4 and b nowhere, the cut scales 7.
    assert rows["pitch range [semitones]"] == ("2.00", "7.00", "-5.00", "11.00")
    assert rows["bars equal to the bar two before [%]"] == ("-", "-", "-", "0.00")
    assert len(features.rows) == 13
    assert features.rows[-1] == ("bars that come back after 16", "-", "-", "-", "-")
    assert targets.rows[0] == (
        "bars equal to the bar before: within 5 points of the human share [%]",
        "100.0",
        "0.00",
        "not met",
    )
    for table in (sets, figures, form, onsets, features, targets):
        assert {len(row) for row in table.rows} <= {len(table.header)}


def test_uncut_human_melodies_are_shown_once() -> None:
    sets, figures, *_ = tables(small_comparison(cut=False))
    assert [row[0] for row in sets.rows] == ["generated", "human", "training"]
    assert figures.header == ("", "generated", "human", "difference")


def test_longer_generated_melodies_are_remarked_on() -> None:
    note = "(medians of 6 and 8 steps)"
    assert note in tables(small_comparison(human_notes=6))[0].note
    assert note not in tables(small_comparison())[0].note


def test_json() -> None:
    found = json.loads(json.dumps(as_json(small_comparison()), allow_nan=False))
    assert found["cut_steps"] == 8
    assert found["sets"]["generated"] == {
        "melodies": 2,
        "too_few_notes": 0,
        "notes": 16,
        "median_steps": 8,
        "bar_lengths": {"4": 1, "16": 1},
    }
    assert found["figures"]["bars equal to the bar before"] == {
        "unit": "%",
        "generated": 100,
        "human": 0,
        "difference": 100,
        "human_whole": 0,
    }
    assert found["figures"]["bars equal to the bar two before"]["generated"] is None
    features = found["features"]
    assert features["notes"]["human_mean"] == 8
    assert len(features["pitch-class histogram"]["generated_mean"]) == 12
    assert np.array(features["pitch-class transitions"]["generated_mean"]).shape == (12, 12)
    assert np.array(features["note-length transitions"]["human_mean"]).shape == (16, 16)
    assert set(features["notes"]["generated"]) == {"overlap", "divergence"}
    # Of a, 60 62 64 is in the training melody; its 64 sounds for one step, as in a.
    assert found["longest_copied_runs"]["generated"] == [
        {"melody": "a.mid", "pairs": 2},
        {"melody": "b.mid", "pairs": 0},
    ]
    assert len(found["longest_copied_runs"]["human"]) == 4
    assert [target["met"] for target in found["targets"]][:2] == [False, False]


@pytest.mark.parametrize(
    ("value", "text"), [(0.125, "0.12"), (12, "12.00"), (1234.56, "1,234.6"), (-3, "-3.00"), (math.nan, "-")]
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def forms() -> Comparison:
    """Bars of 2/4 with notes at the beginning and in the middle; half of the human ones have them a 16th earlier."""
    made = Melody([60, -2, -2, -2, 64, -2, -2, -2] * 10, meter=Meter(2, 4))
    early = Melody([60, -2, -2, 64, -2, -2, -2, -2] * 10, meter=Meter(2, 4), ends=True)
    on_time = Melody(made.events, meter=Meter(2, 4), ends=True)
    human = [(str(number), early if number % 2 else on_time) for number in range(10)]
    other = ("other", Melody([60, 62, 64], meter=Meter(6, 8)))
    return compare([("a", made)] * 10, [*human, other], [("t", Melody([60, 62, 64]))])


def test_tables_of_form() -> None:
    _, _, form, onsets, _, _ = tables(forms())
    assert "in the first 10 bars" in form.note
    rows = {row[0]: row[1:] for row in form.rows}
    # All of the human melodies that end do so on E, which is no final, and on a note of four steps or five.
    assert rows["melodies that end on a long note [%]"] == ("100.0", "100.0", "100.0 to 100.0", "+0.00", "10, 10")
    assert rows["melodies that end on a final [%]"] == ("0.00", "0.00", "0.00 to 0.00", "+0.00", "10, 10")
    assert rows["bars that come back after 8 [%]"] == ("100.0", "100.0", "100.0 to 100.0", "+0.00", "10, 10")
    assert rows["bars that come back after 16 [%]"] == ("-", "-", "-", "-", "0, 0")
    (row,) = onsets.rows
    # Half of all notes start in the middle, where a quarter of the human ones do; the 4th 16th has the others.
    assert (row[0], row[1], row[3:6], row[7]) == ("2/4", "25.00", ("4", "0.00", "25.00"), "10, 10")
    assert "6/8 (0 and 1)" in onsets.note


def test_json_of_form() -> None:
    found = json.loads(json.dumps(as_json(forms()), allow_nan=False))
    assert found["cut_bars"] == 10
    assert found["form"]["melodies that wander"] == {
        "unit": "%",
        "generated": 0,
        "human": 0,
        "human_interval": [0, 0],
        "difference": 0,
        "generated_melodies": 10,
        "human_melodies": 10,
    }
    assert found["form"]["bars that come back after 16"]["human_interval"] == [None, None]
    onsets = found["onsets"]["2/4"]
    assert onsets["generated"] == [0.5, 0, 0, 0, 0.5, 0, 0, 0]
    assert onsets["human"] == [0.5, 0, 0, 0.25, 0.25, 0, 0, 0]
    assert onsets["apart"] == 0.25
    assert onsets["human_intervals"][0] == [0.5, 0.5]
    assert found["other_meters"] == {"6/8": {"generated_melodies": 0, "human_melodies": 1}}
    assert found["features"]["bars that come back after 16"]["human_mean"] is None
