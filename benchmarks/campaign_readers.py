"""The campaign's part that damages every kind of file and reads it."""

import dataclasses
import functools
import logging
import random
import re
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import fuzz_abc
import fuzz_bundle
import fuzz_midi
import fuzz_scores
from campaign_trials import FINE, REFUSED, ROOT, FaultError
from google.protobuf.message import Message

from ostinato.bundle import load_bundle
from ostinato.config import parse_hparams, preset
from ostinato.dataset.melodies import melodies_of
from ostinato.errors import OstinatoError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.tensorflow.sequence_example import parse_sequence_example
from ostinato.formats.tensorflow.tensorflow_pb2 import SequenceExample
from ostinato.formats.tensorflow.tfrecord import read_records, write_records
from ostinato.music.extract import ExtractionSettings

GOLDEN = ROOT / "tests" / "golden"
MAX_SECONDS = 2.0  # of a processor, for one file
MAX_BYTES = 4 << 30  # of address space, so that no reader fills the machine

MIDI_FILES = sorted((ROOT / "data" / "aird" / "midi").glob("*.mid"))
SCORES = sorted(path for path in (ROOT / "tests" / "cases").rglob("*") if path.suffix in (".xml", ".musicxml", ".mxl"))
ABC_FILES = sorted((ROOT / "tests" / "cases").rglob("*.abc"))
NOTES = GOLDEN / "aird" / "notesequences.tfrecord"
RECORDS = GOLDEN / "earlier" / "eval_melodies.tfrecord"
CHECKPOINT = next((GOLDEN / "earlier" / "run" / "train").glob("*.safetensors"))
INDEX = GOLDEN / "v2_checkpoint_attention" / "model.ckpt-30.index"
HPARAMS = "batch_size=64,rnn_layer_sizes=[64,64],dropout_keep_prob=0.5,attn_length=40,clip_norm=3,lr_schedule=cosine"


@dataclasses.dataclass(frozen=True, slots=True)
class Reader:
    """A reader and what to give it.

    Attributes:
        name: what is read.
        damaged: takes a seed and a number, and gives the bytes.
        read: takes them, and a folder to put them into where they must be a file.
    """

    name: str
    damaged: Callable[[int, int], bytes]
    read: Callable[[bytes, Path], object]


@functools.cache
def contents(path: Path) -> bytes:
    return path.read_bytes()


@functools.cache
def records(path: Path) -> list[bytes]:
    return list(read_records(path))


def any_damage(path: Path, seed: int, number: int) -> bytes:
    return fuzz_bundle.any_bytes(random.Random(f"{seed}-{number}"), contents(path))


def damaged_record(path: Path, kind: type[Message], seed: int, number: int) -> bytes:
    """A record with some fields changed or, more seldom, some bytes."""
    chance = random.Random(f"{seed}-{number}")
    data = chance.choice(records(path))
    for _ in range(chance.randint(1, 3)):
        data = fuzz_bundle.fields(chance, data, kind)
    return fuzz_bundle.any_bytes(chance, data) if chance.random() < 0.3 else data


