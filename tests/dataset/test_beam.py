"""Pipelines are compared with what one machine's own processes write."""

import dataclasses
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden_files
from ostinato.config import preset
from ostinato.dataset.beam import (
    Candidate,
    Output,
    _settle_group,
    _settle_in_order,
    is_local,
    pipeline_options,
    run_pipeline,
)
from ostinato.dataset.beam import build_dataset as build_with_beam
from ostinato.dataset.beam import convert_folder as convert_with_beam
from ostinato.dataset.convert import ConvertReport, NothingConvertedError, convert_folder
from ostinato.dataset.records import DatasetSettings, DatasetStatistics, SeenMelodies, build_dataset
from ostinato.errors import DataError, FormatError, OstinatoError, SettingsError
from ostinato.formats.midi.events import MAX_FILE_BYTES
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records, write_records
from shelf_file_system import Shelf

TUNES = Path(__file__).parents[2] / "data" / "aird" / "midi"


@pytest.fixture
def tunes(tmp_path: Path) -> Path:
    """A folder of 61 MIDI files, one of them in a folder of its own and one broken."""
    folder = tmp_path / "tunes"
    (folder / "deep").mkdir(parents=True)
    for tune in sorted(TUNES.glob("*.mid"))[:60]:
        (folder / tune.name).write_bytes(tune.read_bytes())
    (folder / "deep" / "last.MIDI").write_bytes(tune.read_bytes())
    (folder / "broken.mid").write_bytes(tune.read_bytes()[:20])
    return folder


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path: Path) -> Iterable[None]:
    yield
    assert list(tmp_path.rglob(".*")) == []


TWO_WORKERS = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")


def test_two_workers_write_the_shards_that_one_machine_writes(tunes: Path, tmp_path: Path) -> None:
    local, carried = tmp_path / "local.tfrecord", tmp_path / "carried.tfrecord"
    report = convert_folder(tunes, local, recursive=True, num_shards=3, processes=1)
    carried_report = convert_with_beam(
        str(tunes), str(carried), "DirectRunner", TWO_WORKERS, recursive=True, num_shards=3
    )
    assert carried_report == report
    assert (report.files, report.records, len(report.skipped)) == (62, 61, 1)
    for ours, theirs in zip(expand_paths(str(local)), expand_paths(str(carried)), strict=True):
        assert ours.name.removeprefix("local") == theirs.name.removeprefix("carried")
        records = sorted(read_records(theirs))
        assert records == sorted(read_records(ours))
        assert len(records) > 10


def test_one_file_without_num_shards(tunes: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"an earlier one")
    assert convert_with_beam(str(tunes), str(tmp_path / "out"), "direct").records == 60
    convert_folder(tunes, tmp_path / "local")
    assert sorted(read_records(tmp_path / "out")) == sorted(read_records(tmp_path / "local"))


def test_bad_files_have_the_same_reasons(tunes: Path, tmp_path: Path) -> None:
    (tunes / "large.mid").write_bytes(bytes(MAX_FILE_BYTES + 1))
    (tunes / "link.mid").symlink_to(tmp_path / "none")
    (tunes / "\udcff.mid").write_text("no music")
    (tunes / "cut.mid").write_bytes((tunes / "book1_0001.mid").read_bytes()[:-3])
    report = convert_with_beam(str(tunes), str(tmp_path / "out"), "DirectRunner")
    assert len(report.skipped) == 4
    assert [(remarked.filename, remarked.name) for remarked in report.remarked] == [("cut.mid", "cut off")]
    assert report == convert_folder(tunes, tmp_path / "local")


def test_nothing_converted_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.mid").write_text("no music")
    (tmp_path / "out").write_bytes(b"an earlier one")
    with pytest.raises(
        NothingConvertedError, match=r"its only file could not be converted, .* x\.mid: not a MIDI file"
    ) as caught:
        convert_with_beam(str(tmp_path / "bad"), str(tmp_path / "out"), "DirectRunner")
    assert caught.value.report.files == 1
    assert (tmp_path / "out").read_bytes() == b"an earlier one"


