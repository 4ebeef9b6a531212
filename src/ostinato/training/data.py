"""The melodies in record files, and the batches that a seed makes of them ahead of each step.

Shapes: B melodies, T steps, D input size, C classes.

The files are read once into compact memory. Of a compact record that is the
melody, until it is due for the first time: then its inputs and labels are made,
and kept. A wide record holds inputs and labels. Every value of our encodings is
-1, 0 or 1, so inputs are kept as bit masks of the ones and of the minus ones, and
since most of these say the same step after step, zlib makes a tenth of them: some
20 bytes a step are left with all that is kept beside them, where the 598 inputs
of ostinato are 2,392 bytes as floats. To unpack a batch takes a tenth of the time
of encoding it again. Inputs with other values, from another program's encoding,
are kept as floats. Both kinds of records give the same batches.

An epoch uses every melody once. The melodies are sorted by length, with as much
chance as keeps padding low, then cut into batches that are as even as possible
and have at most batch_size melodies, and the batches are shuffled. All this
depends only on (seed, epoch): a run that stops can continue at a `Position`, with
any number of processes, each of which takes its share of every batch.
"""

import dataclasses
import functools
import json
import queue
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.config import PRESETS, Config, encoding_from_json
from ostinato.dataset.records import compact_of, encoding_text, example_of, melody_of
from ostinato.errors import DataError, FormatError, SettingsError
from ostinato.formats.tensorflow.compact import CompactRecord, parse_compact
from ostinato.formats.tensorflow.sequence_example import Example, parse_sequence_example
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter

# The label of a step that does not count: padding, and the first skip_first_n_losses.
IGNORED = -100
# How far chance may move a melody among those sorted by length, as a share of its length: more mixes the batches
# better, less pads them less. At a tenth, padding on real melodies stays under a twentieth.
_LENGTH_JITTER = 0.1
_CHORDS = 1  # sets the random numbers of chords apart from those of an epoch's order
_ZLIB_LEVEL = 1  # higher ones take longer, and save little


