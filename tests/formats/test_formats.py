"""What readers hand over, and whole-or-nothing writes."""

import errno
import os
import pickle
from pathlib import Path

import pytest

from ostinato.formats import Remark, atomic_writer, half_written, lock


def test_a_remark_travels_between_processes() -> None:
    remark = pickle.loads(pickle.dumps(Remark("cut off", "the file ends inside track 3")))
    assert (remark.name, remark.text, str(remark)) == (
        "cut off",
        "the file ends inside track 3",
        "the file ends inside track 3",
    )


def test_a_finished_file_stands_alone(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    with atomic_writer(target) as file:
        file.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_earlier_file(tmp_path: Path, failure: BaseException) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"earlier")

    def write_half() -> None:
        with atomic_writer(target) as file:
            file.write(b"half")
            raise failure

    with pytest.raises(type(failure)):
        write_half()
    assert target.read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_says_which_file(tmp_path: Path) -> None:
    target = tmp_path / "file"

    def fill_the_disk() -> None:
        with atomic_writer(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space") as failed:
        fill_the_disk()
    assert failed.value.filename == str(target)


def test_a_folder_that_cannot_be_written_is_not_told_by_a_temporary_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in (tmp_path / "file" / "it", tmp_path / "file" / "in" / "it"):
        with pytest.raises(NotADirectoryError) as failed, atomic_writer(target, overwrite=False):
            pass
        assert failed.value.filename == str(target.parent)


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_replaces_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:

        def refuse(*_: object) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
    with atomic_writer(tmp_path / "new", overwrite=False) as file:
        file.write(b"first")
    with pytest.raises(FileExistsError), atomic_writer(tmp_path / "new", overwrite=False) as file:
        file.write(b"second")
    assert (tmp_path / "new").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_the_file_is_locked_while_it_is_written(tmp_path: Path) -> None:
    with atomic_writer(tmp_path / "a.b"):
        ((name, temporary),) = half_written(tmp_path)
        assert name == "a.b"
        with temporary.open("r+b") as file:
            assert not lock(file)
    assert half_written(tmp_path) == []
    assert half_written(tmp_path / "none") == []
