"""Files that version 0.1.0 wrote before its rooms were moved are read as they were."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.bundle import load_bundle
from ostinato.cli.main import main
from ostinato.formats.tensorflow.sequence_example import parse_sequence_example, serialize_sequence_example
from ostinato.formats.tensorflow.tfrecord import read_records

EARLIER = Path(__file__).parent / "golden" / "earlier"


@pytest.mark.parametrize("name", ["lookback_rnn", "ostinato"])
def test_bundles_make_the_same_melodies(name: str) -> None:
    expected = json.loads((EARLIER / "melodies.json").read_text())[name]
    made = ostinato.load(EARLIER / f"{name}.mag").generate(num_steps=32, primer=[60], num_outputs=2, seed=3)
    assert [list(melody) for melody in made] == expected


def test_a_run_is_the_model_of_its_bundle() -> None:
    run, bundle = load_bundle(EARLIER / "run"), load_bundle(EARLIER / "lookback_rnn.mag")
    assert run.config == bundle.config
    for name, array in run.arrays.items():
        np.testing.assert_array_equal(array, bundle.arrays[name])


def test_a_run_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    shutil.copytree(EARLIER / "run", tmp_path / "run")
    assert main(["train", f"--run_dir={tmp_path / 'run'}", "--num_training_steps=4", _examples()]) == 0
    assert load_bundle(tmp_path / "run").provenance["step"] == 4


def test_the_same_notes_give_the_same_records(tmp_path: Path) -> None:
    made = [f"--input={EARLIER / 'notes.tfrecord'}", f"--output_dir={tmp_path}", "--eval_ratio=0.2", "--min_bars=4"]
    assert main(["dataset", "--config=lookback_rnn", "--wide", *made]) == 0
    # Records now tell meters that are not the plainest of their bars, such as 6/8; all else is the same.
    made_now, earlier = (
        [parse_sequence_example(record) for record in read_records(folder / "eval_melodies.tfrecord")]
        for folder in (tmp_path, EARLIER)
    )
    assert any(example.meter for example in made_now)
    for example, before in zip(made_now, earlier, strict=True):
        assert serialize_sequence_example(replace(example, meter=None)) == serialize_sequence_example(before)


def _examples() -> str:
    return f"--sequence_example_file={EARLIER / 'eval_melodies.tfrecord'}"
