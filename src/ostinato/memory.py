"""How much memory there is, so that what does not fit is refused before it is begun."""

import contextlib
import os
from pathlib import Path

from ostinato.errors import SettingsError

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def require_memory(needed_bytes: float, what: str, count: int) -> None:
    """Refuse work that memory does not hold.

    Args:
        needed_bytes: about how much it takes.
        what: names the work, such as "2,000 melodies of 128 steps side by side".
        count: how many there are of what it takes memory for; the error says how many would go.

    Raises:
        SettingsError: if it takes more than is free.
    """
    free = free_bytes()
    if free is not None and needed_bytes > free:
        most = int(count * free / needed_bytes)
        raise SettingsError(
            f"{what} would take about {_text(needed_bytes)} of memory, but only {_text(free)} is free; "
            + (f"ask for at most {most:,}" if most else "ask for fewer steps")
        )


def free_bytes() -> int | None:
    """The memory that this process can still take: the machine's, or its container's if that is less.

    Returns:
        None if the system does not say.
    """
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        (line,) = [line for line in _MEMINFO.read_text().splitlines() if line.startswith("MemAvailable:")]
        found.append(1024 * int(line.split()[1]))
    with contextlib.suppress(OSError, ValueError):  # no container's limit, or none of version 2
        limit = int((_CGROUP / "memory.max").read_text())
        found.append(limit - int((_CGROUP / "memory.current").read_text()))
    if not found:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # Windows has no sysconf
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found, default=None)


def _text(size: float) -> str:
    return f"{size / 1e9:,.1f} GB"
