"""The training pairs in record files, and the batches that a seed makes from them ahead of each step.

Shapes: B melodies, T steps, D input size, C classes.

The files are read once into compact memory. Every value of our encodings is -1,
0 or 1, so a row of inputs is kept as two bit masks, one of its ones and one of
its minus ones: 32 bytes a step for the 121 inputs of lookback_rnn, where floats
take 484. 100,000 melodies of 312 steps, the mean of real ones, then take 1 GB,
and unpacking a batch takes a hundredth of the time of encoding it again.
Rows with other values, from another program's encoding, are kept as floats.

An epoch uses every melody once. The melodies are sorted by length, with as much
chance as keeps padding low, then cut into batches that are as even as possible
and have at most batch_size melodies, and the batches are shuffled. All this
depends only on (seed, epoch): a run that stops can continue at a `Position`, with
any number of processes, each of which takes its share of every batch.
"""

import queue
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.config import PRESETS, Config
from ostinato.dataset.records import example_of
from ostinato.encodings import Encoding
from ostinato.errors import DataError, FormatError
from ostinato.formats.tensorflow.sequence_example import Example, parse_sequence_example
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter

# The label of a step that does not count: padding, and the first skip_first_n_losses.
IGNORED = -100
# How far chance may move a melody among those sorted by length, as a share of its length: more mixes the batches
# better, less pads them less. At a tenth, padding on real melodies stays under a twentieth.
_LENGTH_JITTER = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class PackedInputs:
    """Inputs that are all -1, 0 or 1.

    Attributes:
        signs: uint8 [T, 2, ceil(D / 8)], bit masks of the ones and of the minus ones.
    """

    signs: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.signs)


@dataclass(frozen=True, slots=True, eq=False)
class PlainInputs:
    """Inputs of any values: float32 [T, D]."""

    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)


def pack(inputs: NDArray[np.float32]) -> PackedInputs | PlainInputs:
    """Inputs [T, D] in as little memory as they need."""
    ones, minus_ones = inputs == 1, inputs == -1
    if not np.all(ones | minus_ones | (inputs == 0)):
        return PlainInputs(np.array(inputs, np.float32))
    return PackedInputs(np.packbits(np.stack([ones, minus_ones], axis=1), axis=-1))


