"""The networks as ONNX, against our own in double precision."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="make test installs it")

import onnx
import onnxruntime

from export_models import SECONDS, melodies, models, npm_packages, odd_bundles, served
from ostinato.bundle import Bundle, load_bundle
from ostinato.errors import MissingExtraError
from ostinato.export.onnx import OPSET, onnx_files
from ostinato.generation.network import Network
from ostinato.generation.sampling import softmax
from studio_page import CHROMIUM


def session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def check(bundle: Bundle, steps: int) -> None:
    files = onnx_files(bundle)
    encoding = bundle.config.encoding
    squashed = [encoding.squash(melody)[0] for melody in melodies(12, steps + 5) if len(melody) >= steps][:2]
    inputs = np.stack([encoding.inputs(melody)[:steps] for melody in squashed])
    assert inputs.shape == (2, steps, encoding.input_size)
    exact = Network(bundle, np.float64)
    wanted = np.stack([softmax(exact.run(each)[0]) for each in inputs])
    (logits,) = session(files["sequence"]).run(["all_logits"], {"sequence": inputs})
    assert np.abs(softmax(logits) - wanted).max() < 1e-5

    step = session(files["step"])
    state: dict[str, Any] = {
        each.name: np.zeros([2, *each.shape[1:]], np.float32) for each in step.get_inputs() if each.name != "inputs"
    }
    outputs = [each.name for each in step.get_outputs()]
    assert outputs == ["logits", *(f"new_{name}" for name in state)]
    for at in range(steps):
        logits, *new = step.run(outputs, {"inputs": inputs[:, at], **state})
        assert np.abs(softmax(logits) - wanted[:, at]).max() < 1e-5
        state = dict(zip(state, new, strict=True))


@pytest.mark.parametrize("name", models())
def test_trained_models(name: str) -> None:
    check(load_bundle(models()[name]), 64)


@pytest.mark.parametrize("name", odd_bundles())
def test_odd_models(name: str) -> None:
    check(odd_bundles()[name], 24)


def test_names_and_what_is_told() -> None:
    bundle = load_bundle(models()["attention_rnn"])
    files = onnx_files(bundle)
    step = session(files["step"])
    assert {each.name: each.shape for each in step.get_inputs()} == {
        "inputs": ["B", 74],
        **{f"{part}{i}": ["B", 128] for i in (0, 1) for part in "ch"},
        "attended": ["B", 128],
        "memory": ["B", 40, 128],
    }
    whole = session(files["sequence"])
    assert [(each.name, each.shape) for each in whole.get_inputs()] == [("sequence", ["B", "T", 74])]
    assert [(each.name, each.shape) for each in whole.get_outputs()] == [("all_logits", ["B", "T", 40])]
    for data in files.values():
        model = onnx.load_from_string(data)
        told = {each.key: each.value for each in model.metadata_props}
        assert json.loads(told["ostinato.config"]) == bundle.config.to_json()
        assert json.loads(told["ostinato.card"])["license"] == told["license"] == "Apache-2.0"
        assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]


IN_BROWSER = """async ([name, names, steps]) => {
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = new URL("npm/onnxruntime-web/dist/", location.href).href;
    const options = { executionProviders: ["wasm"] };
    const session = await ort.InferenceSession.create(new URL(name, location.href).href, options);
    let state = Object.fromEntries(names.map(([each, shape]) => {
        return [each, new ort.Tensor("float32", new Float32Array(shape.reduce((a, b) => a * b)), shape)];
    }));
    const told = [];
    for (const inputs of steps) {
        const tensor = new ort.Tensor("float32", Float32Array.from(inputs), [1, inputs.length]);
        const { logits, ...rest } = await session.run({ inputs: tensor, ...state });
        state = Object.fromEntries(Object.entries(rest).map(([each, value]) => [each.replace("new_", ""), value]));
        told.push([...logits.data]);
    }
    return told;
}"""


@pytest.mark.parametrize("name", ["lookback_rnn", "attention_rnn"])
def test_a_browser_runs_the_step(name: str, tmp_path: Path) -> None:
    pytest.importorskip("playwright", reason="make test installs it")
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    npm_packages("onnxruntime-web", tmp_path)
    bundle = load_bundle(models()[name])
    encoding = bundle.config.encoding
    step = onnx_files(bundle)["step"]
    (tmp_path / "step.onnx").write_bytes(step)
    (tmp_path / "index.html").write_text(
        '<link rel="icon" href="data:,"><script src="npm/onnxruntime-web/dist/ort.wasm.min.js"></script>'
    )
    inputs = encoding.inputs(encoding.squash(melodies(1, 50)[0])[0])
    wanted = softmax(Network(bundle, np.float64).run(inputs)[0])
    names = [(each.name, [1, *each.shape[1:]]) for each in session(step).get_inputs() if each.name != "inputs"]
    with served(tmp_path) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=SECONDS * 1000)
        page = browser.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.goto(f"{address}/index.html")
        logits = page.evaluate(IN_BROWSER, ["step.onnx", names, inputs.tolist()])
        browser.close()
    assert np.abs(softmax(np.array(logits)) - wanted).max() < 1e-5


def test_without_onnx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"^--onnx needs an extra .* -m pip install onnx$"):
        onnx_files(odd_bundles()["bars"])
