import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tiny_examples
from ostinato.bundle import checkpoints, load_bundle
from ostinato.cli.main import main, main_by_magenta_name
from ostinato.cli.train import LiveLine
from ostinato.config import preset
from ostinato.formats.generator_bundle_pb2 import GeneratorBundle
from ostinato.formats.tensorflow.tfrecord import write_records

pytest.importorskip("torch")

CONFIG = preset("basic_rnn")
HPARAMS = "batch_size=3,rnn_layer_sizes=[6],initial_learning_rate=0.01"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the commands that the tests start
    yield
    torch.set_num_threads(before)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tiny_examples.write(tmp_path / "train.tfrecord", CONFIG, tiny_examples.melodies(7))


def flags(run_dir: Path, records: Path, *more: str) -> list[str]:
    return [
        "train",
        f"--run_dir={run_dir}",
        f"--sequence_example_file={records}",
        "--device=cpu",
        *more,
    ]


def new_run(run_dir: Path, records: Path, *more: str) -> list[str]:
    return flags(run_dir, records, "--config=basic_rnn", f"--hparams={HPARAMS}", "--seed=2", *more)


def steps(run_dir: Path) -> list[int]:
    return [step for step, _ in checkpoints(run_dir / "train")]


@contextmanager
def started(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "ostinato", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as job:
        try:
            yield job
        finally:
            job.kill()


def wait_for_step(run_dir: Path, step: int) -> None:
    deadline = time.monotonic() + 60
    while not (made := steps(run_dir)) or made[-1] < step:
        assert time.monotonic() < deadline, f"no checkpoint of step {step}"
        time.sleep(0.02)


def same(one: Path, other: Path, step: int) -> bool:
    from ostinato.training.checkpoints import Checkpoint, read_checkpoint

    def read(run_dir: Path) -> Checkpoint:
        return read_checkpoint(run_dir / "train" / f"checkpoint-{step:08d}.safetensors")

    mine, its = read(one), read(other)
    return all((mine.arrays[name] == its.arrays[name]).all() for name in mine.arrays) and all(
        (mine.squares[name] == its.squares[name]).all() for name in mine.squares
    )


def test_train_then_evaluate(records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = tmp_path / "run"
    assert main(new_run(run_dir, records, "--num_training_steps=4", "--summary_frequency=2")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["step 2", "step 4", str(run_dir)]
    for word in ("learning rate 0.01", "loss ", "perplexity ", "accuracy ", "steps/s", "events/s"):
        assert word in lines[0]
    # Neither --config nor --hparams are needed again.
    assert main(flags(run_dir, records, "--eval", "--num_training_steps=4")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["step 0", "step 4"]
    for word in ("eval loss", "perplexity", "accuracy", "event accuracy", "no-event accuracy", "loss per step"):
        assert word in lines[0]
    assert list((run_dir / "eval").glob("events.out.tfevents.*"))
    assert main(flags(run_dir, records, "--num_training_steps=4")) == 0
    assert "has made 4 steps" in capsys.readouterr().out
    assert main(flags(run_dir, records, "--num_training_steps=5")) == 0
    assert steps(run_dir) == [0, 4, 5]


def test_a_run_stopped_by_a_signal_loses_nothing(records: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    for number in (signal.SIGTERM, signal.SIGINT):
        before = max(steps(run_dir), default=0)
        with started(new_run(run_dir, records, "--checkpoint_seconds=0", "--log=INFO")) as job:
            wait_for_step(run_dir, before + 2)
            job.send_signal(number)
            output, _ = job.communicate(timeout=60)
        assert job.returncode == 128 + number, output
        last = steps(run_dir)[-1]
        assert f"stopped at step {last}" in output
    assert main(flags(run_dir, records, f"--num_training_steps={last + 1}")) == 0
    assert main(new_run(tmp_path / "whole", records, f"--num_training_steps={last + 1}")) == 0
    assert same(run_dir, tmp_path / "whole", last + 1)


def test_a_killed_run_goes_on_from_its_last_checkpoint(records: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    with started(new_run(run_dir, records, "--checkpoint_seconds=0")) as job:
        wait_for_step(run_dir, 3)
        assert main(flags(run_dir, records)) == 1  # a second job
        job.kill()
        job.wait()
    last = steps(run_dir)[-1]
    assert main(flags(run_dir, records, f"--num_training_steps={last + 2}")) == 0
    assert main(new_run(tmp_path / "whole", records, f"--num_training_steps={last + 2}")) == 0
    assert same(run_dir, tmp_path / "whole", last + 2)


def test_evaluation_beside_the_training(records: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    with started(flags(run_dir, records, "--eval", "--num_training_steps=3")) as job:
        assert main(new_run(run_dir, records, "--num_training_steps=3")) == 0
        output, _ = job.communicate(timeout=60)
    assert job.returncode == 0, output
    assert "step 3: eval loss" in output


def test_an_evaluation_that_waits_can_be_stopped(records: Path, tmp_path: Path) -> None:
    with started(flags(tmp_path / "none", records, "--eval", "--log=INFO")) as job:
        assert job.stdout is not None
        assert "waiting for checkpoints" in job.stdout.readline()
        job.terminate()
        assert job.wait(timeout=60) == 128 + signal.SIGTERM


@pytest.mark.parametrize("evaluation", [[], ["--eval"]])
def test_a_file_without_records_is_an_error(
    evaluation: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_records(tmp_path / "empty.tfrecord", [])
    for config in ([], ["--config=basic_rnn"]) if evaluation else (["--config=basic_rnn"],):
        assert main(flags(tmp_path / "run", tmp_path / "empty.tfrecord", *config, *evaluation)) == 1
        error = capsys.readouterr().err
        assert "empty.tfrecord: there are no examples" in error
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("wrong", "exit_code", "message"),
    [
        (
            ["--config=attention_rnn"],
            1,
            "its examples have 38 inputs per step, but attention_rnn needs 74; was it built for basic_rnn",
        ),
        (["--config=attention_rnn", "--eval"], 1, "its examples have 38 inputs per step"),
        ([], 2, "--config is missing"),
        (["--config=jazz_rnn"], 2, "jazz_rnn"),
        (["--config=basic_rnn", "--hparams=batch_sise=3"], 2, "batch_sise"),
        (["--config=basic_rnn", "--device=tpu"], 2, "--device=tpu"),
        (["--config=basic_rnn", "--num_training_steps=-1"], 2, "--num_training_steps=-1"),
        (["--config=basic_rnn", "--sequence_example_file=none.tfrecord"], 1, "none.tfrecord: there is no such file"),
    ],
)
def test_bad_usage_and_bad_data_are_one_line(
    wrong: list[str], exit_code: int, message: str, records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(tmp_path / "run", records, *wrong)) == exit_code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("evaluation", [[], ["--eval"]])
def test_contradictions_name_the_hparam_and_both_values(
    evaluation: list[str], records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(new_run(tmp_path / "run", records, "--num_training_steps=1")) == 0
    again = flags(tmp_path / "run", records, "--num_training_steps=1", *evaluation)
    assert main([*again, "--hparams=batch_size=4"]) == 2
    assert "hparam batch_size 3, not 4" in capsys.readouterr().err
    assert main([*again, "--config=mono_rnn"]) == (1 if evaluation else 2)
    assert ("mono_rnn needs 130" if evaluation else "config basic_rnn, not mono_rnn") in capsys.readouterr().err
    assert main([*again, "--config=basic_rnn", f"--hparams={HPARAMS}"]) == 0


def test_fine_tuning(records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(new_run(tmp_path / "old", records, "--num_training_steps=2")) == 0
    save = ["bundle", "save", f"--run_dir={tmp_path / 'old'}", f"--bundle_file={tmp_path / 'old.mag'}"]
    assert main(save) == 0
    # The model brings its config and hparams; how it learns may change, and the kind of its file is no matter.
    for source in ("old", "old/train/checkpoint-00000002.safetensors", "old.mag"):
        run_dir = tmp_path / "from" / source
        tune = flags(run_dir, records, f"--init_from={tmp_path / source}", "--hparams=batch_size=4", "--seed=5")
        for total in (1, 3):  # the same command line goes on with it
            assert main([*tune, f"--num_training_steps={total}"]) == 0
            assert f"step {total}: learning rate 0.01" in capsys.readouterr().out
    tuned = load_bundle(run_dir)
    assert (tuned.config.hparams.rnn_layer_sizes, tuned.config.hparams.batch_size) == ((6,), 4)
    assert main(["bundle", "show", str(run_dir)]) == 0
    assert re.search(r"init from: +file old\.mag, sha256 [0-9a-f]{64}", capsys.readouterr().out)
    # Without the flag, and so without the file, it goes on too.
    assert main(flags(run_dir, records, "--num_training_steps=4")) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--config=mono_rnn"], "the model's config is basic_rnn, not mono_rnn"),
        (["--hparams=rnn_layer_sizes=[7]"], "rnn_layer_sizes=(6,), not (7,)"),
        (["--hparams=attn_length=3"], "attn_length=0, not 3"),
        (["--hparams=residual_connections=true"], "residual_connections=False, not True"),
        (["--hparams=batch_size=0"], "batch_size must be at least 1"),
    ],
)
def test_what_a_model_is_cannot_change_in_fine_tuning(
    wrong: list[str], message: str, records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(new_run(tmp_path / "old", records, "--num_training_steps=1")) == 0
    capsys.readouterr()
    assert main(flags(tmp_path / "new", records, f"--init_from={tmp_path / 'old'}", *wrong)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_run_that_has_begun_keeps_its_origin(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(new_run(tmp_path / "old", records, "--num_training_steps=1")) == 0
    again = flags(tmp_path / "old", records, f"--init_from={tmp_path / 'old'}", "--num_training_steps=2")
    assert main(again) == 2
    assert "began from random values, not from --init_from=" in capsys.readouterr().err
    assert main(flags(tmp_path / "new", records, f"--init_from={tmp_path / 'none.mag'}")) == 1
    assert "none.mag: there is no such bundle" in capsys.readouterr().err


def test_a_damaged_checkpoint_says_what_to_do(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(new_run(tmp_path / "run", records, "--num_training_steps=2")) == 0
    newest = tmp_path / "run" / "train" / "checkpoint-00000002.safetensors"
    newest.write_bytes(b"")
    assert main(flags(tmp_path / "run", records, "--num_training_steps=3")) == 1
    assert "delete this file" in capsys.readouterr().err


def test_without_pytorch_the_way_to_install_it_is_told(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(new_run(tmp_path / "run", records)) == 1
    assert "pip install torch tensorboard numba" in capsys.readouterr().err


def test_the_settings_are_there_to_read(records: Path, tmp_path: Path) -> None:
    assert main(new_run(tmp_path / "run", records, "--num_training_steps=1")) == 0
    settings = json.loads((tmp_path / "run" / "train" / "settings.json").read_text())
    assert settings["config"]["hparams"]["rnn_layer_sizes"] == [6]
    assert settings["data"]["files"] == ["train.tfrecord"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="the limit is Unix's")
def test_a_file_size_limit_leaves_the_earlier_checkpoint(records: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    assert main(new_run(run_dir, records, "--num_training_steps=2")) == 0
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000));"
        "from ostinato.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = flags(run_dir, records, "--num_training_steps=3")
    finished = subprocess.run([sys.executable, "-c", limited, *arguments], capture_output=True, text=True)
    assert finished.returncode == 1
    assert "checkpoint-00000003.safetensors: the checkpoint cannot be saved" in finished.stderr
    assert "checkpoint-00000002.safetensors is safe" in finished.stderr
    assert main(flags(run_dir, records, "--num_training_steps=3")) == 0


def test_training_with_held_out_melodies_and_samples(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = tiny_examples.write(tmp_path / "eval.tfrecord", CONFIG, tiny_examples.melodies(3, seed=1))
    run_dir = tmp_path / "run"
    more = [f"--eval_file={held_out}", "--eval_every=2", "--patience=1", "--sample_every=2"]
    arguments = [*new_run(run_dir, records, "--num_training_steps=4", *more), "--hparams=" + HPARAMS]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for step in (0, 2, 4):
        assert f"step {step}: eval loss" in out
    best = load_bundle(run_dir / "best")
    assert f"{run_dir / 'best'}: the best, eval loss {best.provenance['held_out']['loss']:.4f} at step 4" in out
    names = [f"step-{step:08d}_{number}.mid" for step in (2, 4) for number in (1, 2, 3, 4)]
    assert sorted(path.name for path in (run_dir / "samples").iterdir()) == names
    assert (run_dir / "samples" / names[0]).read_bytes().startswith(b"MThd")
    # A learning rate that ruins the model.
    ruined = [argument for argument in arguments if not argument.startswith(("--hparams", "--run_dir", "--num"))]
    ruined += [f"--run_dir={tmp_path / 'ruined'}", f"--hparams={HPARAMS.replace('0.01', '50')}"]
    for end in ("no better for long at step 2", "has got no better for long at step 2; a larger --patience"):
        assert main(ruined) == 0
        assert end in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--patience=2"], "--patience=2 is for --eval_file, which is missing"),
        (["--eval", "--eval_file=x"], "leave --eval_file out"),
        (["--lookback_distances=bars", "--init_from=x"], "--lookback_distances are the model's own with --init_from"),
        (["--sample_every=-1"], "--sample_every=-1: must be at least 0"),
    ],
)
def test_flags_that_contradict_each_other(
    wrong: list[str], message: str, records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(new_run(tmp_path / "run", records, *wrong)) == 2
    assert message in capsys.readouterr().err


def test_other_lookback_distances(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = preset("lookback_rnn").with_lookback_distances("1,2,4 bars")
    records = tiny_examples.write(tmp_path / "bars.tfrecord", config, tiny_examples.melodies(4))
    hparams = ["--hparams=batch_size=3,rnn_layer_sizes=[6]", "--seed=2"]
    arguments = [*flags(tmp_path / "run", records), "--config=lookback_rnn", *hparams]
    bars = [*arguments, "--lookback_distances=1,2,4 bars"]
    assert main([*bars, "--num_training_steps=1"]) == 0
    assert load_bundle(tmp_path / "run").config.encoding == config.encoding
    assert main([*bars, "--num_training_steps=2"]) == 0
    assert main([*flags(tmp_path / "run", records), "--num_training_steps=3"]) == 0
    assert main([*arguments, "--lookback_distances=1,2 bars", "--num_training_steps=4"]) == 2
    assert "encoding" in capsys.readouterr().err
    assert main([*flags(tmp_path / "new", records), "--lookback_distances=bars"]) == 2
    assert "--lookback_distances=bars is for --config, which is missing" in capsys.readouterr().err


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _summary(step: int) -> Any:
    from ostinato.training.evaluation import Summary
    from ostinato.training.step import Metrics

    return Summary(step, 0.01, Metrics(1.25, 0.5, 0.5, 0.5, 0.5, 100), 1.0, 10.0, 5000.0, 0.0)


def test_a_script_of_magentas_runs_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its four commands with the flags that all of them share."""
    shared = ["--melody_encoder_decoder=key", "--generator_id=airs_rnn", "--generator_description=Airs of 1782"]
    folder = Path(__file__).parents[1] / "golden" / "aird" / "corpora"
    run_dir, examples = f"--run_dir={tmp_path / 'run'}", tmp_path / "examples"

    def typed(name: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [f"/usr/bin/{name}", *arguments])
        assert main_by_magenta_name() == 0
        return capsys.readouterr().out

    notes = tmp_path / "notes.tfrecord"
    typed(
        "convert_dir_to_note_sequences", f"--input_dir={folder}", f"--output_file={notes}", "--recursive", "--log=WARN"
    )
    typed("melody_rnn_create_dataset", *shared, f"--input={notes}", f"--output_dir={examples}", "--eval_ratio=0.3")
    small = ["--hparams=batch_size=8,rnn_layer_sizes=[8]", "--num_training_steps=2"]
    training = f"--sequence_example_file={examples / 'training_melodies.tfrecord'}"
    typed("melody_rnn_train", *shared, run_dir, training, *small)
    held_out = f"--sequence_example_file={examples / 'eval_melodies.tfrecord'}"
    told = {
        count: typed("melody_rnn_train", *shared, run_dir, held_out, *small, "--eval", f"--num_eval_examples={count}")
        for count in (0, 1, 10**6)
    }
    assert told[0] == told[10**6] != told[1]
    bundle_file = tmp_path / "airs.mag"
    typed("melody_rnn_generate", *shared, run_dir, f"--bundle_file={bundle_file}", "--save_generator_bundle")
    details = GeneratorBundle.FromString(bundle_file.read_bytes()).generator_details
    assert (details.id, details.description) == ("airs_rnn", "Airs of 1782")
    bundle = load_bundle(bundle_file)
    # Magenta's settings where nothing but the encoding is named; batch and layers are those of --hparams.
    hparams = bundle.config.hparams
    assert (bundle.config.encoding, hparams.attn_length) == (preset("attention_rnn").encoding, 0)
    assert (hparams.dropout_keep_prob, hparams.clip_norm, hparams.batch_size) == (1.0, 3.0, 8)
    typed("melody_rnn_generate", f"--bundle_file={bundle_file}", "--num_outputs=1", f"--output_dir={tmp_path / 'out'}")
    assert len(list((tmp_path / "out").glob("*.mid"))) == 1
    assert main(["bundle", "show", str(bundle_file)]) == 0
    assert "airs_rnn" in capsys.readouterr().out


def test_an_encoding_that_is_not_the_configs_is_refused(
    tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(new_run(tmp_path / "run", records, "--melody_encoder_decoder=onehot", "--num_training_steps=1")) == 0
    assert load_bundle(tmp_path / "run").config.hparams.dropout_keep_prob == 0.5  # basic_rnn's own
    for command in (["generate", "--config=lieder"], new_run(tmp_path / "other", records)):
        assert main([*command, "--melody_encoder_decoder=lookback"]) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        config = "lieder" if command[0] == "generate" else "basic_rnn"
        assert error.endswith(
            f": --melody_encoder_decoder=lookback is not the encoding of --config={config}; leave one out"
        )
    assert main(new_run(tmp_path / "other", records, "--num_eval_examples=-1")) == 2
    assert "--num_eval_examples must be at least 0, not -1" in capsys.readouterr().err


def test_the_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    with LiveLine(num_training_steps=20, begun=5) as line:
        line.on_evaluation(5, _summary(5).metrics)
        line.on_step(10, _summary(10))
    shown = screen.getvalue()
    assert "step 5: eval loss 1.2500" in shown
    assert "learning rate" not in shown
    last = shown.rstrip().splitlines()[-1].split("\r")[-1]
    assert " 50%|" in last
    assert "| 10/20 steps [" in last
    assert last.rstrip().endswith(", loss 1.250, held out 1.250")


def test_a_training_that_ends_early_has_made_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from ostinato.training.job import TrainReport

    for stopped, share in ((False, "100%|"), (True, " 50%|")):
        screen = _Terminal()
        monkeypatch.setattr(sys, "stdout", screen)
        monkeypatch.setattr(sys, "stderr", screen)
        with LiveLine(num_training_steps=20) as line:
            line.on_step(10, None)
            line.done(TrainReport(0, 10, stopped, None, 1.0, 0.0))
        assert share in screen.getvalue().split("\r")[-1]


def test_the_held_out_curve_is_drawn_as_it_falls(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with LiveLine(num_training_steps=20, draws_curve=True) as line:
        line.on_evaluation(0, _summary(0).metrics)
        line.on_step(10, _summary(10))
    assert capsys.readouterr() == ("", "")
    screen = _Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    with LiveLine(max_seconds=90, draws_curve=True) as line:
        for step, loss in ((0, 3.0), (10, 2.5), (20, 1.0)):
            line.on_step(step, None)
            line.on_evaluation(step, replace(_summary(step).metrics, loss=loss))
    assert screen.getvalue().count("\n") == 1
    assert screen.getvalue().rstrip().endswith("00:00 of at most 01:30, step 20, held out 1.000 █▆▁")


@pytest.mark.parametrize("max_seconds", [0.0, 600.0])
def test_the_line_of_a_training_whose_last_step_is_unknown(monkeypatch: pytest.MonkeyPatch, max_seconds: float) -> None:
    screen = _Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    with LiveLine(max_seconds=max_seconds) as line:
        line.on_step(1, None)
        line.on_step(2, _summary(2))
    assert "step 2, loss 1.250" in screen.getvalue()
    assert "%|" not in screen.getvalue()
    assert ("00:00 of at most 10:00, " in screen.getvalue()) == (max_seconds > 0)
