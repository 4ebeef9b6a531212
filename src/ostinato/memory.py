"""How much memory there is, so that what does not fit is refused before it is begun."""

import contextlib
import os
from pathlib import Path

from ostinato.errors import SettingsError

try:
    import resource
except ModuleNotFoundError:  # Windows, whose limit is higher than any number of shards
    resource = None  # type: ignore[assignment]

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_NEVER_TOO_MANY_FILES = 64
_OTHER_FILES = 64  # of the program itself: libraries, inputs, pipes to its workers


_NEVER_TOO_MUCH_BYTES = 1 << 28  # too little to ask how much there is


def require_memory(needed_bytes: float, what: str, setting: str, value: int, *, power: int = 1) -> None:
    """Refuse work that memory does not hold.

    Args:
        needed_bytes: about how much it takes.
        what: names the work, such as "2,000 melodies of 128 steps".
        setting: what to ask for less of, such as "num_outputs".
        value: how much of it is asked for; the error says how much would go if all else stays.
        power: the memory grows as this power of the value.

    Raises:
        SettingsError: if it takes more than is free.
    """
    if needed_bytes <= _NEVER_TOO_MUCH_BYTES:
        return
    free = free_bytes()
    if free is not None and needed_bytes > free:
        most = int(value * (free / needed_bytes) ** (1 / power))
        raise SettingsError(
            f"{what} would take about {_text(needed_bytes)} of memory, but only {_text(free)} is free; "
            + (f"{setting} can be at most {most:,}" if most > 0 else "free some, or use a larger machine")
        )


def require_open_files(needed: int, what: str, setting: str, value: int) -> None:
    """Refuse more files open at once than the system lets a process have; its limit is raised as far as it can be.

    Args:
        needed: how many.
        what: names the work.
        setting: what to ask for less of, such as "num_shards".
        value: how much of it is asked for.

    Raises:
        SettingsError: if it needs more.
    """
    if needed <= _NEVER_TOO_MANY_FILES or resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise SettingsError(
                f"{what} are {needed:,} files open at once, but the system allows a process {hard:,}; "
                f"{setting} can be at most {max(value * (hard - _OTHER_FILES) // needed, 1):,}"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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
