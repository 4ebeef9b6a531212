"""What the figures of a benchmark depend on."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

# OpenBLAS runs another kernel where it does not know a name, so the one that really ran is asked for.
_PROBE = """
import numpy, threadpoolctl
numpy.ones((64, 64), numpy.float32) @ numpy.ones((64, 64), numpy.float32)
print(*{found["architecture"] for found in threadpoolctl.threadpool_info() if found["internal_api"] == "openblas"})
"""


def machine(*packages: str) -> str:
    """This machine and the installed versions of some packages, on one line."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = [f"Python {platform.python_version()}", *(f"{name} {metadata.version(name)}" for name in packages)]
    return f"{processor()}, {cores()} cores{load}; {', '.join(versions)}"


def processor() -> str:
    """The processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2]
    return platform.processor() or platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def kernels(names: Iterable[str]) -> dict[str, str]:
    """The OpenBLAS kernels that run when they are asked for by OPENBLAS_CORETYPE.

    Args:
        names: to ask for, such as Haswell.

    Returns:
        By the name asked for, the one that ran. Those whose instructions this processor lacks are left out.
    """
    found = {}
    for name in names:
        environment = {**os.environ, "OPENBLAS_CORETYPE": name}
        done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, env=environment)
        if done.returncode == 0:
            found[name] = done.stdout.strip()
    return found
