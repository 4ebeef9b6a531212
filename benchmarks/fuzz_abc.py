"""Damage ABC files in many ways and read them: each tune must convert or be skipped with a reason.

    python benchmarks/fuzz_abc.py --input_dir=FOLDER --count=10000 --seed=0

Prints how many tunes were converted, and skipped for which reason; the slowest
file; and the most memory that a process took. The exit code is 1 if a file
crashed its process, raised anything unforeseen, or took more than 2 seconds
of a processor.
"""

import argparse
import functools
import random
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ostinato.errors import FormatError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.record import Identity
from ostinato.formats.scores.abc import abc_records
from ostinato.formats.scores.abc_book import looks_like_abc
from ostinato.parallel import Failure, map_jobs

LIMIT_SECONDS = 2.0
MAX_BYTES = 20_000  # of a book: more tunes would be more of the same
PIECES = (
    *"[]{}()<>|:&\"!+-^_='/,%$\\\n\r\0",
    *("[V:2]", "[K:", "K:Es\n", "M:2\n", "L:0\n", "Q:0\n", "X:1\n", "\n\n", "&&", "(3:2", "(9:", "Z9999", "A9999"),
    *("%%begintext\n", "%%endtext\n", "m:~n = n/o/n\n", "m:A = AAAAAAAAAA\n"),
    *("&gt;", "<br>", "</p>", "> ", "=3D", "=\n", "\u201c", "\ufeff"),
)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to three kinds of damage, one after the other."""
    octets = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        rng.choice(MUTATIONS)(octets, rng)
    return bytes(octets)


def _change_bytes(octets: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 30)):
        if octets:
            octets[rng.randrange(len(octets))] = rng.randrange(256)


def _cut_out(octets: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(octets))
    del octets[start : start + rng.randint(1, 200)]


def _repeat(octets: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(octets))
    octets[start:start] = octets[start : start + rng.randint(1, 500)] * rng.randint(1, 30)


def _move(octets: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(octets))
    piece = octets[start : start + rng.randint(1, 200)]
    del octets[start : start + len(piece)]
    place = rng.randint(0, len(octets))
    octets[place:place] = piece


def _put_pieces(octets: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 30)):
        place = rng.randint(0, len(octets))
        octets[place:place] = rng.choice(PIECES).encode() * rng.choice((1, 1, 1, 2, 50))


def _change_encoding(octets: bytearray, rng: random.Random) -> None:
    octets[:] = octets.decode("latin-1").encode(rng.choice(("utf-8", "utf-16", "utf-16-le", "utf-16-be")))


MUTATIONS = (_change_bytes, _cut_out, _repeat, _move, _put_pieces, _put_pieces, _change_encoding)


def read_mutated(paths: Sequence[Path], seed: int, number: int) -> tuple[list[str], float, float]:
    """Damage one file and read it: the outcomes, the processor seconds, and the MiB this process ever took."""
    rng = random.Random(f"{seed}-{number}")
    data = rng.choice(paths).read_bytes()
    start = rng.randrange(max(len(data) - MAX_BYTES, 0) + 1)
    data = mutate(data[start : start + MAX_BYTES], rng)
    began = time.process_time()
    looks_like_abc(data)
    (records,) = abc_records([data], [Identity()])
    seconds = time.process_time() - began
    outcomes = []
    for record in [records] if isinstance(records, FormatError) else records:
        if isinstance(record, FormatError):
            outcomes.append(re.sub(r"-?\d+", "N", str(record)))
        else:
            sequence = NoteSequence.FromString(record)
            assert all(0 <= note.start_time < note.end_time <= sequence.total_time for note in sequence.notes)
            assert all(0 <= note.pitch < 128 for note in sequence.notes)
            outcomes.append("converted")
    return outcomes, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--input_dir", required=True, type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    paths = sorted(args.input_dir.rglob("*.abc"))
    if not paths:
        parser.error(f"no ABC files in {args.input_dir}")

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


if __name__ == "__main__":
    sys.exit(main())