def pad(melodies: Sequence[PackedInputs | PlainInputs], input_size: int) -> NDArray[np.int8] | NDArray[np.float32]:
    """Inputs of B melodies side by side, zero where a melody has ended.

    Returns:
        [T, B, D] for the longest melody's T, at least 1; int8 where all are packed, else float32.
    """
    longest = max(1, *(len(melody) for melody in melodies))
    if all(isinstance(melody, PackedInputs) for melody in melodies):
        signs = np.zeros((longest, len(melodies), 2, -(-input_size // 8)), np.uint8)
        for column, melody in enumerate(melodies):
            assert isinstance(melody, PackedInputs)
            signs[: len(melody), column] = melody.signs
        bits = np.unpackbits(signs, axis=-1, count=input_size).view(np.int8)
        return bits[:, :, 0] - bits[:, :, 1]
    values = np.zeros((longest, len(melodies), input_size), np.float32)
    for column, melody in enumerate(melodies):
        values[: len(melody), column] = (
            melody.values if isinstance(melody, PlainInputs) else pad([melody], input_size)[:, 0]
        )
    return values


@dataclass(frozen=True, eq=False)
class Examples:
    """The training pairs of all melodies, in the order of the files.

    Attributes:
        files: where they come from.
        input_size: D.
        inputs: of each melody.
        labels: of each melody, [T], in the smallest integers that hold C classes.
        lengths: T of each melody.
        right: of each melody, uint8 [T, ceil(C / 8)], bit masks of the classes that stand for the event; None if the
            loss only uses the label.
        upbeats: how many of the melodies begin with an upbeat; None if their records don't say.
    """

    files: tuple[str, ...]
    input_size: int
    inputs: tuple[PackedInputs | PlainInputs, ...]
    labels: tuple[NDArray[np.unsignedinteger], ...]
    lengths: NDArray[np.int64]
    right: tuple[NDArray[np.uint8], ...] | None = None
    upbeats: int | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Examples":
        """The first of them that have a step, or all where `count` is 0."""
        if count == 0:
            return self
        end = int(np.searchsorted(np.cumsum(self.lengths > 0), count)) + 1
        right = None if self.right is None else self.right[:end]
        return replace(
            self,
            inputs=self.inputs[:end],
            labels=self.labels[:end],
            lengths=self.lengths[:end],
            right=right,
            upbeats=None,
        )

    def told(self) -> dict[str, Any]:
        """What checkpoints say about the data: names of the files, melodies, steps, the share with an upbeat."""
        names = [Path(file).name for file in self.files]
        told: dict[str, Any] = {"files": names, "num_melodies": len(self), "num_steps": int(self.lengths.sum())}
        return told if self.upbeats is None else told | {"upbeats": round(self.upbeats / len(self), 3)}


def load_examples(pattern: str, config: Config, *, skip_corrupt: bool = False) -> Examples:
    """Read SequenceExamples for the training or evaluation of a model.

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
    encoded = ((name, example_of(melody, config.encoding)) for melody in melodies)
    return _examples(encoded, config, (name,), name)


def _examples(examples: Iterable[tuple[str, Example]], config: Config, files: tuple[str, ...], source: str) -> Examples:
    """All of them packed; each comes with where it is from."""
    smallest = np.min_scalar_type(config.encoding.num_classes - 1)
    size = config.encoding.input_size
    inputs, right = [], []
    upbeats: int | None = 0
    labels: list[NDArray[np.unsignedinteger]] = []
    for place, example in examples:
        _check(example, config, place)
        if len(labels) == 0:
            _check_encoding(example, config, place)
        if config.hparams.loss == "events":
            right.append(_right_classes(example, config.encoding, place))
        # An example without steps stays, so that record numbers are the file's; it adds nothing to any sum.
        inputs.append(pack(example.inputs.reshape(-1, size)))
        upbeats = None if upbeats is None or example.events is None else upbeats + example.has_upbeat
        labels.append(example.labels.astype(smallest))
    lengths = np.array([len(melody) for melody in labels], np.int64)
    if lengths.sum() == 0:
        raise no_records(source)
    masks = tuple(right) if config.hparams.loss == "events" else None
    return Examples(files, size, tuple(inputs), tuple(labels), lengths, masks, upbeats)


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


def _read(paths: Sequence[Path], *, skip_corrupt: bool) -> Iterator[tuple[str, Example]]:
    for path in paths:
        for number, record in enumerate(read_records(path, skip_corrupt=skip_corrupt), start=1):
            source = f"{path}, record {number}"
            try:
                yield source, parse_sequence_example(record)
            except FormatError as error:
                raise FormatError(f"{source}: {error}") from None


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


def _right_classes(example: Example, encoding: Encoding, source: str) -> NDArray[np.uint8]:
    """Bit masks [T, ceil(C / 8)] of the classes that stand for each event to predict."""
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
    return Melody(example.events.tolist(), steps_per_bar=example.steps_per_bar, meter=meter, ends=example.ends)


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
        for index in range(first, len(batches)):
            last = index + 1 == len(batches)
            after = Position(epoch + 1) if last else Position(epoch, index + 1)
            # Every num_processes-th: the batch is sorted by length, so the shares are of like length too.
            share = batches[index][rank::num_processes]
            yield _batch(examples, batches[index], share, skip_first_n_losses, after)
        epoch, first = epoch + 1, 0


def evaluation_batches(examples: Examples, *, batch_size: int, skip_first_n_losses: int = 0) -> Iterator[Batch]:
    """Every example once, by length; the last batch has what is left."""
    order = np.argsort(examples.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        numbers = order[start : start + batch_size]
        yield _batch(examples, numbers, numbers, skip_first_n_losses, Position())


def _batch(
    examples: Examples, numbers: NDArray[np.int64], share: NDArray[np.int64], skip: int, after: Position
) -> Batch:
    num_steps = int(np.maximum(examples.lengths[numbers] - skip, 0).sum())
    records = tuple(numbers.tolist())
    if len(share) == 0:  # more processes than melodies: this one adds nothing, but takes part
        nothing = torch.zeros(1, 1, examples.input_size, dtype=torch.int8)
        return Batch(nothing, torch.full((1, 1), IGNORED), None, records, num_steps, after)
    inputs = pad([examples.inputs[number] for number in share], examples.input_size)
    labels = np.full((len(share), len(inputs)), IGNORED, np.int64)
    for row, number in enumerate(share):
        labels[row, skip : examples.lengths[number]] = examples.labels[number][skip:]
    right = None if examples.right is None else _right([examples.right[number] for number in share], len(inputs))
    return Batch(torch.from_numpy(inputs).transpose(0, 1), torch.from_numpy(labels), right, records, num_steps, after)


def _right(masks: list[NDArray[np.uint8]], num_steps: int) -> Tensor:
    """Bool [B, T, C]; no class is right where a melody has ended, and the last few are padding."""
    padded = np.zeros((len(masks), num_steps, masks[0].shape[1]), np.uint8)
    for row, mask in enumerate(masks):
        padded[row, : len(mask)] = mask
    return torch.from_numpy(np.unpackbits(padded, axis=2).view(np.bool_))


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