@dataclass(frozen=True, slots=True)
class PackedInputs:
    """Inputs that are all -1, 0 or 1.

    Attributes:
        signs: uint8 [2, ceil(D / 8), T] as zlib packs it: bit masks of the ones and of the minus ones. Time comes last,
            for along it hardly anything changes.
        num_steps: T.
    """

    signs: bytes
    num_steps: int

    def values(self, input_size: int) -> NDArray[np.int8]:
        """The inputs: [T, D]."""
        signs = np.frombuffer(zlib.decompress(self.signs), np.uint8).reshape(2, -(-input_size // 8), self.num_steps)
        ones, minus_ones = (np.unpackbits(np.ascontiguousarray(each.T), axis=1, count=input_size) for each in signs)
        return ones.view(np.int8) - minus_ones.view(np.int8)


def pack(inputs: NDArray[np.float32]) -> PackedInputs | NDArray[np.float32]:
    """Inputs [T, D] in as little memory as they need."""
    ones, minus_ones = inputs == 1, inputs == -1
    if not np.all(ones | minus_ones | (inputs == 0)):
        return np.array(inputs, np.float32)
    signs = np.stack([np.packbits(each, axis=1).T for each in (ones, minus_ones)])
    return PackedInputs(zlib.compress(signs.tobytes(), _ZLIB_LEVEL), len(inputs))


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """The training pairs of one melody.

    Attributes:
        inputs: [T, D], packed if all are -1, 0 or 1.
        labels: [T].
        right: uint8 [T, ceil(C / 8)], bit masks of the classes that stand for the event; None if the loss only uses
            the label.
    """

    inputs: PackedInputs | NDArray[np.float32]
    labels: NDArray[np.integer]
    right: NDArray[np.uint8] | None


@dataclass(frozen=True, eq=False)
class Examples:
    """The melodies to learn from or to evaluate on, in the order of the files.

    Attributes:
        files: where they come from.
        config: whose encoding makes, or has made, the pairs.
        melodies: each as its record holds it: the melody, or its pairs.
        lengths: T of each melody.
        upbeats: how many of the melodies begin with an upbeat; None if their records don't say.
    """

    files: tuple[str, ...]
    config: Config
    melodies: tuple[CompactRecord | Pairs, ...]
    lengths: NDArray[np.int64]
    upbeats: int | None = None
    _encoded: dict[int, Pairs] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.melodies)

    @functools.cached_property
    def input_type(self) -> type[np.int8] | type[np.float32]:
        """Of the inputs of a batch: whole numbers if all are -1, 0 or 1."""
        are_plain = (isinstance(one, Pairs) and not isinstance(one.inputs, PackedInputs) for one in self.melodies)
        return np.float32 if any(are_plain) else np.int8

    def pairs(self, number: int) -> Pairs:
        """The training pairs of a melody, by its number from 0."""
        melody = self.melodies[number]
        if isinstance(melody, Pairs):
            return melody
        if number not in self._encoded:
            example = example_of(melody_of(melody), self.config.encoding)
            self._encoded[number] = _pairs(example, self.config, self.files[0])
        return self._encoded[number]

    def first(self, count: int) -> "Examples":
        """The first of them that have a step, or all where `count` is 0."""
        if count == 0:
            return self
        end = int(np.searchsorted(np.cumsum(self.lengths > 0), count)) + 1
        return dataclasses.replace(self, melodies=self.melodies[:end], lengths=self.lengths[:end], upbeats=None)

    def told(self) -> dict[str, Any]:
        """What checkpoints say about the data: names of the files, melodies, steps, the share with an upbeat."""
        names = [Path(file).name for file in self.files]
        told: dict[str, Any] = {"files": names, "num_melodies": len(self), "num_steps": int(self.lengths.sum())}
        return told if self.upbeats is None else told | {"upbeats": round(self.upbeats / len(self), 3)}


def load_examples(pattern: str, config: Config, *, skip_corrupt: bool = False) -> Examples:
    """Read the records of `ostinato dataset`, compact or wide, for the training or evaluation of a model.

    Args:
        pattern: a path, a glob, a comma list or a set of shards of TFRecord files.
        config: whose encoding must have made the examples.
        skip_corrupt: use the whole records before a damaged one instead of raising.

    Raises:
        FormatError: if a file is damaged, or its examples do not fit the config.
        DataError: if there is no such file, or no example in any.
    """
    paths = expand_paths(pattern)
    return _examples(_read(paths, skip_corrupt=skip_corrupt), config, tuple(map(str, paths)), pattern)


def examples_of_melodies(melodies: Iterable[Melody], config: Config, name: str) -> Examples:
    """The training pairs of melodies, as their records would give them.

    Args:
        melodies: in the range and key of the config's encoding.
        config: whose encoding encodes them.
        name: what checkpoints call them.

    Raises:
        DataError: if there is no melody of two steps.
    """
    encoding = config.encoding
    return _examples(((name, compact_of(melody, encoding)) for melody in melodies), config, (name,), name)


def _examples(
    records: Iterable[tuple[str, CompactRecord | Example]], config: Config, files: tuple[str, ...], source: str
) -> Examples:
    """All of them; each comes with where it is from."""
    melodies: list[CompactRecord | Pairs] = []
    lengths = []
    upbeats: int | None = 0
    for place, record in records:
        if isinstance(record, CompactRecord):
            has_upbeat = _checked(record, config, place).has_upbeat
            upbeats = None if upbeats is None else upbeats + has_upbeat
            melodies.append(record)
            lengths.append(max(len(record.events) - 1 + record.ends, 0))
            continue
        _check(record, config, place)
        if not melodies:
            _check_encoding(record, config, place)
        # An example without steps stays, so that record numbers are the file's; it adds nothing to any sum.
        melodies.append(_pairs(record, config, place))
        lengths.append(len(record.labels))
        upbeats = None if upbeats is None or record.events is None else upbeats + record.has_upbeat
    if sum(lengths) == 0:
        raise no_records(source)
    return Examples(files, config, tuple(melodies), np.array(lengths, np.int64), upbeats)


def _pairs(example: Example, config: Config, source: str) -> Pairs:
    """The training pairs of a melody as they are kept."""
    inputs = pack(example.inputs.reshape(-1, config.encoding.input_size))
    labels = example.labels.astype(np.min_scalar_type(config.encoding.num_classes - 1))
    return Pairs(inputs, labels, _right_classes(example, config, source))


def require_records(pattern: str, *, skip_corrupt: bool = False) -> None:
    """Make sure, without reading on, that there is at least one record.

    Raises:
        FormatError: if the first record is damaged.
        DataError: if there is no such file, or no record in any.
    """
    for path in expand_paths(pattern):
        for _ in read_records(path, skip_corrupt=skip_corrupt):
            return
    raise no_records(pattern)


def no_records(pattern: str) -> DataError:
    """The error for files without a single example."""
    return DataError(
        f"{pattern}: there are no examples in it; `ostinato dataset` makes them and says why if it finds no melody, "
        "and with few pieces a larger --eval_ratio holds some out for evaluation"
    )


def _read(paths: Sequence[Path], *, skip_corrupt: bool) -> Iterator[tuple[str, CompactRecord | Example]]:
    for path in paths:
        for number, record in enumerate(read_records(path, skip_corrupt=skip_corrupt), start=1):
            source = f"{path}, record {number}"
            try:
                yield source, parse_compact(record) or parse_sequence_example(record)
            except FormatError as error:
                raise FormatError(f"{source}: {error}") from None


def _checked(record: CompactRecord, config: Config, source: str) -> Melody:
    """The melody of a compact record, if it was made for the config's encoding.

    Raises:
        FormatError: if it was made for another one, or is no melody of its range.
    """
    encoding = config.encoding
    if record.encoding != encoding_text(encoding):
        _check_settings(record.encoding, config, source)
    try:
        melody = melody_of(record)
    except SettingsError as error:
        raise FormatError(f"{source}: {error}; build the data set again") from None
    outside = [pitch for pitch in set(melody.pitches) if not encoding.min_pitch <= pitch < encoding.max_pitch]
    if outside:
        raise FormatError(
            f"{source}: pitch {outside[0]} is outside the encoding's {encoding.min_pitch}..{encoding.max_pitch - 1}; "
            "build the data set again"
        )
    if record.ends and not encoding.foretells_end:
        raise FormatError(f"{source}: it ends, which {config.name} does not predict; build the data set again")
    return melody


def _check_settings(text: str, config: Config, source: str) -> None:
    """Make sure that the encoding of a compact record is the config's, though it may be written otherwise."""
    try:
        there: Any = encoding_from_json(json.loads(text))
    except (ValueError, RecursionError, FormatError) as error:
        raise FormatError(f"{source}: {error}; build the data set again") from None
    here: Any = config.encoding
    if there == here:
        return
    names = [name for name, preset in PRESETS.items() if preset.encoding == there]
    if names:
        what = f"for {' or '.join(names)}, not for {config.name}"
    elif type(there) is type(here):
        name = next(
            each.name for each in dataclasses.fields(here) if getattr(there, each.name) != getattr(here, each.name)
        )
        what = f"with {name} {getattr(there, name)!r}, but {config.name} has {getattr(here, name)!r}"
    else:
        what = f"for another encoding than {config.name}'s"
    raise FormatError(
        f"{source}: it was made {what}; give `ostinato dataset` and `ostinato train` the same --config and "
        "--lookback_distances"
    )


def _check(example: Example, config: Config, source: str) -> None:
    encoding = config.encoding
    if len(example.labels) == 0:
        return
    size = example.inputs.shape[1]
    if size != encoding.input_size:
        fitting = [name for name, preset in PRESETS.items() if preset.encoding.input_size == size]
        hint = f"; was it built for {' or '.join(fitting)}?" if fitting else "; build it again with `ostinato dataset`"
        raise FormatError(
            f"{source}: its examples have {size} inputs per step, but {config.name} needs {encoding.input_size}{hint}"
        )
    if not 0 <= example.labels.min() <= example.labels.max() < encoding.num_classes:
        raise FormatError(
            f"{source}: its labels are {example.labels.min()}..{example.labels.max()}, but {config.name} has classes "
            f"0..{encoding.num_classes - 1}; build it again with `ostinato dataset --config={config.name}`"
        )


def _check_encoding(example: Example, config: Config, source: str) -> None:
    """If a record contains its melody, make sure that the config's encoding makes the same numbers of it."""
    melody = _melody(example)
    if melody is None or len(example.labels) == 0:
        return
    inputs, labels = config.encoding.encode(melody)
    if not (np.array_equal(inputs, example.inputs) and np.array_equal(labels, example.labels)):
        raise FormatError(
            f"{source}: it was made with different encoding settings than {config.name}'s; give `ostinato dataset` and "
            "`ostinato train` the same --config and --lookback_distances"
        )


def _right_classes(example: Example, config: Config, source: str) -> NDArray[np.uint8] | None:
    """Bit masks [T, ceil(C / 8)] of the classes that stand for each event to predict; None if the loss needs none."""
    if config.hparams.loss != "events":
        return None
    encoding = config.encoding
    melody = _melody(example)
    if melody is None:
        raise FormatError(
            f"{source}: does not contain its melody, which hparam loss=events needs; build it with `ostinato dataset`"
        )
    stand_for = encoding.class_events(melody)[1:] == np.array(melody.events[1:], np.int64)[:, None]
    right = np.zeros((len(example.labels), encoding.num_classes), np.bool_)
    right[: len(stand_for), : stand_for.shape[1]] = stand_for
    # What is left is the end of the tune, which has its own class.
    right[len(stand_for) :, -1] = True
    return np.packbits(right, axis=1)


def _melody(example: Example) -> Melody | None:
    """The melody that a record contains besides its numbers; None if it does not."""
    if example.events is None or example.steps_per_bar is None:
        return None
    meter = None if example.meter is None else Meter(*example.meter)
    return Melody(
        example.events.tolist(),
        steps_per_bar=example.steps_per_bar,
        meter=meter,
        ends=example.ends,
        chords=example.chords,
    )


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the training data: the next batch of an epoch, both counted from 0."""

    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Melodies side by side, or one process's share of them.

    Attributes:
        inputs: [B, T, D], int8 or float32, zero where a melody has ended. Time comes first in memory.
        labels: int64 [B, T], IGNORED at steps that do not count.
        right: bool [B, T, C], the classes that stand for the event; None if the loss only uses the label.
        records: numbers of the whole batch's melodies among the examples, from 0.
        num_steps: steps of the whole batch that count.
        next_position: where the training data continues after this batch.
    """

    inputs: Tensor
    labels: Tensor
    right: Tensor | None
    records: tuple[int, ...]
    num_steps: int
    next_position: Position


def epoch_order(lengths: NDArray[np.int64], batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The melodies' numbers of each batch of an epoch, in order."""
    chance = np.random.default_rng([seed, epoch])
    order = np.argsort(lengths * (1 + _LENGTH_JITTER * chance.random(len(lengths))), kind="stable")
    batches = np.array_split(order, -(-len(lengths) // batch_size))
    return [batches[number] for number in chance.permutation(len(batches))]


def _chords_shown(examples: Examples, seed: int, epoch: int) -> NDArray[np.bool_] | None:
    """Of which melodies an epoch shows the chords; None for all."""
    config = examples.config
    if not config.encoding.num_chord_inputs or config.hparams.chord_keep_prob == 1:
        return None
    shown: NDArray[np.bool_] = (
        np.random.default_rng([seed, epoch, _CHORDS]).random(len(examples)) < config.hparams.chord_keep_prob
    )
    return shown


def training_batches(
    examples: Examples,
    *,
    batch_size: int,
    seed: int,
    start: Position,
    skip_first_n_losses: int = 0,
    rank: int = 0,
    num_processes: int = 1,
) -> Iterator[Batch]:
    """Endless batches, epoch after epoch.

    Args:
        examples: what to learn from.
        batch_size: the most melodies in a batch, over all processes.
        seed: decides the order, together with the epoch.
        start: the first batch to yield.
        skip_first_n_losses: first steps of each melody that do not count.
        rank: this process's number, from 0.
        num_processes: how many share each batch.
    """
    epoch, first = start.epoch, start.batch
    while True:
        batches = epoch_order(examples.lengths, batch_size, seed, epoch)
        chords_shown = _chords_shown(examples, seed, epoch)
        for index in range(first, len(batches)):
            last = index + 1 == len(batches)
            after = Position(epoch + 1) if last else Position(epoch, index + 1)
            # Every num_processes-th: the batch is sorted by length, so the shares are of like length too.
            share = batches[index][rank::num_processes]
            yield _batch(examples, batches[index], share, skip_first_n_losses, after, chords_shown)
        epoch, first = epoch + 1, 0


def evaluation_batches(examples: Examples, *, batch_size: int, skip_first_n_losses: int = 0) -> Iterator[Batch]:
    """Every example once, by length; the last batch has what is left."""
    order = np.argsort(examples.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        numbers = order[start : start + batch_size]
        yield _batch(examples, numbers, numbers, skip_first_n_losses, Position())


def _batch(
    examples: Examples,
    numbers: NDArray[np.int64],
    share: NDArray[np.int64],
    skip: int,
    after: Position,
    chords_shown: NDArray[np.bool_] | None = None,
) -> Batch:
    num_steps = int(np.maximum(examples.lengths[numbers] - skip, 0).sum())
    records = tuple(numbers.tolist())
    if len(share) == 0:  # more processes than melodies: this one adds nothing, but takes part
        nothing = torch.zeros(1, 1, examples.config.encoding.input_size, dtype=torch.int8)
        return Batch(nothing, torch.full((1, 1), IGNORED), None, records, num_steps, after)
    encoding = examples.config.encoding
    size, longest = encoding.input_size, max(1, int(examples.lengths[share].max()))
    inputs = np.zeros((longest, len(share), size), examples.input_type)
    labels = np.full((len(share), longest), IGNORED, np.int64)
    # No class is right where a melody has ended.
    right = np.zeros((len(share), longest, -(-encoding.num_classes // 8)), np.uint8)
    for row, number in enumerate(share.tolist()):
        pairs = examples.pairs(number)
        length = len(pairs.labels)
        kept = pairs.inputs
        inputs[:length, row] = kept.values(size) if isinstance(kept, PackedInputs) else kept
        if chords_shown is not None and not chords_shown[number]:
            inputs[:, row, size - encoding.num_chord_inputs :] = 0
        labels[row, skip:length] = pairs.labels[skip:]
        if pairs.right is not None:
            right[row, :length] = pairs.right
    by_events = examples.config.hparams.loss == "events"
    # The last few classes are padding.
    classes = torch.from_numpy(np.unpackbits(right, axis=2).view(np.bool_)) if by_events else None
    return Batch(torch.from_numpy(inputs).transpose(0, 1), torch.from_numpy(labels), classes, records, num_steps, after)


class Prefetched:
    """An iterator that a thread runs ahead of the reader.

    If the iterator raises, the error appears where its next item was due. Leaving the
    `with` block ends the thread.

    Attributes:
        seconds_waited: how long the reader has waited for items in total.
    """

    def __init__(self, batches: Iterator[Batch], ahead: int = 2) -> None:
        """Start reading.

        Args:
            batches: what to read; it belongs to the thread from now on.
            ahead: how many finished items wait at most.
        """
        self.seconds_waited = 0.0
        self._ready: queue.Queue[Batch | BaseException] = queue.Queue(ahead)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(batches,), name="batches", daemon=True)
        self._thread.start()

    def _read(self, batches: Iterator[Batch]) -> None:
        try:
            for batch in batches:
                self._ready.put(batch)
                if self._closed.is_set():
                    return
            self._ready.put(StopIteration())
        except BaseException as error:
            self._ready.put(error)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        start = time.perf_counter()
        item = self._ready.get()
        self.seconds_waited += time.perf_counter() - start
        if isinstance(item, BaseException):
            self._ready.put(item)  # for whoever asks again
            raise item
        return item

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed.set()
        while self._thread.is_alive():
            try:  # make room for the item that the thread may be holding
                self._ready.get(timeout=0.01)
            except queue.Empty:
                continue
        self._thread.join()
