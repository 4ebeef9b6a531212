"""What training runs on: the processes of a job, the device of each, and the threads that share a batch on the CPU.

Every process holds the whole network and takes its share of each batch, as
torchrun starts them; only process 0 writes. Values pass between them as
tensors, never pickled.
"""

import contextlib
import functools
import gc
import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from ostinato.bundle import array_shapes
from ostinato.config import Config, Hparams
from ostinato.errors import OstinatoError, SettingsError
from ostinato.memory import require_memory

DEVICES = ("auto", "cpu", "cuda", "mps")

# Python hands each thread its next product, some microseconds each: with more
# threads or fewer melodies a thread than this, that would set the pace.
MOST_THREADS = 8
FEWEST_MELODIES = 8

# In the messages of gloo and NCCL; their types tell nothing.
_SIGNS_OF_LOSS = ("connection closed", "connection reset", "broken pipe", "remote process exited", "socket closed")

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of the job.

    Attributes:
        rank: its number, from 0.
        count: how many there are.
        local_rank: its number on this machine.
        local_count: how many there are on this machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @staticmethod
    def from_environment() -> "Processes":
        """What torchrun set, or one process alone.

        Raises:
            SettingsError: if the variables are not numbers.
        """
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        if "WORLD_SIZE" not in os.environ:
            return Processes()
        try:
            return Processes(*(int(os.environ[name]) for name in names))
        except (KeyError, ValueError) as error:
            raise SettingsError(
                f"WORLD_SIZE is set, but not all of {', '.join(names)} are numbers ({error}); start with torchrun"
            ) from None

    def share_cores(self) -> None:
        """Give each process on this machine its share of the cores."""
        if self.local_count > 1:  # torchrun gives each but one core; alone, PyTorch takes all
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            torch.set_num_threads(max(1, cores // self.local_count))

    @contextlib.contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Connect the processes during a block."""
        if self.count == 1:
            yield
            return
        if device.type == "cuda":
            torch.cuda.set_device(device)
        # Gloo carries the small values that live on the CPU.
        distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
        try:
            yield
            # Process 0 evaluates and writes last: one that left before it would take its end of the connection along.
            distributed.barrier()
        finally:
            # What was trained in parallel refers to itself and to the connection; whatever of it is left at the
            # program's end would take the connection's threads down with it, and the program too.
            gc.collect()
            distributed.destroy_process_group()

    def leave(self, exit_code: int) -> None:
        """End this process, if it is one of several, now that all is written.

        At the usual end the interpreter takes apart what PyTorch's threads and gloo's still hold, which sometimes
        aborts a process that has done its work.
        """
        if self.count > 1:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(exit_code)

    def broadcast(self, data: bytes | None) -> bytes:
        """Process 0's bytes in every process; the others pass None."""
        if self.count == 1:
            assert data is not None
            return data
        size = torch.tensor([len(data) if data is not None else 0])
        distributed.broadcast(size, src=0)
        content = torch.empty(int(size), dtype=torch.uint8)
        if data is not None:
            content = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        distributed.broadcast(content, src=0)
        return content.numpy().tobytes()

    def in_any(self, flag: bool) -> bool:
        """Whether `flag` is set in any process."""
        if self.count == 1:
            return flag
        flags = torch.tensor([int(flag)])
        distributed.all_reduce(flags, op=distributed.ReduceOp.MAX)
        return bool(flags)

    def summed(self, values: Tensor) -> Tensor:
        """The sum of CPU tensors over all processes."""
        if self.count > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values


def is_lost_connection(error: BaseException) -> bool:
    """Whether this is what gloo or NCCL raises when another process of the job has ended."""
    return any(sign in str(error).lower() for sign in _SIGNS_OF_LOSS)


def pick_device(name: str, processes: Processes) -> torch.device:
    """The device that `--device` names; "auto" is a CUDA GPU if there is one, else the CPU.

    Raises:
        SettingsError: if there is no such device.
    """
    if name not in DEVICES:
        raise SettingsError(f"--device={name}: there is no such device; choose one of {', '.join(DEVICES)}")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if (name == "cuda" and not torch.cuda.is_available()) or (name == "mps" and not torch.backends.mps.is_available()):
        raise SettingsError(f"--device={name}: PyTorch finds no such device here; use --device=cpu or --device=auto")
    if name != "cuda":
        return torch.device(name)
    if processes.local_rank >= torch.cuda.device_count():
        raise SettingsError(
            f"{processes.local_count} processes on this machine, but {torch.cuda.device_count()} GPUs; "
            "start one process for each GPU"
        )
    return torch.device("cuda", processes.local_rank)


def half_precision(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Matrix products in bfloat16 on a CUDA GPU; no change elsewhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def require_memory_to_train(config: Config, num_melodies: int, num_steps: int, processes: Processes) -> None:
    """Refuse a model, or batches of melodies, that memory does not hold.

    Args:
        config: the model.
        num_melodies: to learn from.
        num_steps: of the longest of them.
        processes: of this machine, each with the whole model and its share of a batch.

    Raises:
        SettingsError: if they would not fit; it says how large they can be.
    """
    hparams = config.hparams
    num_weights = sum(math.prod(shape) for shape in array_shapes(config).values())
    # The network, its gradient, Adam's two means, the average, and as much again while a checkpoint is written.
    model = 4 * 10 * num_weights * processes.local_count
    sizes = hparams.rnn_layer_sizes
    require_memory(model, f"a model of {num_weights:,} weights", "rnn_layer_sizes", max(sizes), power=2)
    # Of a step: the inputs, some of them waiting; the gates, the states and the inputs of each layer; the output.
    floats = 2 * config.encoding.input_size + 10 * sum(sizes) + 4 * config.encoding.num_classes
    if hparams.attn_length:
        floats += 10 * max(sizes) + hparams.attn_length
    # The attention's memory goes back before the first step.
    melody = 4 * (num_steps * floats + 3 * max(sizes) * hparams.attn_length)
    if hparams.attn_length:
        what = f"attention to {hparams.attn_length:,} steps"
        require_memory(model + melody, what, "attn_length", hparams.attn_length)
    batch = min(hparams.batch_size, num_melodies)
    what = f"a batch of {batch:,} melodies of up to {num_steps:,} steps"
    require_memory(model + batch * melody, what, "batch_size", batch)


@contextlib.contextmanager
def out_of_memory_explained(hparams: Hparams, device: torch.device) -> Iterator[None]:
    """If a block runs out of memory, raise an error that says what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # PyTorch raises plain RuntimeErrors on the CPU
        text = str(error).lower()
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and "alloc" not in text:
            raise
        raise OstinatoError(
            f"out of memory on {device}: lower the hparam batch_size, now {hparams.batch_size}, "
            f"or rnn_layer_sizes, now {list(hparams.rnn_layer_sizes)}, in a new --run_dir"
        ) from error


def threads_for(batch: int) -> int:
    """How many threads share a batch of this many melodies."""
    return max(1, min(torch.get_num_threads(), MOST_THREADS, batch // FEWEST_MELODIES))


def in_parts(work: Callable[[int, int], _Result], count: int, threads: int) -> list[_Result]:
    """Do `work(first, last)` for as many parts of `count` as there are threads, each on its own thread.

    The result depends on the number of threads, since the order of sums does,
    and on nothing else.
    """
    bounds = [count * part // threads for part in range(threads + 1)]

    def without_graph(first: int, last: int) -> _Result:
        with torch.no_grad():
            return work(first, last)

    return list(_threads(threads, os.getpid()).map(without_graph, bounds[:-1], bounds[1:]))


@functools.cache
def _threads(count: int, process: int) -> ThreadPoolExecutor:  # noqa: ARG001 - a forked process has no threads yet
    """Threads whose matrix products run on themselves alone."""
    everyone = threading.Barrier(count)
    before = torch.get_num_threads()

    def alone() -> None:
        torch.get_num_threads()  # a thread's first question sets its number to the process's
        torch.set_num_threads(1)
        everyone.wait()

    pool = ThreadPoolExecutor(count, thread_name_prefix="ostinato-network", initializer=alone)
    # All begin now, for the number that later threads start from has become 1 too.
    for future in [pool.submit(threading.get_ident) for _ in range(count)]:
        future.result()
    torch.set_num_threads(before)
    return pool
