"""What Magenta.js loads: its bytes, and the real package in a browser."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from export_models import SECONDS, melodies, npm_packages, odd_bundles, served
from ostinato.bundle import Bundle
from ostinato.config import Config, Hparams
from ostinato.encodings import OneHotEncoding
from ostinato.errors import SettingsError
from ostinato.export.magentajs import magentajs_files
from ostinato.generation.model import Model
from ostinato.generation.sampling import softmax
from ostinato.music.melody import NO_EVENT, NOTE_OFF, Melody
from ostinato.music.notes import note_spans
from ostinato.shipped import load_shipped
from studio_page import CHROMIUM


def test_the_files_byte_by_byte() -> None:
    config = Config("basic_rnn", OneHotEncoding(60, 72), Hparams(rnn_layer_sizes=(1,)))
    # 14 inputs and one output into four gates, one output into 14 classes.
    arrays = {
        "lstm.0.kernel": np.arange(60, dtype=np.float32).reshape(15, 4),
        "lstm.0.bias": np.full(4, 0.5, np.float32),
        "output.kernel": np.zeros((1, 14), np.float32),
        "output.bias": np.full(14, -1, np.float32),
    }
    files = magentajs_files(Bundle(config, arrays))
    assert sorted(files) == ["LICENSE", "MODEL_CARD.md", "config.json", "group1-shard1of1", "weights_manifest.json"]
    assert json.loads(files["config.json"]) == {
        "type": "MusicRNN",
        "dataConverter": {"type": "MelodyConverter", "args": {"minPitch": 60, "maxPitch": 71}},
    }
    cell = "rnn/multi_rnn_cell/cell_0/basic_lstm_cell"
    assert json.loads(files["weights_manifest.json"]) == [
        {
            "paths": ["group1-shard1of1"],
            "weights": [
                {"name": f"{cell}/kernel", "shape": [15, 4], "dtype": "float32"},
                {"name": f"{cell}/bias", "shape": [4], "dtype": "float32"},
                {"name": "fully_connected/weights", "shape": [1, 14], "dtype": "float32"},
                {"name": "fully_connected/biases", "shape": [14], "dtype": "float32"},
            ],
        }
    ]
    shard = files["group1-shard1of1"]
    assert len(shard) == 4 * (60 + 4 + 14 + 14)
    assert shard[:12].hex() == "000000000000803f00000040"  # 0, 1, 2, little-endian
    assert shard[240:244].hex() == "0000003f"  # 0.5
    assert shard[-4:].hex() == "000080bf"  # -1


def test_large_models_are_cut() -> None:
    config = Config("mono_rnn", OneHotEncoding(0, 128, None), Hparams(rnn_layer_sizes=(512,)))
    arrays = {
        "lstm.0.kernel": np.zeros((130 + 512, 2048), np.float32),
        "lstm.0.bias": np.zeros(2048, np.float32),
        "output.kernel": np.zeros((512, 130), np.float32),
        "output.bias": np.zeros(130, np.float32),
    }
    files = magentajs_files(Bundle(config, arrays))
    (group,) = json.loads(files["weights_manifest.json"])
    assert group["paths"] == ["group1-shard1of2", "group1-shard2of2"]
    assert len(files["group1-shard1of2"]) == 4_194_304
    assert len(files["group1-shard2of2"]) == 4 * sum(array.size for array in arrays.values()) - 4_194_304


@pytest.mark.parametrize("name", ["bars", "residual", "attention_stack"])
def test_what_magenta_js_does_not_know(name: str) -> None:
    with pytest.raises(
        SettingsError, match=r"^--magentajs: Magenta\.js has no .*; write this model with --page or --js$"
    ):
        magentajs_files(odd_bundles()[name])


# --- the real package ---


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Magenta.js and two models, served on this machine."""
    npm_packages("magenta-music", tmp_path)
    for name in ("basic_rnn", "mono_rnn"):
        (tmp_path / name).mkdir()
        for file, data in magentajs_files(load_shipped(name)).items():
            (tmp_path / name / file).write_bytes(data)
    scripts = (
        "tfjs/dist/tf.min.js",
        "tone/build/Tone.js",
        "magenta-music/es6/core.js",
        "magenta-music/es6/music_rnn.js",
    )
    tags = "".join(f'<script src="npm/{script}"></script>' for script in scripts)
    (tmp_path / "index.html").write_text(f'<meta charset="utf-8"><link rel="icon" href="data:,">{tags}')
    with served(tmp_path) as address:
        yield f"{address}/index.html"


PLAY = """async ([name, primers, melodies]) => {
    await tf.setBackend("cpu");
    const model = new music_rnn.MusicRNN(new URL(name, location.href).href);
    await model.initialize();
    const quantized = (events) => {
        const notes = [];
        events.forEach((event, step) => {
            if (event === -2) return;
            if (notes.length && !notes.at(-1).quantizedEndStep) notes.at(-1).quantizedEndStep = step;
            if (event >= 0) notes.push({ pitch: event, quantizedStartStep: step });
        });
        if (!notes.at(-1).quantizedEndStep) notes.at(-1).quantizedEndStep = events.length;
        return { notes, totalQuantizedSteps: events.length, quantizationInfo: { stepsPerQuarter: 4 } };
    };
    const told = { continued: [], likely: [] };
    for (const primer of primers) {
        const { notes } = await model.continueSequence(quantized(primer), 24, 0);
        told.continued.push(notes.map((note) => [note.pitch, note.quantizedStartStep, note.quantizedEndStep]));
    }
    // What it holds likely along a melody: of each beginning, what follows it.
    for (const melody of melodies) {
        const rows = [];
        for (let length = 1; length <= melody.length; length += 5) {
            const heard = quantized(melody.slice(0, length));
            const { probs } = await model.continueSequenceAndReturnProbabilities(heard, 1, 1);
            rows.push([length, [...probs[0]]]);
        }
        told.likely.push(rows);
    }
    return told;
}"""


@pytest.mark.parametrize("name", ["basic_rnn", "mono_rnn"])
def test_the_real_magenta_js_holds_likely_what_we_do(site: str, name: str) -> None:
    pytest.importorskip("playwright", reason="make test installs it")
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    model = Model(load_shipped(name))
    encoding = model.bundle.config.encoding
    squashed = [encoding.squash(melody)[0][:21] for melody in melodies(60, 60)]
    heard = [_plain(events) for events in squashed if events[0] >= 0][:10]
    primers = [events[: 5 + number] for number, events in enumerate(heard[:5])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=SECONDS * 1000)
        page = browser.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.goto(site)
        told = page.evaluate(PLAY, [name, primers, heard])
        browser.close()
    assert len(told["likely"]) == 10
    for events, rows in zip(heard, told["likely"], strict=True):
        exact = softmax(model._exact_logits(Melody(events)))
        for length, likely in rows:
            assert np.abs(np.array(likely) - exact[length - 1]).max() < 1e-4
    for primer, notes in zip(primers, told["continued"], strict=True):
        events = list(primer)
        for _ in range(24):
            classes = encoding.class_events(Melody(events))[-1]
            events.append(int(classes[model._exact_logits(Melody(events))[-1].argmax()]))
        assert notes == [list(span) for span in note_spans(Melody(_plain(events[len(primer) :])))]


def _plain(events: Sequence[int]) -> list[int]:
    """The events without ends of notes where none sounds, which Magenta.js's notes do not have."""
    plain: list[int] = []
    sounds = False
    for event in events:
        plain.append(NO_EVENT if event == NOTE_OFF and not sounds else event)
        sounds = event >= 0 or (sounds and event != NOTE_OFF)
    return plain
