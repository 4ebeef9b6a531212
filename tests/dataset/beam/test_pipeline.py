from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from ostinato.dataset.beam.pipeline import Output, is_local, pipeline_options, run_pipeline
from ostinato.errors import DataError, OstinatoError, SettingsError
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records


def test_beams_flags_reach_it() -> None:
    options = pipeline_options("DirectRunner", ["--direct_num_workers", "3", "--experiments=a", "--experiments=b"])
    found = options.get_all_options()
    assert (found["runner"], found["direct_num_workers"], found["experiments"]) == ("DirectRunner", 3, ["a", "b"])


def test_flags_that_only_the_runner_knows_go_after_two_dashes() -> None:
    options = pipeline_options("FlinkRunner", ["--parallelism=4", "--", "--only_the_runner=5"])
    found = options.get_all_options(retain_unknown_options=True)
    assert (found["parallelism"], found["only_the_runner"]) == (4, "5")
    with pytest.raises(SettingsError, match=r"knows --only_the_runner=5; .* go after --$"):
        pipeline_options("FlinkRunner", ["--only_the_runner=5", "--", "--parallelism=4"])


@pytest.mark.parametrize(
    ("runner", "flags", "message"),
    [
        ("DirectRunner", ["--direct_num_workers=x"], "--direct_num_workers: invalid int value: 'x'"),
        ("DirectRunner", ["--", "--direct_num_workers=x"], "--direct_num_workers: invalid int value: 'x'"),
        ("DirectRunner", ["word"], "knows word; flags"),
        ("NoRunner", [], "--runner=NoRunner: Unexpected pipeline runner"),
    ],
)
def test_wrong_flags_are_refused_in_one_line(runner: str, flags: list[str], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        run_pipeline(pipeline_options(runner, flags), lambda pipeline: None)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_that_fails_is_one_line() -> None:
    def build(pipeline: Any) -> None:
        pipeline | beam.Create([0]) | beam.Map(lambda number: 1 // number)

    with pytest.raises(OstinatoError, match=r"the run on DirectRunner failed: .*division") as caught:
        run_pipeline(pipeline_options("DirectRunner", ()), build)
    assert "\n" not in str(caught.value)


def write(output: Output, records: list[bytes]) -> None:
    def build(pipeline: Any) -> None:
        pipeline | beam.Create(records) | output.write()

    run_pipeline(pipeline_options("DirectRunner", ()), build)


def test_shards_stand_there_when_they_are_published(tmp_path: Path) -> None:
    with Output(str(tmp_path / "deep" / "notes.tfrecord"), 3) as output:
        write(output, [b"one", b"two"])
        assert output.finished_shards() == 2
        assert list((tmp_path / "deep").glob("[!.]*")) == []
        output.publish()
    shards = expand_paths(str(tmp_path / "deep" / "notes.tfrecord"))
    assert [path.name for path in shards] == [f"notes-0000{shard}-of-00003.tfrecord" for shard in range(3)]
    assert sorted(record for path in shards for record in read_records(path)) == [b"one", b"two"]


def test_nothing_stands_there_otherwise(tmp_path: Path) -> None:
    (tmp_path / "notes").write_bytes(b"an earlier one")
    with Output(str(tmp_path / "notes"), None) as output:
        write(output, [b"one"])
    with pytest.raises(RuntimeError), Output(str(tmp_path / "other"), None):
        raise RuntimeError
    assert (tmp_path / "notes").read_bytes() == b"an earlier one"
    assert len(list(tmp_path.iterdir())) == 1


def test_no_records_are_empty_shards(tmp_path: Path) -> None:
    with Output(str(tmp_path / "notes"), 2) as output:
        write(output, [])
        output.publish()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "notes-00000-of-00002": b"",
        "notes-00001-of-00002": b"",
    }


def test_a_folder_with_marks_of_a_glob(tmp_path: Path) -> None:
    with Output(str(tmp_path / "[a]*" / "notes"), None) as output:
        write(output, [b"one"])
        output.publish()
    assert list(read_records(tmp_path / "[a]*" / "notes")) == [b"one"]


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with Output(str(tmp_path / "notes"), None) as output:
        write(output, [b"one"])
        with pytest.raises(DataError, match="notes: cannot be written"):
            output.publish()


def test_is_local() -> None:
    assert is_local("notes.tfrecord")
    assert is_local("/data/notes.tfrecord")
    assert not is_local("gs://bucket/notes.tfrecord")
