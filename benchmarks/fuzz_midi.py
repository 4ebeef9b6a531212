"""Damage MIDI files in many ways and read them: each must convert or be skipped with a reason.

    python benchmarks/fuzz_midi.py --input_dir=FOLDER --count=10000 --seed=0

Prints how many were converted, and skipped for which reason; the slowest file;
and the most memory that a process took. The exit code is 1 if a file crashed its
process, raised anything unforeseen, or took more than 2 seconds of a processor.
"""

import random
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from fuzzing import run, timed

from ostinato.errors import FormatError
from ostinato.formats import Remark
from ostinato.formats.midi.reader import note_sequence_records
from ostinato.formats.note_sequence_pb2 import NoteSequence


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to three kinds of damage, one after the other."""
    octets = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        rng.choice(MUTATIONS)(octets, rng)
    if rng.random() < 0.6:  # else hardly a file would come past its chunks' lengths
        _mend_lengths(octets)
    return bytes(octets)


def _mend_lengths(octets: bytearray) -> None:
    starts = [place for place in range(len(octets)) if octets.startswith(b"MTrk", place)]
    for start, end in pairwise([*starts, len(octets)]):
        octets[start + 4 : start + 8] = max(end - start - 8, 0).to_bytes(4)


def _flip_bits(octets: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 16)):
        if octets:
            octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)


def _cut_end(octets: bytearray, rng: random.Random) -> None:
    del octets[rng.randint(0, len(octets)) :]


def _cut_out(octets: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(octets))
    del octets[start : start + rng.randint(1, 64)]


def _repeat(octets: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(octets))
    octets[start:start] = octets[start : start + rng.randint(1, 2000)] * rng.randint(1, 30)


def _change_length(octets: bytearray, rng: random.Random) -> None:
    """Of a chunk: the four bytes after MThd or MTrk."""
    places = [place for place in range(len(octets) - 8) if octets.startswith((b"MThd", b"MTrk"), place)]
    if places:
        place = rng.choice(places) + 4
        octets[place : place + 4] = rng.choice(
            (rng.randbytes(4), bytes(4), b"\xff" * 4, rng.randrange(2 * len(octets)).to_bytes(4))
        )


def _change_header(octets: bytearray, rng: random.Random) -> None:
    if len(octets) >= 14:
        place = rng.choice((8, 10, 12))
        octets[place : place + 2] = rng.choice((rng.randbytes(2), bytes(2), b"\xff\xff"))


def _huge_delta(octets: bytearray, rng: random.Random) -> None:
    place = rng.randint(0, len(octets))
    octets[place:place] = bytes(rng.choice((0x81, 0xFF)) for _ in range(rng.randint(1, 12))) + b"\x7f"


def _put_event(octets: bytearray, rng: random.Random) -> None:
    place = rng.randint(0, len(octets))
    octets[place:place] = rng.choice(
        (
            b"\x00\xff\x51\x03\x00\x00\x00",
            b"\x00\xff\x58\x04\x00\xff\x18\x08",
            b"\x00\xff\x59\x02\x7f\x7f",
            b"\x00\xf0\xff\xff\xff\x7f",
            b"\x00\xff\x2f\x00",
            b"\x00\xc0\x05",
            b"\x00\xe0\x00\x40",
            rng.randbytes(rng.randint(1, 40)),
        )
    )


MUTATIONS = (_flip_bits, _cut_end, _cut_out, _repeat, _change_length, _change_header, _huge_delta, _put_event)


def damaged(paths: Sequence[Path], seed: int, number: int) -> bytes:
    """One of these files, damaged."""
    rng = random.Random(f"{seed}-{number}")
    return mutate(rng.choice(paths).read_bytes(), rng)


def read_mutated(paths: Sequence[Path], seed: int, number: int) -> tuple[list[str], float, float]:
    """Damage one file and read it: the outcome, the processor seconds, and the MiB this process ever took."""
    data = damaged(paths, seed, number)
    pieces, seconds, mebibytes = timed(lambda: note_sequence_records([data])[0])
    if isinstance(pieces, FormatError):
        outcome = str(pieces).split(", at byte ")[0]
        outcome = "".join("N" if letter.isdigit() else letter for letter in outcome)
        while "NN" in outcome:
            outcome = outcome.replace("NN", "N")
    else:
        record, *remarks = pieces
        assert isinstance(record, bytes)
        sequence = NoteSequence.FromString(record)
        assert sequence.SerializeToString(deterministic=True) == record
        assert all(0 <= note.start_time < note.end_time <= sequence.total_time for note in sequence.notes)
        assert all(0 <= note.pitch < 128 and 0 < note.velocity < 128 for note in sequence.notes)
        outcome = ", ".join(["converted", *sorted({remark.name for remark in remarks if isinstance(remark, Remark)})])
    return [outcome], seconds, mebibytes


if __name__ == "__main__":
    sys.exit(run(__doc__, (".mid", ".midi"), read_mutated))
