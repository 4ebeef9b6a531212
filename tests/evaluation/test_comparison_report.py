import json
import math

import numpy as np
import pytest

from ostinato.evaluation.comparison import Comparison, compare
from ostinato.evaluation.comparison_report import as_json, as_text, number, tables
from ostinato.music.melody import Melody


def comparison(*, cut: bool = True, human_notes: int = 12) -> Comparison:
    made = [("a.mid", Melody([60, 62, 64, 62] * 2, steps_per_bar=4)), ("b.mid", Melody([60, 60, 60, 60] * 2))]
    human = [(f"{start}.mid", Melody(range(start, start + human_notes), steps_per_bar=4)) for start in range(60, 64)]
    return compare(made, human, [("t.mid", Melody([60, 62, 64]))], cut=cut)


def test_tables() -> None:
    sets, figures, features, targets = tables(comparison())
    assert sets.rows[1] == ("human, cut to 8 steps", "4", "0", "32", "8", "4 in 100%")
    assert [row[0] for row in sets.rows] == ["generated", "human, cut to 8 steps", "human, whole", "training"]
    assert sets.rows[0][-1] == "4 in 50%, 16 in 50%"
    rows = {row[0]: row[1:] for row in figures.rows}
    assert figures.header == ("", "generated", "human, cut to 8 steps", "difference", "human, whole")
    assert rows["notes"] == ("8.00", "8.00", "+0.00", "12.00")
    # a goes up 4 and b nowhere, the cut scales 7.
    assert rows["pitch range [semitones]"] == ("2.00", "7.00", "-5.00", "11.00")
    assert rows["bars equal to the bar two before [%]"] == ("-", "-", "-", "0.00")
    assert len(features.rows) == 10
    assert targets.rows[0] == (
        "bars equal to the bar before: within 5 points of the human share [%]",
        "100.0",
        "0.00",
        "not met",
    )
    for table in (sets, figures, features, targets):
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_uncut_human_melodies_are_shown_once() -> None:
    sets, figures, *_ = tables(comparison(cut=False))
    assert [row[0] for row in sets.rows] == ["generated", "human", "training"]
    assert figures.header == ("", "generated", "human", "difference")


def test_longer_generated_melodies_are_remarked_on() -> None:
    note = "(medians of 6 and 8 steps)"
    assert note in tables(comparison(human_notes=6))[0].note
    assert note not in tables(comparison())[0].note


def test_text() -> None:
    lines = as_text(comparison()).splitlines()
    assert lines[0] == "Sets"
    (row,) = [line for line in lines if line.startswith("  mean interval [")]
    # a's seven intervals are all of 2 semitones but the one to its second half, of 2 as well; b's are of none.
    assert row.split()[-4:] == ["1.00", "1.00", "+0.00", "1.00"]
    # a has 2 pairs of the training melody, the chromatic scales none.
    assert lines[-1].split()[-4:] == ["2.00", "0.00", "not", "met"]
    assert not [line for line in lines if line != line.rstrip()]


def test_json() -> None:
    found = json.loads(json.dumps(as_json(comparison()), allow_nan=False))
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
