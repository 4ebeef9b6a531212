"""The commands that a cluster can do, as processes of their own."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import golden_files
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records

TUNES = golden_files.SMALL / "corpora"
needs_dask = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="distributed is not installed")


def ostinato(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ostinato", *arguments], capture_output=True, text=True, check=False, timeout=240
    )


@needs_dask
def test_convert_and_dataset_write_and_say_the_same_on_a_cluster(tmp_path: Path) -> None:
    said, wrote = [], []
    for runner in ([], ["--runner=dask", "--num-processes=2"]):
        folder = tmp_path / "made"
        convert = ["convert", f"--input_dir={TUNES}", f"--output_file={folder}/n.tfrecord", "--num_shards=3"]
        # The plain name stands for its shards.
        dataset = ["dataset", "--config=lookback_rnn", f"--input={folder}/n.tfrecord", f"--output_dir={folder}"]
        lines = []
        for command in (convert, [*dataset, "--eval_ratio=0.3", "--num_shards=2"]):
            done = ostinato(*command, *runner)
            assert (done.returncode, done.stderr) == (0, "")
            lines += done.stdout.splitlines()
        dashboards = [line for line in lines if line.startswith("Dask shows how the work goes on http://127.0.0.1:")]
        assert len(dashboards) == (2 if runner else 0)
        said.append([line.partition("; ")[0] for line in lines if line not in dashboards])
        wrote.append({path.name: path.read_bytes() for path in folder.iterdir()})
        assert len(expand_paths(f"{folder}/training_melodies@2.tfrecord")) == 2
        assert len([record for path in expand_paths(f"{folder}/n@3.tfrecord") for record in read_records(path)]) == 30
        folder.rename(tmp_path / f"made{len(said)}")
    assert said[0] == said[1]
    assert wrote[0] == wrote[1]
    assert said[0][0] == f"Wrote 30 NoteSequences to {tmp_path}/made/n@3.tfrecord"
    assert said[0][2].startswith(f"{tmp_path}/made/training_melodies@2.tfrecord: ")


@needs_dask
def test_errors_and_exit_codes_are_the_same_on_a_cluster(tmp_path: Path) -> None:
    (tmp_path / "text.mid").write_text("no music")
    command = ["convert", f"--input_dir={tmp_path}", f"--output_file={tmp_path}/out"]
    without, on_dask = ostinato(*command), ostinato(*command, "--runner=dask", "--num_processes=1", "--quiet")
    assert without.returncode == on_dask.returncode == 1
    assert without.stderr == on_dask.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--", "--direct_num_workers=2"], "it takes no '--direct_num_workers=2'"),
        (["--runner=FlinkRunner"], "--runner=FlinkRunner is unknown; the only runner is dask"),
        (["--address=tcp://127.0.0.1:1"], "--address names a Dask scheduler; add --runner=dask"),
        (["--runner=dask", "--address=tcp://127.0.0.1:1", "--num_processes=2"], "leave one out"),
        (["--num_shards=0"], "num_shards must be 1 to 99999, not 0"),
    ],
)
def test_bad_usage(tmp_path: Path, flags: list[str], message: str) -> None:
    done = ostinato("convert", f"--input_dir={TUNES}", f"--output_file={tmp_path}/out", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_commands_without_a_runner_take_no_such_flag() -> None:
    done = ostinato("train", "--run_dir=none", "--sequence_example_file=none", "--runner=dask")
    assert done.returncode == 2
    assert "no flag is called --runner" in done.stderr


def test_without_dask_the_error_tells_how_to_install_it(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['distributed'] = None; from ostinato.cli.main import main; "
        f"sys.exit(main(['convert', '--input_dir={TUNES}', '--output_file={tmp_path}/out', '--runner=dask']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "ostinato convert: --runner=dask needs an extra that is not installed: "
        f"{sys.executable} -m pip install distributed\n"
    )
