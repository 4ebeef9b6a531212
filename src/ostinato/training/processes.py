"""One training job in several processes, as torchrun starts them.

Every process holds the whole network and takes its share of each batch; only
process 0 writes. Values pass between them as tensors, never pickled.
"""

import contextlib
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from ostinato.errors import SettingsError


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
            SettingsError: if the variables hold no numbers.
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
        """Let the processes of this machine compute on as many cores each as there are for one."""
        if self.local_count > 1:  # torchrun gives each but one core; alone, PyTorch takes all
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            torch.set_num_threads(max(1, cores // self.local_count))

    @contextlib.contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Connect the processes for the time of a block."""
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

    def broadcast(self, data: bytes | None) -> bytes:
        """Process 0's bytes in every process; the others give None."""
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