def test_missing_and_empty_folders(tunes: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        convert_with_beam(str(tmp_path / "none"), str(tmp_path / "out"), "DirectRunner")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no file in it ends in .*; --recursive"):
        convert_with_beam(str(tmp_path / "empty"), str(tmp_path / "out"), "DirectRunner")
    with pytest.raises(DataError, match=r"out\.tfrecord: cannot be written: .*Not a directory"):
        convert_with_beam(str(tunes), str(tunes / "broken.mid" / "out.tfrecord"), "DirectRunner")


def test_conversion_on_another_file_system(tunes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = {
        f"shelf://tunes/{path.relative_to(tunes)}": path.read_bytes() for path in tunes.rglob("*") if path.is_file()
    }
    stored |= {"shelf://tunes/notes.txt": b"", "shelf://tunes/large.mid": bytes(MAX_FILE_BYTES + 1)}
    stored |= {"shelf://out/notes.tfrecord": b"an earlier one"}
    monkeypatch.setattr(Shelf, "files", stored)

    def convert(folder: str, recursive: bool) -> ConvertReport:
        return convert_with_beam(folder, "shelf://out/notes.tfrecord", "DirectRunner", recursive=recursive)

    report = convert("shelf://tunes/", recursive=True)
    assert (report.files, report.records) == (63, 61)
    assert [skipped.filename for skipped in report.skipped] == ["broken.mid", "large.mid"]
    assert f"{MAX_FILE_BYTES + 1} bytes is too large" in report.skipped[1].reason
    (tmp_path / "carried").write_bytes(stored["shelf://out/notes.tfrecord"])
    convert_folder(tunes, tmp_path / "local", recursive=True)
    assert sorted(read_records(tmp_path / "carried")) == sorted(read_records(tmp_path / "local"))

    assert convert("shelf://tunes", recursive=False).files == 62
    assert convert("shelf://tunes/deep", recursive=False).files == 1
    with pytest.raises(DataError, match=r"shelf://none: no file in it ends in"):
        convert("shelf://none", recursive=True)
    assert [path for path in stored if path.startswith("shelf://out")] == ["shelf://out/notes.tfrecord"]


RECORDS = list(read_records(golden_files.SMALL / "notesequences.tfrecord"))
SETTINGS = DatasetSettings(preset("lookback_rnn").encoding, eval_ratio=0.3)


@pytest.fixture
def notes(tmp_path: Path) -> str:
    """Two files of NoteSequences: each comes twice, and the second file has one that is none."""
    write_records(tmp_path / "first.tfrecord", RECORDS[:20])
    write_records(tmp_path / "second.tfrecord", [*RECORDS, b"\xff", *RECORDS[:5]])
    return f"{tmp_path}/first.tfrecord,{tmp_path}/second.tfrecord"


def build_locally(notes: str, folder: Path, settings: DatasetSettings, shards: int | None) -> DatasetStatistics:
    records = (record for path in expand_paths(notes) for record in read_records(path))
    train, held_out = folder / "train.tfrecord", folder / "eval.tfrecord"
    return build_dataset(records, train, held_out, settings, num_shards=shards, processes=1)


def contents(path: Path) -> Iterator[list[bytes]]:
    for shard in expand_paths(str(path)):
        yield sorted(read_records(shard))


@pytest.mark.parametrize(
    ("changes", "flags", "shards"),
    [
        ({}, TWO_WORKERS, None),
        ({"dedupe": True, "transpositions": (-1, 0, 30)}, TWO_WORKERS, 3),
    ],
)
def test_the_records_are_those_that_one_machine_writes(
    notes: str, tmp_path: Path, changes: dict[str, object], flags: tuple[str, ...], shards: int | None
) -> None:
    settings = dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]
    local, carried = tmp_path / "local", tmp_path / "carried"
    expected = build_locally(notes, local, settings, shards)
    outputs = [f"{carried}/{name}.tfrecord" for name in ("train", "eval")]
    found = build_with_beam(notes, outputs[0], outputs[1], settings, "DirectRunner", flags, num_shards=shards)
    assert found == expected
    assert found.failure_reasons[0].startswith("NoteSequence 51: ")
    assert (found.duplicates > 20) is settings.dedupe
    for name in ("train.tfrecord", "eval.tfrecord"):
        assert list(contents(carried / name)) == list(contents(local / name))
        assert len(expand_paths(str(carried / name))) == (shards or 1)
    assert min(found.training_records, found.eval_records) > 5


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_melodies_of_two_fingerprints_are_settled_as_in_order(pairs: list[tuple[int, int]]) -> None:
    melodies: list[Candidate] = [
        ((0, 0, number), tuple(bytes([mark]) for mark in pair)) for number, pair in enumerate(pairs)
    ]
    seen = SeenMelodies()
    expected = [position for position, fingerprints in melodies if seen.admits(fingerprints)]

    groups: dict[bytes, list[Candidate]] = {}
    for melody in reversed(melodies):  # in any order
        for mark in set(melody[1]):
            groups.setdefault(mark, []).append(melody)
    settled = [each for group in groups.items() for each in _settle_group(group)]
    admitted = [each for each in settled if isinstance(each, tuple)]
    contested = [each.value for each in settled if not isinstance(each, tuple)]
    assert sorted([*admitted, *_settle_in_order(contested)]) == expected


def test_nothing_to_train_on_writes_nothing(notes: str, tmp_path: Path) -> None:
    (tmp_path / "train").write_bytes(b"an earlier one")
    settings = dataclasses.replace(SETTINGS, extraction=dataclasses.replace(SETTINGS.extraction, min_bars=500))
    with pytest.raises(
        DataError, match=r"there is no usable melody in 56 NoteSequences: 1 NoteSequence that .*min_bars"
    ):
        build_with_beam(notes, f"{tmp_path}/train", f"{tmp_path}/eval", settings, "DirectRunner")
    assert (tmp_path / "train").read_bytes() == b"an earlier one"
    assert not (tmp_path / "eval").exists()


def test_a_damaged_file_is_an_error_or_used_up_to_the_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cut.tfrecord"
    write_records(path, RECORDS)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match=r"cut\.tfrecord: .*after 29 whole records"):
        build_with_beam(str(path), f"{tmp_path}/train", f"{tmp_path}/eval", SETTINGS, "DirectRunner")
    assert [each.name for each in tmp_path.iterdir()] == ["cut.tfrecord"]
    with caplog.at_level(logging.WARNING, "ostinato"):
        found = build_with_beam(
            str(path), f"{tmp_path}/train", f"{tmp_path}/eval", SETTINGS, "DirectRunner", skip_corrupt=True
        )
    assert found.note_sequences == 29
    assert "after 29 whole records" in caplog.text


