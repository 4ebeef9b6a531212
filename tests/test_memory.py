"""What would not fit is refused, by numbers written here in place of the machine's."""

from pathlib import Path

import pytest

from ostinato import memory
from ostinato.errors import SettingsError
from ostinato.memory import free_bytes, require_memory, require_open_files


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for what the system says; with 4 GB free, of which a container may have all."""
    (tmp_path / "meminfo").write_text("MemTotal:       8000000 kB\nMemAvailable:   4000000 kB\nBuffers: 1 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    return tmp_path


def test_the_machines_memory(machine: Path) -> None:
    assert free_bytes() == 4_096_000_000
    (machine / "memory.max").write_text("max\n")
    assert free_bytes() == 4_096_000_000


def test_a_containers_memory(machine: Path) -> None:
    (machine / "memory.max").write_text("3000000000\n")
    (machine / "memory.current").write_text("1000000000\n")
    assert free_bytes() == 2_000_000_000


def test_a_system_without_such_files_says_how_much_it_has_in_all(machine: Path) -> None:
    (machine / "meminfo").unlink()
    found = free_bytes()
    assert found is None or found > 100_000_000


def test_what_does_not_fit_is_refused(machine: Path) -> None:
    require_memory(4e9, "1,000 melodies", "num_outputs", 1000)
    with pytest.raises(SettingsError) as refused:
        require_memory(8.192e9, "1,000 melodies", "num_outputs", 1000)
    assert str(refused.value) == (
        "1,000 melodies would take about 8.2 GB of memory, but only 4.1 GB is free; num_outputs can be at most 500"
    )
    with pytest.raises(SettingsError, match=r"only 4\.1 GB is free; free some, or use a larger machine"):
        require_memory(9e12, "a model of one cell", "rnn_layer_sizes", 1)


def test_what_grows_as_the_square_is_told_by_its_root(machine: Path) -> None:
    # A quarter of the memory is half the size.
    with pytest.raises(SettingsError, match=r"rnn_layer_sizes can be at most 5,000$"):
        require_memory(4 * 4.096e9, "a layer of 10,000 cells", "rnn_layer_sizes", 10_000, power=2)


def test_what_is_never_too_much_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 0)
    require_memory(2**28, "one melody", "num_outputs", 1)
    with pytest.raises(SettingsError):
        require_memory(2**28 + 1, "one melody", "num_outputs", 1)


def test_more_open_files_than_the_system_allows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    limits = [(256, 1024)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
    require_open_files(192, "192 shards", "num_shards", 192)  # and 64 of the program's own
    assert limits == [(256, 1024)]
    require_open_files(900, "900 shards", "num_shards", 900)
    assert limits[-1] == (964, 1024)
    with pytest.raises(SettingsError) as refused:
        require_open_files(20_000, "10,000 shards of 2 files", "num_shards", 10_000)
    assert str(refused.value) == (
        "10,000 shards of 2 files are 20,000 files open at once, but the system allows a process 1,024; "
        "num_shards can be at most 480"
    )
