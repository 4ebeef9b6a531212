"""What the scripts that damage files and read them have in common."""

import argparse
import functools
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from ostinato.formats import Converted
from ostinato.parallel import Failure, map_jobs

LIMIT_SECONDS = 2.0  # of a processor, for one file


def timed(read: Callable[[], Converted]) -> tuple[Converted, float, float]:
    """What reading gives, the processor seconds it took, and the MiB this process ever took."""
    began = time.process_time()
    found = read()
    seconds = time.process_time() - began
    return found, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(
    doc: str | None,
    endings: tuple[str, ...],
    read_mutated: Callable[[Sequence[Path], int, int], tuple[list[str], float, float]],
) -> int:
    """Damage and read many files, print what became of them, and return the exit code.

    Args:
        doc: of the script.
        endings: of the files to damage.
        read_mutated: takes the files, the seed and a number; gives the outcomes, processor seconds and MiB.
    """
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--input_dir", required=True, type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    paths = sorted(path for path in args.input_dir.rglob("*") if path.suffix.lower() in endings)
    if not paths:
        parser.error(f"no {' or '.join(endings)} files in {args.input_dir}")

    outcomes: Counter[str] = Counter()
    slowest, slowest_number, memory, failures = 0.0, 0, 0.0, 0
    work = functools.partial(read_mutated, paths, args.seed)
    for number, result in enumerate(map_jobs(work, range(args.count), timeout_seconds=30)):
        if isinstance(result, Failure):
            failures += 1
            print(f"FAILED: {number}: {result.reason}")
            continue
        found, seconds, mebibytes = result
        outcomes.update(found)
        memory = max(memory, mebibytes)
        if seconds > slowest:
            slowest, slowest_number = seconds, number
    for outcome, count in outcomes.most_common():
        print(f"{count:7}  {outcome}")
    print(f"{failures:7}  failed")
    print(f"slowest file: number {slowest_number}, {1000 * slowest:.0f} ms; peak memory of a process: {memory:.0f} MiB")
    return int(failures > 0 or slowest > LIMIT_SECONDS)