def test_an_input_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "n-00000-of-00002.tfrecord"
    write_records(path, RECORDS)
    with pytest.raises(SettingsError, match="is an input"):
        build_with_beam(str(path), f"{tmp_path}/n.tfrecord", "eval", SETTINGS, "DirectRunner", num_shards=2)


def test_a_data_set_on_another_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_records(tmp_path / "one", RECORDS[:20])
    write_records(tmp_path / "two", RECORDS[20:])
    stored = {
        "shelf://notes/n-00000-of-00002.tfrecord": (tmp_path / "one").read_bytes(),
        "shelf://notes/n-00001-of-00002.tfrecord": (tmp_path / "two").read_bytes(),
    }
    monkeypatch.setattr(Shelf, "files", stored)
    settings = dataclasses.replace(SETTINGS, eval_ratio=0.0)
    build_dataset(RECORDS, tmp_path / "local", None, settings, processes=1)
    for pattern in ("shelf://notes/n@2.tfrecord", f"{tmp_path}/one, shelf://notes/n-00001-*"):
        build_with_beam(pattern, "shelf://out/train", None, settings, "DirectRunner")
        (tmp_path / "carried").write_bytes(stored.pop("shelf://out/train"))
        assert sorted(read_records(tmp_path / "carried")) == sorted(read_records(tmp_path / "local"))
    with pytest.raises(DataError, match=r"n@3\.tfrecord: there is no file shelf://notes/n-00000-of-00003\.tfrecord"):
        build_with_beam("shelf://notes/n@3.tfrecord", "shelf://out/train", None, settings, "DirectRunner")


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
