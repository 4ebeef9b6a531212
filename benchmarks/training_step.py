"""How fast a training step is, where its time goes, and what it could not beat.

    python benchmarks/training_step.py
    python benchmarks/training_step.py --models=attention_rnn --batch=128x256 --layers=128,128
    python benchmarks/training_step.py --models=lookback_rnn --sequence_example_file=seq/train.tfrecord

For each model and size, side by side in one process, pairs of steps of the
plain PyTorch module (for a model without attention: nn.LSTM with its own dropout)
and of Ostinato. The ratio is the median over the pairs, so that what else the
machine does falls on both. A step is forward, loss, backward, clipping and Adam.

The floor is the step's matrix products alone, of the same shapes, on the same
number of threads, none of which waits for another. Peak memory is that of a
fresh process that makes three steps. With --sequence_example_file the batches
are real melodies, and the rate counts the steps that are no padding.
"""

import argparse
import contextlib
import itertools
import multiprocessing
import platform
import resource
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from ostinato.config import Config, preset
from ostinato.training import network as torch_network
from ostinato.training.data import Position, load_examples, training_batches
from ostinato.training.fast import kernels
from ostinato.training.fast import network as fast
from ostinato.training.hardware import in_parts, threads_for
from ostinato.training.network import MelodyNetwork
from ostinato.training.step import batch_loss

Step = Callable[[], None]


class PlainLSTM(nn.Module):
    """What one writes with PyTorch for a model without attention."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, *others = config.hparams.rnn_layer_sizes
        assert all(other == size for other in others)
        drop = 1 - config.hparams.dropout_keep_prob
        self.lstm = nn.LSTM(config.encoding.input_size, size, 1 + len(others), batch_first=True, dropout=drop)
        self.dropout = nn.Dropout(drop)
        self.output = nn.Linear(size, config.encoding.num_classes)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.output(self.dropout(self.lstm(inputs)[0]))
        return logits


def plain_network(config: Config) -> nn.Module:
    return MelodyNetwork(config, plain=True) if config.hparams.attn_length else PlainLSTM(config)


def training_step(network: nn.Module, config: Config, batches: Iterator[tuple[Tensor, Tensor]]) -> Step:
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), config.hparams.initial_learning_rate, fused=True)

    def step() -> None:
        inputs, labels = next(batches)
        optimizer.zero_grad()
        loss = batch_loss(network(inputs), labels) / labels.numel()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), config.hparams.clip_norm)
        optimizer.step()

    return step


def random_batches(config: Config, batch: int, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    inputs = (torch.rand(steps, batch, config.encoding.input_size) < 0.1).float().transpose(0, 1)
    return itertools.repeat((inputs, torch.randint(config.encoding.num_classes, (batch, steps))))


def products(config: Config, batch: int, steps: int) -> tuple[Step, float]:
    """A step's matrix products alone, and their floating-point operations."""
    sizes, width = config.hparams.rnn_layer_sizes, config.encoding.input_size
    size = sizes[-1]
    # Of a thread's melodies in each step, forward: rows and columns of the kernels.
    inner = [(below + size, 4 * size) for below, size in zip((0, *sizes), sizes, strict=False)]
    if config.hparams.attn_length:
        inner[0] = (size + sizes[0], 4 * sizes[0])
        inner += [(2 * sum(sizes), size), (2 * size, 2 * size)]
    threads = threads_for(batch)

    def walk(first: int, last: int) -> None:
        rows = last - first
        forward = [(torch.ones(rows, m), torch.ones(m, n), torch.empty(rows, n)) for m, n in inner]
        back = [(torch.ones(rows, n), torch.ones(n, m), torch.empty(rows, m)) for m, n in inner]
        for left, right, out in itertools.chain(*([forward] * steps), *([back] * steps)):
            torch.mm(left, right, out=out)

    x, logits = torch.ones(steps * batch, width), torch.ones(steps * batch, config.encoding.num_classes)
    gates, y = torch.ones(steps * batch, 4 * max(sizes)), torch.ones(steps * batch, size)
    output = torch.ones(size, config.encoding.num_classes)
    below = torch.ones(steps * batch, max(m for m, _ in inner))

    def outside(first: int, last: int) -> None:
        first, last = first * batch, last * batch
        torch.mm(x[first:last], torch.ones(width, 4 * sizes[0]))
        torch.mm(x[first:last].t(), gates[first:last, : 4 * sizes[0]])
        for m, n in inner:
            torch.mm(below[first:last, :m].t(), gates[first:last, :n])
        torch.mm(y[first:last], output)
        torch.mm(y[first:last].t(), logits[first:last])
        torch.mm(logits[first:last], output.t())

    def step() -> None:
        in_parts(walk, batch, threads)
        in_parts(outside, steps, threads)

    count = 3 * sum(m * n for m, n in inner) + 2 * width * 4 * sizes[0] + 3 * size * config.encoding.num_classes
    return step, 2.0 * count * steps * batch


