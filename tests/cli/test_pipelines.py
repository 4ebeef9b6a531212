"""The commands as pipelines, as processes of their own."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import golden_files
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records

TUNES = golden_files.SMALL / "corpora"
needs_beam = pytest.mark.skipif(importlib.util.find_spec("apache_beam") is None, reason="apache-beam is not installed")


def ostinato(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ostinato", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@needs_beam
def test_convert_and_dataset_say_the_same_with_a_runner_and_without(tmp_path: Path) -> None:
    said = []
    for runner in (
        [],
        ["--runner=DirectRunner", "--direct-num-workers=2", "--", "--direct_running_mode=multi_threading"],
    ):
        folder = tmp_path / "made"
        made = ostinato(
            "convert", f"--input_dir={TUNES}", f"--output_file={folder}/n.tfrecord", "--num_shards=3", *runner
        )
        assert (made.returncode, made.stderr) == (0, "")
        # The plain name stands for its shards.
        built = ostinato(
            "dataset",
            "--config=lookback_rnn",
            f"--input={folder}/n.tfrecord",
            f"--output_dir={folder}",
            "--eval_ratio=0.3",
            "--num_shards=2",
            *runner,
        )
        assert (built.returncode, built.stderr) == (0, "")
        first, *others = built.stdout.splitlines()
        said.append([made.stdout, first.partition(";")[0], *others])
        assert len(expand_paths(f"{folder}/training_melodies@2.tfrecord")) == 2
        assert len([record for path in expand_paths(f"{folder}/n@3.tfrecord") for record in read_records(path)]) == 30
        folder.rename(tmp_path / f"made{len(said)}")
    assert said[0] == said[1]
    assert said[0][0] == f"Wrote 30 NoteSequences to {tmp_path}/made/n@3.tfrecord\n"
    assert said[0][2].startswith(f"{tmp_path}/made/training_melodies@2.tfrecord: ")


@needs_beam
def test_errors_and_exit_codes_are_the_same_with_a_runner(tmp_path: Path) -> None:
    (tmp_path / "text.mid").write_text("no music")
    command = ["convert", f"--input_dir={tmp_path}", f"--output_file={tmp_path}/out"]
    without, with_runner = ostinato(*command), ostinato(*command, "--runner=DirectRunner")
    assert without.returncode == with_runner.returncode == 1
    assert (without.stdout, without.stderr) == (with_runner.stdout, with_runner.stderr)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--direct_num_workers=2"], "no flag is called --direct_num_workers"),
        (["--", "--direct_num_workers=2"], "it takes no '--direct_num_workers=2'"),
        (["--runner=DirectRunner", "--num_processes=2"], "--num_processes cannot be combined with --runner"),
        (["--num_shards=0"], "num_shards must be 1 to 99999, not 0"),
        pytest.param(["--runner=DirectRunner", "--recursve"], "knows --recursve; flags", marks=needs_beam),
    ],
)
def test_bad_usage(tmp_path: Path, flags: list[str], message: str) -> None:
    done = ostinato("convert", f"--input_dir={TUNES}", f"--output_file={tmp_path}/out", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_commands_without_a_runner_take_no_further_flags() -> None:
    done = ostinato("train", "--run_dir=none", "--sequence_example_file=none", "--runner=DirectRunner")
    assert done.returncode == 2
    assert "no flag is called --runner" in done.stderr


def test_without_beam_the_error_tells_how_to_install_it(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['apache_beam'] = None; from ostinato.cli.main import main; "
        f"sys.exit(main(['convert', '--input_dir={TUNES}', '--output_file={tmp_path}/out', '--runner=DirectRunner']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "ostinato convert: --runner needs an extra that is not installed: "
        f"{sys.executable} -m pip install apache-beam\n"
    )