@functools.cache
def bundles() -> list[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        return [(path.name, path.read_bytes()) for path in fuzz_bundle.sources(Path(folder))]


def damaged_bundle(seed: int, number: int) -> bytes:
    name, data = fuzz_bundle.damaged_bundle(random.Random(f"{seed}-{number}"), bundles(), contents(INDEX))
    return (b"index" if name == fuzz_bundle.INDEX else b"file") + data


def read_bundle(data: bytes, folder: Path) -> None:
    if data.startswith(b"file"):
        (folder / "a.mag").write_bytes(data[4:])
        load_bundle(folder / "a.mag")
        return
    for path in INDEX.parent.glob("model.ckpt-30.data*"):
        (folder / path.name).write_bytes(contents(path))
    (folder / INDEX.name).write_bytes(data[5:])
    load_bundle(folder / INDEX.stem)


def read_checkpoint(data: bytes, folder: Path) -> None:
    from ostinato.training.checkpoints import read_checkpoint

    path = folder / CHECKPOINT.name
    path.write_bytes(data)
    load_bundle(path)
    read_checkpoint(path)


def read_sequence_example(data: bytes, _: Path) -> None:
    parse_sequence_example(data)


def read_training_records(data: bytes, folder: Path) -> None:
    from ostinato.training.data import load_examples

    path = folder / "examples.tfrecord"
    write_records(path, [data, *records(RECORDS)[:2]])
    load_examples(str(path), preset("lookback_rnn"))


def read_file(data: bytes, folder: Path) -> None:
    path = folder / "notes.tfrecord"
    path.write_bytes(data)
    for _ in read_records(path):
        pass


def read_note_sequence(data: bytes, _: Path) -> None:
    melodies_of(data)
    melodies_of(data, ExtractionSettings(meter="auto", polyphony="line", tracks="likeliest"))


def damaged_hparams(seed: int, number: int) -> bytes:
    chance = random.Random(f"{seed}-{number}")
    text = chance.choice([HPARAMS, repr(parse_hparams(HPARAMS))])
    if chance.random() < 0.5:  # a value that cannot be
        values = list(re.finditer(r"[\d.]+|cosine", text))
        value = chance.choice(values)
        odd = chance.choice(["0", "-1", "1e999", "nan", "None", "9" * 400, "1.5", "true", "'x'", "[]", "[0]", "stack"])
        return (text[: value.start()] + odd + text[value.end() :]).encode()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        piece = chance.choice(["", "=", ",", "[", "]", "{", "}", "'", "[" * 200, "lambda: 0", "\0"])
        text = text[:at] + piece + text[at + chance.choice((0, 0, 1, 5)) :]
    return text.encode()


def read_hparams(data: bytes, _: Path) -> None:
    preset("attention_rnn").with_hparams(parse_hparams(data.decode()))


def by_fuzzer(fuzzer: object, paths: list[Path]) -> Callable[[int, int], str]:
    """One of the programs that damage music files: it checks what was read, too."""

    def read(seed: int, number: int) -> str:
        outcomes, _, _ = fuzzer.read_mutated(paths, seed, number)  # type: ignore[attr-defined]
        return FINE if any(outcome.startswith("converted") for outcome in outcomes) else REFUSED

    return read


READERS = {
    reader.name: reader
    for reader in (
        Reader("TFRecord", functools.partial(any_damage, NOTES), read_file),
        Reader("NoteSequence", functools.partial(damaged_record, NOTES, NoteSequence), read_note_sequence),
        Reader(
            "SequenceExample",
            functools.partial(damaged_record, RECORDS, SequenceExample),
            read_sequence_example,
        ),
        Reader("training records", functools.partial(damaged_record, RECORDS, SequenceExample), read_training_records),
        Reader("bundles, Magenta's checkpoints", damaged_bundle, read_bundle),
        Reader("our checkpoints", functools.partial(any_damage, CHECKPOINT), read_checkpoint),
        Reader("hparams", damaged_hparams, read_hparams),
    )
}
MUSIC: dict[str, tuple[object, list[Path]]] = {
    "MIDI": (fuzz_midi, MIDI_FILES),
    "MusicXML, MXL": (fuzz_scores, SCORES),
    "ABC": (fuzz_abc, ABC_FILES),
}
WITH_PYTORCH = {"training records", "our checkpoints"}


def damaged(name: str, seed: int, number: int) -> bytes:
    """What was read."""
    if name in READERS:
        return READERS[name].damaged(seed, number)
    fuzzer, paths = MUSIC[name]
    found: bytes = fuzzer.damaged(paths, seed, number)  # type: ignore[attr-defined]
    return found


def read(name: str, seed: int, number: int) -> str:
    """Damage one file and read it, in a worker process: FINE or REFUSED; whatever else is raised is a fault."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, most))
    warnings.simplefilter("ignore")  # remarks
    logging.disable(logging.WARNING)
    if name in MUSIC:
        return by_fuzzer(*MUSIC[name])(seed, number)
    reader = READERS[name]
    data = reader.damaged(seed, number)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        try:
            reader.read(data, Path(folder))
            outcome = FINE
        except OstinatoError as error:
            if not str(error).isprintable():
                raise FaultError(f"an error of several lines: {error!r}") from None
            outcome = REFUSED
        if (seconds := time.process_time() - began) > MAX_SECONDS:
            raise FaultError(f"it took {seconds:.1f} s")
    return outcome
