"""`ostinato evaluate`, as a user meets it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import golden_files
from note_sequences import sequence
from ostinato import shipped
from ostinato.bundle import Bundle, array_shapes, checkpoint_path, encode_bundle, load_bundle, save_bundle
from ostinato.cli.main import main
from ostinato.config import preset
from ostinato.formats.midi.writer import write_midi

LOOKBACK = golden_files.SMALL.parent / "gold_lookback.mag"
ATTENTION = golden_files.SMALL.parent / "gold_attention.mag"
C_MAJOR = (60, 62, 64, 65, 67, 69, 71, 72)
Evaluate = Callable[..., int]


def write_tunes(folder: Path, count: int, seed: int) -> Path:
    """Tunes of eight bars, notes of two to eight steps."""
    folder.mkdir()
    chance = np.random.default_rng(seed)
    for number in range(count):
        notes, step = [], 0
        while step < 128:
            length = min(128 - step, int(chance.integers(1, 5)) * 2)
            notes.append((int(chance.choice(C_MAJOR)), step, step + length))
            step += length
        write_midi(sequence(*notes), folder / f"{number}.mid")
    return folder


@pytest.fixture(scope="module")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tunes(tmp_path_factory.mktemp("held_out") / "tunes", 4, 0)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tunes(tmp_path_factory.mktemp("training") / "learned", 6, 1)


@pytest.fixture(name="evaluate")
def _evaluate(tunes: Path) -> Evaluate:
    """Run the command in this process, with few resamples."""

    def evaluate(*flags: str, source: Path = tunes) -> int:
        return main(["evaluate", f"--input={source}", "--num_resamples=20", *flags])

    return evaluate


def rows(out: str) -> list[str]:
    """The names of the models in the table, in its order."""
    lines = out.split("\n\n")[1].splitlines()
    assert lines[0].startswith("model ")
    return [line.split("  ")[0] for line in lines[1:] if not line.startswith("/")]


def test_bundles_and_n_gram_models_as_table_json_and_page(
    evaluate: Evaluate, learned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    json_path, html_path = tmp_path / "new" / "figures.json", tmp_path / "page.html"
    code = evaluate(
        f"--bundle_file={LOOKBACK},{ATTENTION}",
        f"--ngram_training={learned}",
        f"--json={json_path}",
        f"--html={html_path}",
    )
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    ngrams = [f"n-gram, order {order}" for order in range(9)]
    assert rows(out) == ["gold_lookback", "gold_attention", *ngrams]
    assert "4 melodies in 4 files, 508 steps predicted" in out
    assert f"n-gram models learned from {learned}: 6 melodies, 768 steps" in out
    written = json.loads(json_path.read_text())
    assert [model["name"] for model in written["models"]] == ["gold_lookback", "gold_attention", *ngrams]
    assert written["models"][0]["members"][0]["settings"]["name"] == "lookback_rnn"
    assert written["models"][1]["members"][0]["parameters"] == 36_470
    assert [melody["file"] for melody in written["melodies"]] == ["0.mid", "1.mid", "2.mid", "3.mid"]
    assert written["interval"] == {"level": 0.95, "num_resamples": 20, "seed": 0}
    page = html_path.read_text()
    assert page.count("<figure>") == 4
    assert "gold_attention" in page


def test_a_seed_gives_the_same_figures_again(evaluate: Evaluate, tmp_path: Path) -> None:
    texts = []
    for name in ("a.json", "b.json"):
        assert evaluate(f"--bundle_file={LOOKBACK}", "--seed=3", f"--json={tmp_path / name}") == 0
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]


def test_runs_and_checkpoints(evaluate: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = preset("basic_rnn").with_hparams({"rnn_layer_sizes": (8,)})
    arrays = {name: np.zeros(shape, np.float32) for name, shape in array_shapes(config).items()}
    for run in ("first", "second"):
        path = checkpoint_path(tmp_path / run / "train", 10)
        path.parent.mkdir(parents=True)
        path.write_bytes(encode_bundle(Bundle(config, arrays)))
    code = evaluate(f"--run_dir={tmp_path / 'first'},{tmp_path / 'second'}", f"--checkpoint_file={path}")
    out, _ = capsys.readouterr()
    assert code == 0
    assert rows(out) == ["checkpoint-00000010", "first", "second"]
    # All classes equally likely: the logarithm of 38.
    assert out.count("  5.248  5.248 to 5.248  ") == 3


def test_names_that_tell_nothing_apart_are_whole_paths(
    evaluate: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "gold_lookback.mag"
    save_bundle(load_bundle(LOOKBACK), copy)
    assert evaluate(f"--bundle_file={LOOKBACK},{copy}") == 0
    out, _ = capsys.readouterr()
    assert f"\n{copy}  " in out
    assert f"\n{LOOKBACK}  " in out


def test_models_that_come_with_ostinato(
    evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    for source, name in ((LOOKBACK, "lookback_rnn"), (ATTENTION, "attention_rnn")):
        save_bundle(load_bundle(source), tmp_path / f"{name}.mag")
    assert evaluate() == 0
    assert rows(capsys.readouterr().out) == ["lookback_rnn", "attention_rnn"]
    assert evaluate("--config=lookback_rnn") == 0
    assert rows(capsys.readouterr().out) == ["lookback_rnn"]
    assert evaluate("--config=ostinato") == 1
    assert "there is no such bundle" in capsys.readouterr().err
    assert evaluate("--config=wrong_rnn") == 2
    assert "no built-in model is called 'wrong_rnn'" in capsys.readouterr().err


def test_without_any_model_the_n_gram_models_do(
    evaluate: Evaluate,
    learned: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    assert evaluate(f"--ngram_training={learned}") == 0
    assert len(rows(capsys.readouterr().out)) == 9
    assert evaluate() == 2
    assert "no model comes with this installation" in capsys.readouterr().err


def test_an_ensemble(evaluate: Evaluate, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(f"--ensemble={LOOKBACK}+{ATTENTION}", f"--bundle_file={LOOKBACK}") == 0
    assert rows(capsys.readouterr().out) == ["gold_lookback", "gold_lookback+gold_attention"]
    assert evaluate(f"--ensemble={LOOKBACK}") == 2
    assert "is one model; name several with + between" in capsys.readouterr().err


def test_what_cannot_be_read_is_named_and_counted(
    evaluate: Evaluate,
    tunes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = write_tunes(tmp_path / "more", 2, 2)
    (folder / "broken.mid").write_bytes(b"nothing")
    assert evaluate(f"--bundle_file={LOOKBACK}", source=folder) == 0
    assert "Left out: 1 file that cannot be read\n" in capsys.readouterr().out
    assert any(message.startswith("  skipped broken.mid: ") for message in caplog.messages)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num_resamples=0"], "--num_resamples must be 1 to 1,000,000, not 0"),
        (["--seed=-1"], "--seed must be at least 0, not -1"),
        (["--json=same", "--html=same"], "--json and --html are both same; give two files"),
        (["--bundle_file={bundle}", "--json={bundle}"], "is read, and would be overwritten; choose another file"),
        (["--html={input}"], "is a folder; choose another file"),
        (["--ngram_training={input}"], "models that count what they predict tell nothing"),
        (["--min_bars=-1"], "min_bars must be at least 0, not -1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    evaluate: Evaluate, tunes: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    assert evaluate(*(flag.format(bundle=LOOKBACK, input=tunes) for flag in flags)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ostinato evaluate: ")
    assert message in err
    assert err.count("\n") == 1


def test_melodies_that_are_not_there(evaluate: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(f"--bundle_file={LOOKBACK}", source=tmp_path / "nowhere") == 1
    assert capsys.readouterr().err.endswith("nowhere: there is no such file\n")


def test_as_a_program_it_loads_no_training_library(tunes: Path) -> None:
    program = (
        "import sys; from ostinato.cli.main import main\n"
        f"code = main(['evaluate', '--input={tunes}', '--bundle_file={LOOKBACK}', '--num_resamples=2'])\n"
        "assert not {'torch', 'numba', 'matplotlib'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "gold_lookback" in done.stdout
