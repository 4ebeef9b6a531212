"""Damage MusicXML files in many ways and read them: each must convert or be refused with a reason.

    python benchmarks/fuzz_scores.py --input_dir=tests/cases --count=10000 --seed=0

Half of the damage is done to the XML's elements, so that it stays XML. Every other
score is packed as .mxl, and some of these archives are damaged too. Prints how
many were converted, and refused for which reason; the slowest file; and the most
memory that a process took. The exit code is 1 if a file crashed its process,
raised anything unforeseen, or took more than 2 seconds of a processor.
"""

import io
import random
import re
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from fuzzing import run, timed

from ostinato.errors import FormatError
from ostinato.formats import Identity, Remark
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.scores.musicxml import musicxml_records

Mutation = Callable[[bytearray, random.Random], None]


def flip_bits(octets: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 16)):
        if octets:
            octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)


def cut_end(octets: bytearray, rng: random.Random) -> None:
    del octets[rng.randint(0, len(octets)) :]


def cut_out(octets: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(octets))
    del octets[start : start + rng.randint(1, 64)]


def repeat(octets: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(octets))
    octets[start:start] = octets[start : start + rng.randint(1, 2000)] * rng.randint(1, 30)


def change_text(octets: bytearray, rng: random.Random) -> None:
    """Of an element or an attribute."""
    odd = (b"", b"0", b"-1", b"1e9", b"999999999", b"0.000000001", b"x", b"65537", b"3+", b"nan", b"&nbsp;", b"\xff")
    _replace(octets, re.compile(rb'(?<=>)[^<>]+(?=<)|(?<=")[^"<>]+(?=")'), rng.choice(odd), rng)


def change_tag(octets: bytearray, rng: random.Random) -> None:
    """Make of an empty element another one."""
    names = (b"chord", b"grace", b"cue", b"rest", b"backup", b"forward", b"note", b"measure", b"attributes")
    _replace(octets, re.compile(rb"<\w[\w-]*/>"), b"<" + rng.choice(names) + b"/>", rng)


def drop_element(octets: bytearray, rng: random.Random) -> None:
    _replace(octets, re.compile(rb"<(\w[\w-]*)[^<>]*>[^<>]*</\1>|<\w[^<>]*/>"), b"", rng)


def repeat_element(octets: bytearray, rng: random.Random) -> None:
    found = list(re.finditer(rb"<(note|backup|forward|attributes|direction|measure|part)\b.*?</\1>", octets, re.DOTALL))
    if found:
        element = rng.choice(found)
        octets[element.end() : element.end()] = element[0] * min(rng.choice((1, 3, 300)), 1 + 50_000 // len(element[0]))


def _replace(octets: bytearray, pattern: re.Pattern[bytes], new: bytes, rng: random.Random) -> None:
    found = list(pattern.finditer(octets))
    for place in sorted(rng.sample(found, min(len(found), rng.randint(1, 4))), key=lambda match: -match.start()):
        octets[place.start() : place.end()] = new


BYTES: tuple[Mutation, ...] = (flip_bits, cut_end, cut_out, repeat)
ELEMENTS: tuple[Mutation, ...] = (change_text, change_tag, drop_element, repeat_element)


def xml_of(data: bytes) -> bytes:
    """The score of a file, which may be an archive."""
    if not data.startswith(b"PK"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return max((archive.read(name) for name in archive.namelist()), key=len)


def packed(xml: bytes, rng: random.Random) -> bytes:
    container = b'<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr(rng.choice(("a.xml", "b.xml")), xml)
    return buffer.getvalue()


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to three kinds of damage, one after the other, and a last one to the archive."""
    octets = bytearray(xml_of(data))
    mutations = rng.choice((BYTES, ELEMENTS))
    for _ in range(rng.randint(1, 3)):
        rng.choice(mutations)(octets, rng)
    if rng.random() < 0.5:
        octets = bytearray(packed(bytes(octets), rng))
        if rng.random() < 0.5:
            rng.choice(BYTES)(octets, rng)
    return bytes(octets)


def damaged(paths: Sequence[Path], seed: int, number: int) -> bytes:
    """One of these files, damaged."""
    rng = random.Random(f"{seed}-{number}")
    return mutate(rng.choice(paths).read_bytes(), rng)


def read_mutated(paths: Sequence[Path], seed: int, number: int) -> tuple[list[str], float, float]:
    """Damage one file and read it: the outcome, the processor seconds, and the MiB this process ever took."""
    data = damaged(paths, seed, number)
    records, seconds, mebibytes = timed(lambda: musicxml_records([data], [Identity()])[0])
    if isinstance(records, FormatError):
        outcome = re.sub(r"\d+", "N", re.sub(r"^.* in the archive: ", "", str(records)))[:60]
    else:
        record, *remarks = records
        assert isinstance(record, bytes)
        assert all(isinstance(remark, Remark) for remark in remarks)
        sequence = NoteSequence.FromString(record)
        assert all(0 <= note.start_time <= note.end_time <= sequence.total_time for note in sequence.notes)
        assert all(0 <= note.pitch < 128 for note in sequence.notes)
        outcome = "converted"
    return [outcome], seconds, mebibytes


if __name__ == "__main__":
    sys.exit(run(__doc__, (".xml", ".musicxml", ".mxl"), read_mutated))
