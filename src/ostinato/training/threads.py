"""Threads that work side by side on parts of a batch, each with PyTorch's arithmetic to itself."""

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

# Python hands each thread its next product, some microseconds each: with more
# threads or fewer melodies a thread than this, that would set the pace.
MOST_THREADS = 8
FEWEST_MELODIES = 8

_Result = TypeVar("_Result")


def threads_for(batch: int) -> int:
    """How many threads share a batch of so many melodies."""
    return max(1, min(torch.get_num_threads(), MOST_THREADS, batch // FEWEST_MELODIES))


def in_parts(work: Callable[[int, int], _Result], count: int, threads: int) -> list[_Result]:
    """Do `work(first, last)` for as many parts of `count` as there are threads, each on a thread of its own.

    What comes out depends on the number of threads, for sums are made in
    another order, and on nothing else.
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
