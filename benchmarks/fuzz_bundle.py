"""Damages real bundles in every way we could think of, and loads what is left.

Each must load, or be refused by an error of Ostinato's own, of one line, in
under 2 s; the process must stay under 1 GiB.

    python benchmarks/fuzz_bundle.py                     # 10,000 mutations, half a minute
    python benchmarks/fuzz_bundle.py --mutations=300 --seed=7

Half of the damage is done to the bytes of the file. The other half is done
inside, to a checkpoint's blocks, entries and messages, to the graph, or to our
own JSON; then all checksums, lengths and handles are made right again, so that
what lies behind them is reached.
"""

import argparse
import collections
import json
import os
import random
import re
import resource
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from google.protobuf.message import DecodeError, Message  # noqa: E402

from ostinato.bundle import load_bundle, save_bundle  # noqa: E402
from ostinato.errors import OstinatoError  # noqa: E402
from ostinato.formats.generator_bundle_pb2 import GeneratorBundle  # noqa: E402
from ostinato.formats.tensorflow import tensorflow_pb2 as pb  # noqa: E402
from ostinato.formats.tensorflow.checkpoint import read_table  # noqa: E402
from tensorflow_files import block, table, varint, with_index, with_trailer  # noqa: E402

INDEX = "index of version 2"
MAX_SECONDS = 2.0
MAX_BYTES = 1 << 30
HOSTILE_NUMBERS = [-1, 0, 1, 2, 3, 39, 40, 63, 127, 128, 255, 1 << 16, (1 << 31) - 1, 1 << 31, 1 << 40, (1 << 63) - 1]
GENERATORS = ["basic_rnn", "mono_rnn", "lookback_rnn", "attention_rnn", "drum_kit", "performance", "", "../x", "a\nb"]

Damage = Callable[[random.Random, bytes], bytes]


def flip_bits(rng: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        at = rng.randrange(8 * len(damaged))
        damaged[at // 8] ^= 1 << at % 8
    return bytes(damaged)


def overwrite(rng: random.Random, data: bytes) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice([1, 2, 4, 8, 100])
    new = rng.choice([b"\0" * length, b"\xff" * length, rng.randbytes(length), varint(rng.choice(HOSTILE_NUMBERS[1:]))])
    return data[:at] + new + data[at + len(new) :]


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))] if rng.random() < 0.7 else data[rng.randrange(len(data)) :]


def change_length(rng: random.Random, data: bytes) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice([1, 2, 7, 100, 5000])
    if rng.random() < 0.5:
        return data[:at] + data[at + length :]
    return data[:at] + rng.choice([rng.randbytes(length), data[at : at + length]]) + data[at:]


BYTES: list[Damage] = [flip_bits, flip_bits, overwrite, overwrite, cut, change_length]


def any_bytes(rng: random.Random, data: bytes) -> bytes:
    return rng.choice(BYTES)(rng, data) if data else rng.randbytes(3)


def fields(rng: random.Random, data: bytes, kind: type[Message]) -> bytes:
    """Change, drop, repeat or swap a field somewhere inside a message."""
    message = kind.FromString(data)
    target: Message = message
    while True:
        inner = []
        for descriptor, value in target.ListFields():
            if descriptor.message_type is None:
                continue
            if descriptor.message_type.GetOptions().map_entry:
                inner += [value[key] for key in value if isinstance(value[key], Message)]
            else:
                inner += list(value) if descriptor.is_repeated else [value]
        if not inner or rng.random() < 0.15:
            break
        target = rng.choice(inner)
    numbers = [field for field in target.DESCRIPTOR.fields if field.message_type is None]
    if not numbers or rng.random() < 0.2:
        target.Clear() if rng.random() < 0.5 else target.MergeFromString(target.SerializeToString())
        return message.SerializeToString()
    field = rng.choice(numbers)
    value = {
        "str": rng.choice([*GENERATORS, "x" * 10_000]),
        "bytes": rng.randbytes(5),
        "bool": rng.random() < 0.5,
        "float": rng.choice([float("nan"), float("inf"), 1e38, 0.0]),
    }.get(type(field.default_value).__name__, rng.choice(HOSTILE_NUMBERS))
    try:
        if field.is_repeated:
            getattr(target, field.name).extend(
                [value if field.type != field.TYPE_STRING else "x"] * rng.choice([1, 99])
            )
        else:
            setattr(target, field.name, value)
    except (TypeError, ValueError):  # a number too large for its field
        target.ClearField(field.name)
    return message.SerializeToString()


