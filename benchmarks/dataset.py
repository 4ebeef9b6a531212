"""Times `ostinato dataset` on files of NoteSequences, as whole processes.

    python benchmarks/dataset.py --input=notes.tfrecord
    python benchmarks/dataset.py --input=notes.tfrecord --configs=lookback_rnn --copies=10 --runs=3

Prints, for each config, the melodies, the whole process's time, the rate from
the first NoteSequence read to the files in place (imports not counted), the
processor time of all processes, the most memory that one of them took, and the
floor: the time in which this disk takes as many bytes as were written, synced.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import cores, machine

from ostinato.formats import atomic_writer
from ostinato.formats.tensorflow.tfrecord import expand_paths

MEGABYTE = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", required=True, help="TFRecord files of NoteSequences: a path, a glob, a comma list")
    parser.add_argument("--configs", default="lookback_rnn,attention_rnn", help="comma list (default: %(default)s)")
    parser.add_argument("--copies", type=int, default=1, help="how often to read the input (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of each config (default: %(default)s)")
    parser.add_argument("--num_processes", type=int, default=cores())
    parser.add_argument("--output_dir", type=Path, help="where the data sets go for a while (default: a new folder)")
    args = parser.parse_args()

    print(machine("numpy"))
    with tempfile.TemporaryDirectory(dir=args.output_dir) as folder:
        paths = expand_paths(args.input)
        source = Path(folder) / "notes.tfrecord"
        with source.open("wb") as file:
            for _ in range(args.copies):
                for path in paths:
                    file.write(path.read_bytes())
        read = source.stat().st_size
        for config in args.configs.split(","):
            runs = [measure(config, source, args.num_processes) for _ in range(args.runs)]
            written = sum(path.stat().st_size for path in (Path(folder) / "out").iterdir())
            whole, rate, processor_seconds, memory, melodies = zip(*runs, strict=True)
            print(
                f"{config}: {melodies[0]} melodies, whole process {statistics.median(whole):.2f} s "
                f"({min(whole):.2f}..{max(whole):.2f}), {statistics.median(rate):.0f} melodies/s without imports "
                f"(best {max(rate):.0f}), {statistics.median(processor_seconds):.2f} s of processor, "
                f"peak {max(memory) / MEGABYTE:.0f} MB, "
                f"read {read / MEGABYTE:.1f} MB, wrote {written / MEGABYTE:.1f} MB, "
                f"floor {floor(Path(folder), written):.2f} s"
            )


def measure(config: str, source: Path, processes: int) -> tuple[float, float, float, int, int]:
    """Whole seconds, melodies a second, processor seconds, peak bytes of one process, melodies."""
    began = time.perf_counter()
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "ostinato", "dataset", f"--config={config}", f"--input={source}"),
            *(f"--output_dir={source.parent / 'out'}", f"--num_processes={processes}"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    whole = time.perf_counter() - began
    found = re.match(r"(\d+) melodies .* (\d+) melodies/s", told)
    if process.returncode or found is None:
        raise SystemExit(f"the command failed: {told}")
    return whole, int(found[2]), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, int(found[1])


def floor(folder: Path, size: int) -> float:
    """Seconds that writing and syncing so many bytes takes."""
    block = b"\1" * MEGABYTE
    began = time.perf_counter()
    with atomic_writer(folder / "floor") as file:
        for _ in range(size // MEGABYTE + 1):
            file.write(block)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
