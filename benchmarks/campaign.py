"""Does to Ostinato what can happen to it, for a time you give, and counts what comes of it.

    python benchmarks/campaign.py --minutes=10
    python benchmarks/campaign.py --minutes=60 --seed=7
    python benchmarks/campaign.py --only="convert, killed" --number=12 --seed=7    # the trial that went wrong, again

Commands are killed and must make the same after that, also on a Dask cluster whose
workers are killed; disks are full, folders are read-only, files vanish while they
are read; every kind of file is damaged and read; the studio is asked what cannot
be, and by fifty clients at once. A trial is fine, or refused cleanly: with one
line, an exit code of 1 or 2, and nothing half-written. All else is a fault, of
which the input is kept in --faults. The exit code is 1 if there is any.
"""

import argparse
import contextlib
import functools
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import campaign_commands
import campaign_readers
import campaign_studio
from campaign_trials import FINE, REFUSED, FaultError, Kind
from machine import machine

from ostinato.parallel import Failure, map_jobs

SLICE = 400  # files that are damaged in one go
READING_SECONDS = 30  # that one file may take, by the clock, before its process is stopped


class Campaign:
    """The table in the making.

    Args:
        seed: decides every trial.
        faults: where the inputs of faults go.
    """

    def __init__(self, seed: int, faults: Path) -> None:
        self._seed, self._faults = seed, faults
        self.tried: dict[str, Counter[str]] = defaultdict(Counter)
        self.spent: dict[str, float] = defaultdict(float)  # seconds, by kind
        self.told: list[str] = []

    def command(self, kind: Kind, number: int, folder: Path) -> None:
        """Do the trial of this number."""
        folder.mkdir()
        try:
            self._count(kind.name, kind.trial(random.Random(f"{self._seed}/{kind.name}/{number}"), folder))
        except Exception as error:  # a trial that fails in any way is looked at
            self._fault(kind.name, number, error if isinstance(error, FaultError) else repr(error))
            with contextlib.suppress(OSError, shutil.Error):
                shutil.copytree(folder, self._place(kind.name, number), symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def files(self, name: str, numbers: range) -> None:
        """Damage and read files of a kind."""
        read = functools.partial(campaign_readers.read, name, self._seed)
        for number, outcome in zip(numbers, map_jobs(read, numbers, timeout_seconds=READING_SECONDS), strict=True):
            if isinstance(outcome, Failure):
                self._fault(name, number, outcome.reason)
                place = self._place(name, number)
                place.mkdir(parents=True, exist_ok=True)
                (place / "input").write_bytes(campaign_readers.damaged(name, self._seed, number))
            else:
                self._count(name, outcome)

    def _count(self, name: str, outcome: str) -> None:
        self.tried[name][outcome] += 1

    def _fault(self, name: str, number: int, what: object) -> None:
        self._count(name, "fault")
        told = f'--only="{name}" --number={number} --seed={self._seed}: {what}'
        self.told.append(told)
        print("FAULT", told, flush=True)

    def _place(self, name: str, number: int) -> Path:
        plain = "".join(letter if letter.isalnum() else "_" for letter in name)
        return self._faults / f"{plain}-{self._seed}-{number}"

    def table(self) -> str:
        """What was tried and what came of it, in Markdown."""
        rows = [
            (name, counts.total(), counts[FINE], counts[REFUSED], counts["fault"])
            for name, counts in self.tried.items()
        ]
        total = sum(self.tried.values(), Counter())
        rows.append(("all", total.total(), total[FINE], total[REFUSED], total["fault"]))
        lines = ["| what | tried | fine | refused cleanly | faults |", "|---|---:|---:|---:|---:|"]
        lines += [f"| {name} | " + " | ".join(f"{number:,}" for number in numbers) + " |" for name, *numbers in rows]
        return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=0, help="decides every trial (default: %(default)s)")
    parser.add_argument("--short", action="store_true", help="leave out what takes more than a few seconds a trial")
    parser.add_argument("--only", default="", help="do this kind alone")
    parser.add_argument("--number", type=int, help="with --only, do the trial of this number alone")
    parser.add_argument("--faults", type=Path, default=Path("campaign-faults"), help="folder for the inputs of faults")
    args = parser.parse_args()

    began = time.monotonic()
    campaign = Campaign(args.seed, args.faults)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        commands = {
            kind.name: kind
            for kind in (*campaign_commands.kinds(folder / "materials", stack), *campaign_studio.kinds(stack))
            if not (args.short and kind.slow)
        }
        readers = [
            reader
            for reader in (*campaign_readers.MUSIC, *campaign_readers.READERS)
            if not (args.short and reader in campaign_readers.WITH_PYTORCH)
        ]
        names = [name for name in (*readers, *commands) if args.only in ("", name)]
        if not names:
            parser.error(f"--only={args.only} is none of {', '.join((*readers, *commands))}")
        numbers: Counter[str] = Counter()
        while time.monotonic() - began < 60 * args.minutes:
            kind = min(names, key=lambda each: campaign.spent[each])  # all get the same time
            start = time.monotonic()
            number = numbers[kind] if args.number is None else args.number
            if kind in commands:
                campaign.command(commands[kind], number, folder / "trial")
                numbers[kind] += 1
            else:
                size = SLICE if args.number is None else 1
                campaign.files(kind, range(number, number + size))
                numbers[kind] += size
            campaign.spent[kind] += time.monotonic() - start
            if args.number is not None:
                break
    minutes = (time.monotonic() - began) / 60
    print(f"{date.today()}, {minutes:.1f} minutes, seed {args.seed}, {machine('numpy')}\n\n{campaign.table()}")
    for told in campaign.told:
        print(told)
    return 1 if campaign.told else 0


if __name__ == "__main__":
    sys.exit(main())
