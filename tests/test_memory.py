"""What would not fit is refused, by numbers written here in place of the machine's."""

from pathlib import Path

import pytest

from ostinato import memory
from ostinato.errors import SettingsError
from ostinato.memory import free_bytes, require_memory


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
    require_memory(4e9, "1,000 melodies", 1000)
    with pytest.raises(SettingsError) as refused:
        require_memory(8.192e9, "1,000 melodies", 1000)
    assert str(refused.value) == (
        "1,000 melodies would take about 8.2 GB of memory, but only 4.1 GB is free; ask for at most 500"
    )
    with pytest.raises(SettingsError, match="ask for fewer steps"):
        require_memory(9e12, "a melody of 1,000,000,000 steps", 1)