def entries(rng: random.Random, data: bytes) -> bytes:
    """Damage the keys or values of a checkpoint; make the table around them right."""
    contents = list(read_table(data, "golden"))
    for _ in range(rng.choice([1, 1, 3])):
        at = rng.randrange(len(contents)) if rng.random() < 0.6 else 0
        key, value = contents[at]
        match rng.randrange(6):
            case 0:
                contents[at] = (key, any_bytes(rng, value))
            case 1 | 2:
                try:
                    contents[at] = (key, fields(rng, value, pb.SavedTensorSlices))
                except DecodeError:
                    contents[at] = (key, any_bytes(rng, value))
            case 3:
                del contents[at]
            case 4:
                contents.append((key + rng.randbytes(1), value))
            case _:
                other = rng.randrange(len(contents))
                contents[at] = (key, contents[other][1])
        if not contents:
            break
    return table(sorted(dict(contents).items()), rng.choice([1, 3, 100]))


def blocks(rng: random.Random, data: bytes) -> bytes:
    """Damage a block of a checkpoint, or where the index says it stands; make its checksum right."""
    contents = block(list(read_table(data, "golden")))
    if rng.random() < 0.7:
        contents = any_bytes(rng, contents)
        if rng.random() < 0.5:  # in its keys and lengths, or in its restarts
            contents = flip_bits(rng, contents[:40]) + contents[40:-8] + flip_bits(rng, contents[-8:] or b"0")
    offset, size = (rng.choice([right, right, right, rng.choice(HOSTILE_NUMBERS[1:])]) for right in (0, len(contents)))
    index = [(b"\xff" + struct.pack(">I", i), varint(offset) + varint(size)) for i in range(rng.choice([1, 1, 50]))]
    return with_index(with_trailer(contents, rng.choice([0, 0, 0, 1, 77])), index)


def settings(rng: random.Random, data: bytes) -> bytes:
    """Damage the JSON at the head of our own safetensors; make its length right."""
    (length,) = struct.unpack_from("<Q", data)
    header = data[8 : 8 + length]
    if rng.random() < 0.5:
        spots = list(re.finditer(rb"\d+|true|false|null|[A-Za-z_.]+", header))
        spot = rng.choice(spots)
        new = rng.choice(
            [b"-1", b"0", b"1e999", b"9" * 30, b"9" * 5000, b"null", b"NaN", b"[]", b"[" * 3000, b'"', b""]
        )
        header = header[: spot.start()] + new + header[spot.end() :]
    else:
        header = any_bytes(rng, header)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def inside(rng: random.Random, data: bytes) -> bytes:
    """Damage a part of a bundle and put the bundle together again."""
    message = GeneratorBundle.FromString(data)
    part = rng.random()
    if part < 0.1:
        message.generator_details.id = rng.choice(GENERATORS)
    elif part < 0.15:
        message.ClearField(rng.choice(["generator_details", "checkpoint_file", "metagraph_file", "bundle_details"]))
    elif part < 0.2:
        message.checkpoint_file.append(rng.choice([message.checkpoint_file[0], b"", message.metagraph_file]))
    elif part < 0.4 and message.metagraph_file[:1] != b"{":
        how: Damage = rng.choice([any_bytes, lambda rng, data: fields(rng, data, pb.MetaGraphDef)])
        message.metagraph_file = how(rng, message.metagraph_file)
    else:
        checkpoint = message.checkpoint_file[0]
        if checkpoint[8:9] == b"{":
            message.checkpoint_file[0] = rng.choice([settings, settings, settings, any_bytes])(rng, checkpoint)
        else:
            message.checkpoint_file[0] = rng.choice([entries, entries, entries, blocks, any_bytes])(rng, checkpoint)
    return message.SerializeToString()


def index_entries(rng: random.Random, data: bytes) -> bytes:
    """Damage the entries of an index of version 2."""
    contents = dict(read_table(data, "golden"))
    key = rng.choice([b"", *contents])
    kind = pb.BundleEntryProto if key else pb.BundleHeaderProto
    contents[key] = fields(rng, contents[key], kind) if rng.random() < 0.7 else any_bytes(rng, contents[key])
    if rng.random() < 0.2:
        contents[rng.choice(list(contents))] = contents[key]
    return table(sorted(contents.items()), 100)


