"""Damage ABC files in many ways and read them: each tune must convert or be skipped with a reason.

    python benchmarks/fuzz_abc.py --input_dir=FOLDER --count=10000 --seed=0

Prints how many tunes were converted, and skipped for which reason; the slowest
file; and the most memory that a process took. The exit code is 1 if a file
crashed its process, raised anything unforeseen, or took more than 2 seconds
of a processor.
"""

import random
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from fuzzing import run, timed

from ostinato.errors import FormatError
from ostinato.formats import Identity
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.scores.abc import abc_records
from ostinato.formats.scores.abc_book import looks_like_abc

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


def damaged(paths: Sequence[Path], seed: int, number: int) -> bytes:
    """A part of one of these files, damaged."""
    rng = random.Random(f"{seed}-{number}")
    data = rng.choice(paths).read_bytes()
    start = rng.randrange(max(len(data) - MAX_BYTES, 0) + 1)
    return mutate(data[start : start + MAX_BYTES], rng)


def read_mutated(paths: Sequence[Path], seed: int, number: int) -> tuple[list[str], float, float]:
    """Damage one file and read it: the outcome, the processor seconds, and the MiB this process ever took."""
    data = damaged(paths, seed, number)
    looks_like_abc(data)
    records, seconds, mebibytes = timed(lambda: abc_records([data], [Identity()])[0])
    outcomes = []
    for record in [records] if isinstance(records, FormatError) else records:
        if isinstance(record, FormatError):
            outcomes.append(re.sub(r"-?\d+", "N", str(record)))
        elif isinstance(record, bytes):
            sequence = NoteSequence.FromString(record)
            assert all(0 <= note.start_time < note.end_time <= sequence.total_time for note in sequence.notes)
            assert all(0 <= note.pitch < 128 for note in sequence.notes)
            outcomes.append("converted")
    return outcomes, seconds, mebibytes


if __name__ == "__main__":
    sys.exit(run(__doc__, (".abc",), read_mutated))