class Shares:
    """Time spent in each part of a step, over all threads."""

    PARTS = (
        ("products in each step", torch, ("mm", "addmm")),
        ("LSTM gates", kernels, ("lstm_forward", "lstm_backward")),
        ("attention window", kernels, ("attend_forward", "attend_backward")),
        ("attention memory", kernels, ("remember_forward", "remember_backward")),
        ("weight gradients", fast.LSTMStage, ("gradients",)),
        ("weight gradients", fast.AttentionStage, ("gradients",)),
        ("dropout draws", torch_network, ("draw_dropout",)),
        ("forward walk", fast._Unrolled, ("forward",)),
        ("backward walk", fast._Unrolled, ("backward",)),
    )

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for part, owner, names in self.PARTS:
                for name in names:
                    stack.enter_context(mock.patch.object(owner, name, self._timed(part, getattr(owner, name))))
            yield

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **named)
            finally:
                took = time.perf_counter() - began
                with self._lock:
                    self.seconds[part] += took

        return timed

    def lines(self, step_seconds: float, steps: int, threads: int) -> Iterator[str]:
        """The parts of a step: those that all threads work on at once count by their mean over the threads."""
        walks = {"forward walk", "backward walk"}
        mine = {"dropout draws"}
        total = {
            part: seconds / steps / (1 if part in walks | mine else threads) for part, seconds in self.seconds.items()
        }
        known = sum(seconds for part, seconds in total.items() if part not in walks | mine)
        total["Python and waiting in the walks"] = sum(total.pop(walk) for walk in walks) - known
        total["loss, output layer, optimizer"] = step_seconds - sum(total.values())
        for part, seconds in sorted(total.items(), key=lambda item: -item[1]):
            yield f"    {part:34s}{1000 * seconds:8.0f} ms {100 * seconds / step_seconds:5.0f} %"


def seconds_of(step: Step) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def peak_mebibytes(config: Config, batch: int, steps: int, plain: bool) -> float:
    """Peak memory of a fresh process after three steps, PyTorch itself included."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (config, batch, steps, plain))


def _peak(config: Config, batch: int, steps: int, plain: bool) -> float:
    network = plain_network(config) if plain else MelodyNetwork(config)
    step = training_step(network, config, random_batches(config, batch, steps))
    for _ in range(3):
        step()
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says begins with the parent's peak
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(config: Config, batch: int, steps: int, pairs: int) -> None:
    torch.manual_seed(0)
    batches = random_batches(config, batch, steps)
    plain, ours = (
        training_step(network, config, batches) for network in (plain_network(config), MelodyNetwork(config))
    )
    floor, operations = products(config, batch, steps)
    for step in (plain, ours, floor):
        step()
    plain_seconds, our_seconds, floor_seconds = (
        list(column)
        for column in zip(*([seconds_of(s) for s in (plain, ours, floor)] for _ in range(pairs)), strict=True)
    )
    median = statistics.median
    ours_median, floor_median = median(our_seconds), median(floor_seconds)
    print(f"{config.name} {batch} x {steps}, layers {list(config.hparams.rnn_layer_sizes)}", end="")
    print(f", attention {config.hparams.attn_length}" if config.hparams.attn_length else "")
    ratio = median([p / o for p, o in zip(plain_seconds, our_seconds, strict=True)])
    for name, seconds in (("plain", plain_seconds), ("ostinato", our_seconds), ("floor", floor_seconds)):
        rate = batch * steps / median(seconds)
        print(f"  {name:9s}{1000 * median(seconds):7.0f} ms ({1000 * min(seconds):.0f} at best), {rate:9,.0f} events/s")
    print(f"  {ratio:.2f} times as fast as plain, median of {pairs} pairs; {ours_median / floor_median:.2f} floors")
    print(f"  floor: {operations / 1e9:.0f} GFLOP at {operations / 1e9 / floor_median:.0f} GFLOP/s")
    print(f"  peak memory: {peak_mebibytes(config, batch, steps, False):,.0f} MiB", end="")
    print(f", plain {peak_mebibytes(config, batch, steps, True):,.0f} MiB")
    shares = Shares()
    with shares.measured():
        measured = sum(seconds_of(ours) for _ in range(pairs)) / pairs
    print(f"  where a step of {1000 * measured:.0f} ms goes (mean):")
    print("\n".join(shares.lines(measured, pairs, threads_for(batch))), flush=True)


def real(config: Config, pattern: str, count: int) -> None:
    """Steps on real melodies."""
    examples = load_examples(pattern, config)
    torch.manual_seed(0)
    batches = training_batches(examples, batch_size=config.hparams.batch_size, seed=0, start=Position())
    taken = [next(batches) for _ in range(count + 1)]
    pairs = iter([(batch.inputs.to(torch.float32), batch.labels) for batch in taken])
    step = training_step(MelodyNetwork(config), config, pairs)
    step()
    seconds, floors = [], []
    for batch in taken[1:]:
        seconds.append(seconds_of(step))
        floors.append(seconds_of(products(config, *batch.labels.shape)[0]))
    events = sum(batch.num_steps for batch in taken[1:])
    places = sum(batch.labels.numel() for batch in taken[1:])
    print(f"{config.name} on {len(examples)} real melodies, {count} steps of {config.hparams.batch_size}")
    print(f"  {1000 * statistics.mean(seconds):.0f} ms a step, {events / sum(seconds):,.0f} real events/s", end="")
    print(f" (products alone: {events / sum(floors):,.0f}), padding {100 * (1 - events / places):.1f} %", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="lookback_rnn,attention_rnn", help="names of configs")
    parser.add_argument("--batch", default="128x256", help="melodies x steps")
    parser.add_argument("--layers", help="sizes; without it 128,128 and, at 64 melodies, 64,64")
    parser.add_argument("--attn_scope", default="stack", choices=["stack", "first_layer"])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--sequence_example_file", help="time steps on real melodies instead")
    args = parser.parse_args()
    batch, steps = map(int, args.batch.split("x"))
    kind = platform.processor() or platform.machine()
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"{kind} with {capability}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    cases = [(batch, args.layers)] if args.layers else [(batch, "128,128"), (64, "64,64")]
    for name in args.models.split(","):
        for size, layers in cases:
            changes = {"batch_size": size, "rnn_layer_sizes": tuple(map(int, layers.split(",")))}
            config = preset(name).with_hparams({**changes, "attn_scope": args.attn_scope})
            if args.sequence_example_file:
                real(config, args.sequence_example_file, args.pairs)
            else:
                compare(config, size, steps, args.pairs)


if __name__ == "__main__":
    main()
