from pathlib import Path

import pytest

from ostinato.dataset.beam.convert import convert_folder as convert_with_beam
from ostinato.dataset.convert import ConvertReport, NothingConvertedError, convert_folder
from ostinato.errors import DataError
from ostinato.formats.midi.events import MAX_FILE_BYTES
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records
from shelf_file_system import Shelf

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
        NothingConvertedError, match=r"its only file could not be converted, .* x\.mid: no MIDI file"
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


def test_another_file_system(tunes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert f"{MAX_FILE_BYTES + 1} bytes are too many" in report.skipped[1].reason
    (tmp_path / "carried").write_bytes(stored["shelf://out/notes.tfrecord"])
    convert_folder(tunes, tmp_path / "local", recursive=True)
    assert sorted(read_records(tmp_path / "carried")) == sorted(read_records(tmp_path / "local"))

    assert convert("shelf://tunes", recursive=False).files == 62
    assert convert("shelf://tunes/deep", recursive=False).files == 1
    with pytest.raises(DataError, match=r"shelf://none: no file in it ends in"):
        convert("shelf://none", recursive=True)
    assert [path for path in stored if path.startswith("shelf://out")] == ["shelf://out/notes.tfrecord"]
