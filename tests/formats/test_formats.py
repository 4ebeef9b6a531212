"""What readers hand over, and whole-or-nothing writes."""

import pickle
from pathlib import Path

import pytest

from ostinato.formats import Remark, atomic_writer


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
