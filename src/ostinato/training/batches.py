"""Batches of melodies of like length, in an order that a seed decides, made ahead of the step.

Shapes: B melodies, T steps, D input size.

An epoch gives every melody once. The melodies are sorted by length, with as
much chance in it as keeps padding low, cut into batches that are as even as can
be and at most batch_size large, and the batches are shuffled. All this depends
on (seed, epoch) alone: a run that stops goes on at a `Position`, and with any
number of processes, each of which takes its share of every batch.
"""

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.training.examples import Examples, pad

# The label of a step that does not count: padding, and the first skip_first_n_losses.
IGNORED = -100
# How far chance may move a melody among those sorted by length, as a share of its length: more mixes the batches
# better, less pads them less. At a tenth, padding on real melodies stays under a twentieth.
_LENGTH_JITTER = 0.1


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
        labels: int64 [B, T], IGNORED where a step does not count.
        right: bool [B, T, C], the classes that stand for the event; None where the loss asks for the label alone.
        records: numbers of the whole batch's melodies among the examples, from 0.
        num_steps: steps of the whole batch that count.
        next_position: where the training data goes on after this batch.
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
    """Batches without end, epoch after epoch.

    Args:
        examples: what to learn from.
        batch_size: melodies a batch at most, over all processes.
        seed: decides the order, with the epoch.
        start: the first batch to give.
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
    """Every example once, by length, the last batch as large as what is left."""
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
    """Bool [B, T, C]; none of the classes is right where a melody has ended, and the last few are none."""
    padded = np.zeros((len(masks), num_steps, masks[0].shape[1]), np.uint8)
    for row, mask in enumerate(masks):
        padded[row, : len(mask)] = mask
    return torch.from_numpy(np.unpackbits(padded, axis=2).view(np.bool_))


class Prefetched:
    """An iterator that a thread runs ahead of its reader.

    What the iterator raises is raised where its next item was due. Leaving the
    `with` block ends the thread.

    Attributes:
        seconds_waited: how long the reader has waited for items in all.
    """

    def __init__(self, batches: Iterator[Batch], ahead: int = 2) -> None:
        """Begin to read.

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
