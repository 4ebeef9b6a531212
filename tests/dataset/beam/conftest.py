"""Pipelines are compared with what one machine's own processes write."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

import pytest

# An optional part: where it is not installed its tests are left out.
collect_ignore_glob = [] if importlib.util.find_spec("apache_beam") else ["test_*.py"]

TUNES = Path(__file__).parents[3] / "data" / "aird" / "midi"


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
