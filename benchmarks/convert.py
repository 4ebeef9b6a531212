"""How fast `ostinato convert` is, as a whole process, and what it could not beat.

    python benchmarks/convert.py --input_dir=FOLDER --runs=5

The floor is what any such program must do: start Python with NumPy, read the
files, and write the records.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine import machine

from ostinato.dataset.convert import find_files
from ostinato.formats.tensorflow.tfrecord import read_records, write_records


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description="Time ostinato convert on a folder.")
    parser.add_argument("--input_dir", required=True, type=Path)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()

    names = find_files(args.input_dir, recursive=True)
    bytes_in = sum((args.input_dir / name).stat().st_size for name in names)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "notes.tfrecord"
        command = [
            *(sys.executable, "-m", "ostinato", "convert", "--recursive"),
            *(f"--input_dir={args.input_dir}", f"--output_file={output}"),
        ]
        walls, cpus = [], []
        for _ in range(args.runs):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            walls.append(seconds_of(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        mebibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        records = list(read_records(output))
        numpy = [sys.executable, "-c", "import numpy"]
        start = statistics.median(seconds_of(lambda: subprocess.run(numpy, check=True)) for _ in range(args.runs))
        reading = seconds_of(lambda: [(args.input_dir / name).read_bytes() for name in names])
        writing = seconds_of(lambda: write_records(output, records))
        bytes_out = output.stat().st_size

    wall = statistics.median(walls)
    print(f"machine: {machine('numpy')}")
    print(f"input:   {len(names)} files, {bytes_in:,} bytes; output: {len(records)} records, {bytes_out:,} bytes")
    print(f"wall:    {wall:.2f} s median of {args.runs} ({min(walls):.2f}..{max(walls):.2f}), whole process")
    print(f"cpu:     {statistics.median(cpus):.2f} s median, all processes")
    print(
        f"rate:    {len(names) / wall:,.0f} files/s whole; {len(names) / max(wall - start, 1e-9):,.0f} after the start"
    )
    print(f"memory:  {mebibytes:.0f} MiB, the largest process")
    print(f"floor:   start {start:.2f} s, reading {reading:.2f} s, writing {writing:.2f} s")


if __name__ == "__main__":
    main()