def reason(error: OstinatoError) -> str:
    """An error's text without what changes from one to the next."""
    text = re.sub(r"^[^:]*: ", "", str(error))
    text = re.sub(r"\[[^]]*\]?|\([^)]*\)?|'[^']*'|\"[^\"]*\"|b'.*|\S*[/|]\S*|-?\d[\d.e+]*", "~", text)
    return f"{type(error).__name__}: {' '.join(text.split())[:90]}"


def sources(folder: Path) -> list[Path]:
    """The bundles to damage: those of this project, one of 2017 where OSTINATO_GOLDEN is set, and a converted one."""
    found = sorted((ROOT / "tests" / "golden").glob("*.mag"))
    if golden := os.environ.get("OSTINATO_GOLDEN"):
        found.append(Path(golden) / "public" / "funkyb_attention.mag")
    converted = folder / "converted.mag"
    save_bundle(load_bundle(found[0]), converted, "converted")
    return [*found, converted]


def damaged_bundle(rng: random.Random, bundles: Sequence[tuple[str, bytes]], index: bytes) -> tuple[str, bytes]:
    """One of these bundles, or the index of a checkpoint of version 2: its name, and its bytes, damaged."""
    kind, data = rng.choice([*bundles, (INDEX, index)])
    if kind == INDEX:
        return kind, rng.choice([index_entries, index_entries, any_bytes])(rng, data)
    damaged = rng.choice([any_bytes, inside])(rng, data)
    if rng.random() < 0.02:  # the end of one on the beginning of another
        other = rng.choice(bundles)[1]
        damaged = damaged[: rng.randrange(len(damaged) + 1)] + other[rng.randrange(len(other)) :]
    return kind, damaged


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("error")

    counts: collections.Counter[str] = collections.Counter()
    failures: list[str] = []
    slowest = (0.0, "")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundles = [(path.name, path.read_bytes()) for path in sources(folder)]
        load_bundle(ROOT / "tests" / "golden" / "v2_checkpoint_lookback")  # what is imported late counts for nobody
        v2 = ROOT / "tests" / "golden" / "v2_checkpoint_attention"
        for path in v2.glob("model.ckpt-30.data*"):
            (folder / path.name).write_bytes(path.read_bytes())
        index = (v2 / "model.ckpt-30.index").read_bytes()
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES * 4, MAX_BYTES * 4))  # never fill the machine
        start = time.perf_counter()
        for number in range(args.mutations):
            rng = random.Random(f"{args.seed}/{number}")
            kind, damaged = damaged_bundle(rng, bundles, index)
            path = folder / ("model.ckpt-30.index" if kind == INDEX else "mutation.mag")
            path.write_bytes(damaged)
            began = time.perf_counter()
            try:
                load_bundle(folder / "model.ckpt-30" if path.suffix == ".index" else path)
                outcome = "loaded"
            except OstinatoError as error:
                outcome = reason(error)
                if "\n" in str(error) or not str(error).isprintable():
                    failures.append(f"{args.seed}/{number} of {kind}: an error of several lines: {error!r}")
            except Exception as error:
                outcome = f"NOT OURS: {type(error).__name__}: {error}"
                failures.append(f"{args.seed}/{number} of {kind}: {outcome}")
            seconds = time.perf_counter() - began
            slowest = max(slowest, (seconds, f"{args.seed}/{number} of {kind}: {outcome}"))
            counts[outcome] += 1
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    for outcome, count in counts.most_common():
        print(f"{count:6d}  {outcome}")
    print(f"\n{args.mutations} mutations of {len(bundles)} bundles and a checkpoint of version 2 in {seconds:.1f} s")
    print(f"slowest {slowest[0] * 1000:.1f} ms ({slowest[1]}); peak memory of the process {peak / (1 << 20):.0f} MiB")
    if slowest[0] > MAX_SECONDS:
        failures.append(f"slower than {MAX_SECONDS} s: {slowest[1]}")
    if peak > MAX_BYTES:
        failures.append(f"{peak} bytes of memory")
    for failure in failures:
        print("FAILED", failure)
    print(json.dumps({"mutations": args.mutations, "failures": len(failures)}))
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
