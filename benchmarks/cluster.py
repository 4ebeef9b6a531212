"""How long a great many files take on this machine, and on a Dask cluster.

    python benchmarks/cluster.py --input_dir=FOLDER --files=1000000
    python benchmarks/cluster.py --input_dir=FOLDER --files=1000000 --address=tcp://10.0.0.1:8786

The files are hard links to those of a folder, or copies where the disk has no
links, in folders of 10,000, in a new folder beside it, which goes away again.
`ostinato convert` reads all of them, first with the processes of this machine and
then on the cluster, which is one of as many workers here if no address is given.
Both must write the same bytes.
"""

import argparse
import filecmp
import itertools
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import cores, machine

from ostinato.dataset.convert import find_files

FILES_A_FOLDER = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input_dir", required=True, type=Path, help="the folder with the files to link to")
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--address", help="of a Dask scheduler")
    args = parser.parse_args()
    print(machine("numpy", "distributed"))
    runner = ["--runner=dask", *([f"--address={args.address}"] if args.address else [f"--num_processes={cores()}"])]
    with tempfile.TemporaryDirectory(dir=args.input_dir.resolve().parent) as name:
        folder = Path(name)
        multiply(args.input_dir, folder / "files", args.files)
        here, cluster = folder / "here", folder / "cluster"
        for where, output, flags in (("this machine", here, []), ("Dask", cluster, runner)):
            seconds, processor_seconds = convert(folder / "files", output, flags)
            print(
                f"{where}: {args.files:,} files in {seconds:.1f} s, {args.files / seconds:,.0f} files/s; "
                f"{processor_seconds:.1f} s of processor; {output.stat().st_size / 1e6:,.0f} MB"
            )
        print("the same bytes" if filecmp.cmp(here, cluster, shallow=False) else "NOT THE SAME BYTES")


def multiply(source: Path, target: Path, count: int) -> None:
    """Fill a folder with this many links to the music files of another."""
    names = find_files(source, recursive=True)
    for number, name in enumerate(itertools.islice(itertools.cycle(names), count)):
        folder = target / f"{number // FILES_A_FOLDER:05d}"
        if number % FILES_A_FOLDER == 0:
            folder.mkdir(parents=True)
        link = folder / f"{number:08d}{Path(name).suffix}"
        try:
            link.hardlink_to(source / name)
        except OSError:
            shutil.copyfile(source / name, link)


def convert(folder: Path, output: Path, flags: list[str]) -> tuple[float, float]:
    """Seconds by the clock, and of a processor in this machine's processes but for a cluster's."""
    command = [sys.executable, "-m", "ostinato", "convert", "--recursive", "--quiet", f"--input_dir={folder}"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*command, f"--output_file={output}", *flags], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, used


if __name__ == "__main__":
    main()
