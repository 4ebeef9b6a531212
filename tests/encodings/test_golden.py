"""Every encoding against the numbers of the real Magenta, bit for bit."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

import golden_files
from ostinato.config import preset
from ostinato.music.melody import Melody

CONFIGS = ["basic_rnn", "mono_rnn", "lookback_rnn", "attention_rnn"]


@pytest.mark.parametrize("config", CONFIGS)
def test_squash_labels_and_inputs_are_magentas(golden: Path, config: str) -> None:
    encoding = preset(config).encoding
    lines = golden_files.json_lines(golden / f"melodies_{config}.jsonl.gz")
    assert len(lines) > 20
    for line in lines:
        melody, semitones = encoding.squash(Melody(line["events"], line["start_step"], line["steps_per_bar"]))
        inputs, labels = encoding.encode(melody)
        assert list(melody) == line["squashed_events"]
        assert semitones == (line["transpose_amount"] or 0)
        assert (melody.start_step, melody.end_step) == (line["start_step"], line["end_step"])
        assert labels.dtype == np.int64
        assert labels.tolist() == line["labels"]
        assert inputs.dtype == np.float32
        assert inputs.shape == (len(labels), line["input_size"])
        assert hashlib.sha256(inputs.astype("<f4").tobytes()).hexdigest() == line["inputs_sha256"]


@pytest.mark.parametrize("config", CONFIGS)
def test_whole_input_matrices_are_magentas(golden: Path, config: str) -> None:
    encoding = preset(config).encoding
    lines = golden_files.json_lines(golden / f"melodies_{config}.jsonl.gz")
    with np.load(golden / f"inputs_{config}.npz") as arrays:
        rows = [name for name in arrays if name.startswith("row_")]
        assert rows
        for name in rows:
            number = name.removeprefix("row_")
            inputs, labels = encoding.encode(Melody(lines[int(arrays[name])]["squashed_events"]))
            np.testing.assert_array_equal(inputs, arrays[f"inputs_{number}"], strict=True)
            np.testing.assert_array_equal(labels, arrays[f"labels_{number}"], strict=True)


@pytest.mark.parametrize("bundle", ["funkyb_attention", "gold_attention", "gold_lookback"])
def test_what_is_fed_from_the_first_event_on_is_magentas(golden: Path, bundle: str) -> None:
    encoding = preset("lookback_rnn" if "lookback" in bundle else "attention_rnn").encoding
    path = golden / f"softmax_{bundle}.npz"
    if not path.exists():
        assert (bundle, golden.name) == ("funkyb_attention", "aird")
        return
    with np.load(path) as arrays:
        cases = [name.removeprefix("inputs_") for name in arrays if name.startswith("inputs_")]
        assert len(cases) >= 6
        for case in cases:
            melody = Melody(arrays[f"events_{case}"].tolist())
            assert list(melody) == arrays[f"events_clean_{case}"].tolist()
            np.testing.assert_array_equal(encoding.inputs(melody), arrays[f"inputs_{case}"], strict=True)
