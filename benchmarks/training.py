"""Times the loop of `ostinato train` on real melodies, the paths through the network, and what none can beat.

    python benchmarks/training.py --sequence_example_file=training_melodies.tfrecord --config=attention_rnn
    python benchmarks/training.py --sequence_example_file=... --config=lookback_rnn --hparams=batch_size=64

The loop is the command's own, with its batches made ahead, its summaries and its
checkpoints. Events are real steps of melodies; padding counts only in its share.
Then the same batches are learned in turn by the plain network and by the one that
training takes, and by nobody: the bare matrix products of these steps, on the CPU.
`training_step.py` measures single steps of one size, and what is inside them.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest import mock

# The command does so too: threads that spin while they wait are in the way of whatever else runs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from machine import machine
from training_step import Step, plain_network, products, seconds_of, training_step

from ostinato.config import PRESETS, Config, parse_hparams, preset
from ostinato.training import step as training
from ostinato.training.data import Batch, Examples, Prefetched, load_examples
from ostinato.training.evaluation import Summary
from ostinato.training.hardware import Processes, pick_device
from ostinato.training.job import TrainSettings, train
from ostinato.training.network import MelodyNetwork
from ostinato.training.step import Learner, on_device

# Kernels are compiled, memory is taken and the first batches are made before the clock starts.
WARM_UP_STEPS = 2
PARTS = ("waiting for data", "forward", "loss and metrics", "backward", "optimizer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequence_example_file", required=True, help="a path, a glob, or several with commas between")
    parser.add_argument("--config", required=True, help=", ".join(PRESETS))
    parser.add_argument("--hparams", default="", help="as `ostinato train` takes them")
    parser.add_argument("--steps", type=int, default=8, help="to time, of each path (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the run (default: %(default)s)")
    args = parser.parse_args()

    config = preset(args.config).with_hparams(parse_hparams(args.hparams))
    device = pick_device(args.device, Processes())
    examples = load_examples(args.sequence_example_file, config)
    on = f", on {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    print(f"machine:  {machine('torch', 'numba')}{on}")
    print(
        f"model:    {config.name}, layers {list(config.hparams.rnn_layer_sizes)}, "
        f"attention {config.hparams.attn_length}, batches of {config.hparams.batch_size}"
    )
    print(f"data:     {len(examples):,} melodies of {int(examples.lengths.sum()):,} events")
    with tempfile.TemporaryDirectory() as run_dir:
        batches = time_loop(run_dir, examples, config, device, args)
    if device.type == "cuda":
        print(f"memory:   {torch.cuda.max_memory_allocated(device) / 2**20:,.0f} MiB of the GPU at most")
    print(f"memory:   {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB of this process at most")

    time_paths(config, batches, device)


class Watch:
    """Adds up how long the parts of the training take, and notes its batches.

    Attributes:
        seconds: of each part, since the clock started.
        batches: learned since then.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.start()

    def start(self) -> None:
        """Set the clock to zero."""
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.batches: list[Batch] = []
        self.step_seconds: list[float] = []
        self.began = self.last = now(self.device)

    def part(self, part: str, owner: object, name: str) -> AbstractContextManager[Any]:
        """For the time of a block, count calls of owner.name as a part."""
        function = getattr(owner, name)

        def timed(*args: Any, **named: Any) -> Any:
            began = now(self.device)
            try:
                return function(*args, **named)
            finally:
                self.seconds[part] += now(self.device) - began

        return mock.patch.object(owner, name, timed)

    def learning(self) -> AbstractContextManager[Any]:
        """For the time of a block, note the batches that are learned."""
        learn = Learner.learn

        def noted(learner: Learner, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
            self.batches.append(batch)
            return learn(learner, batch)

        return mock.patch.object(Learner, "learn", noted)

    def step(self) -> None:
        """Note that a step has ended."""
        time_now = now(self.device)
        self.step_seconds.append(time_now - self.last)
        self.last = time_now


def time_loop(
    run_dir: str, examples: Examples, config: Config, device: torch.device, args: argparse.Namespace
) -> list[Batch]:
    """Train, print what it takes, and return the batches."""
    watch = Watch(device)

    def on_step(step: int, _: Summary | None) -> None:
        watch.step()
        if step == WARM_UP_STEPS:
            watch.start()

    waiting, forward, loss, backward, optimizer = PARTS
    with ExitStack() as block:
        for context in (
            watch.learning(),
            watch.part(waiting, Prefetched, "__next__"),
            watch.part(forward, MelodyNetwork, "forward"),
            watch.part(loss, training, "batch_loss"),
            watch.part(loss, training, "batch_totals"),
            watch.part(backward, torch.Tensor, "backward"),
            watch.part(optimizer, training, "clip_grad_norm_"),
            watch.part(optimizer, training, "adamw"),
        ):
            block.enter_context(context)
        settings = TrainSettings(WARM_UP_STEPS + args.steps, device=device.type, seed=args.seed)
        train(run_dir, examples, config, settings, on_step=on_step)
    seconds = watch.last - watch.began
    events = sum(batch.num_steps for batch in watch.batches)
    padded = sum(batch.labels.numel() for batch in watch.batches)
    print(f"loop:     {events / seconds:,.0f} events/s over {args.steps} steps, {spread(watch.step_seconds)} a step")
    print(f"padding:  {1 - events / padded:.1%} of the steps")
    shares = {part: watch.seconds[part] / seconds for part in PARTS}
    shares["rest"] = 1 - sum(shares.values())
    print("parts:    " + ", ".join(f"{part} {share:.1%}" for part, share in shares.items()))
    return watch.batches


def time_paths(config: Config, batches: Sequence[Batch], device: torch.device) -> None:
    """Learn the same batches by each path in turn, and print what they take."""
    pairs = [on_device(batch, device)[:2] for batch in batches]
    steps: dict[str, Step] = {}
    for name, network in (("plain", plain_network(config)), ("fast", MelodyNetwork(config))):
        steps[name] = training_step(network.to(device), config, iter([pairs[0], *pairs]))
        steps[name]()
    seconds: dict[str, list[float]] = {"plain": [], "fast": [], "floor": []}
    gigaflops = []
    for number, batch in enumerate(batches):
        # In turn, so that a busy moment, or what the other left in the cache, hits both alike.
        for name in list(steps) if number % 2 else reversed(steps):
            seconds[name].append(synchronized(steps[name], device))
        if device.type == "cpu":
            floor, operations = products(config, *batch.labels.shape)
            seconds["floor"].append(seconds_of(floor))
            gigaflops.append(operations / 1e9)
    ratio = statistics.median(plain / fast for plain, fast in zip(seconds["plain"], seconds["fast"], strict=True))
    print(f"plain:    {spread(seconds['plain'])} a step")
    print(f"fast:     {spread(seconds['fast'])} a step, {ratio:.2f} times as fast (median of pairs)")
    if gigaflops:
        floors = statistics.median(fast / floor for fast, floor in zip(seconds["fast"], seconds["floor"], strict=True))
        print(
            f"floor:    {spread(seconds['floor'])} for the matrix products of a step, "
            f"{statistics.median(gigaflops):.0f} GFLOP at {sum(gigaflops) / sum(seconds['floor']):.0f} GFLOP/s; "
            f"the fast step takes {floors:.2f} times as long"
        )


def synchronized(step: Step, device: torch.device) -> float:
    """Seconds that a step takes, until the device is done with it."""
    began = now(device)
    step()
    return now(device) - began


def now(device: torch.device) -> float:
    """Seconds, after all that the device has been asked for is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def spread(seconds: Sequence[float]) -> str:
    low, median, high = (1000 * value for value in (min(seconds), statistics.median(seconds), max(seconds)))
    return f"{median:,.0f} ms ({low:,.0f}..{high:,.0f})"


if __name__ == "__main__":
    main()
