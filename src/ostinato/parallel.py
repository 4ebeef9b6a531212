"""A map over processes that outlives its workers.

Results come in the order of the jobs, while only a few batches of jobs are under
way at a time, so neither side of the map has to fit in memory. A worker that
crashes or hangs is replaced, and the batch it held is done again job by job: the
failure lands on the one job that caused it, and the rest goes on.

The processes are this machine's, or those of a cluster (`ostinato.cluster`).
"""

import contextlib
import functools
import itertools
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

FIRST_BATCH = 4  # jobs, before any time is known
LARGEST_BATCH = 256  # jobs
BATCH_SECONDS = 0.02  # long against the cost of handing a batch over, short against a person's patience
BATCHES_AHEAD = 4  # batches under way or done but not yet asked for, per process
PARENT_CHECK_SECONDS = 1.0  # how often a worker looks whether its parent is still there

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """What stands in the results for a job that gave none.

    Attributes:
        job: the job.
        reason: one line: the exception's text, or that the worker crashed or took too long.
    """

    job: Any
    reason: str


class Cluster(Protocol):
    """Processes of other machines."""

    def map_batches(
        self, function: Callable[[Sequence[T]], Sequence[R]], jobs: Iterator[T], *, timeout_seconds: float | None
    ) -> Generator[R | Failure, None, None]:
        """As the function `map_batches` does."""


Processes = int | Cluster | None
"""Which processes do the work: this many of this machine, None for one on each core, or those of a cluster."""


def map_jobs(
    function: Callable[[T], R],
    jobs: Iterable[T],
    *,
    processes: Processes = None,
    timeout_seconds: float | None = None,
) -> Generator[R | Failure, None, None]:
    """`map_batches` for a function of one job."""
    return map_batches(functools.partial(_each, function), jobs, processes=processes, timeout_seconds=timeout_seconds)


def _each(function: Callable[[T], R], batch: Sequence[T]) -> list[R]:
    return [function(job) for job in batch]


def map_batches(
    function: Callable[[Sequence[T]], Sequence[R]],
    jobs: Iterable[T],
    *,
    processes: Processes = None,
    timeout_seconds: float | None = None,
) -> Generator[R | Failure, None, None]:
    """Do jobs on several processes at once, and give the results in the order of the jobs.

    The jobs go to the workers in batches of about 20 ms of work each. A batch that raises, crashes its worker or
    takes too long is done again job by job, so a job may be done twice: `function` should have no lasting effects.

    Args:
        function: takes some jobs, and gives one result for each. It goes to the workers by pickle where processes
            are not forked, and so do jobs and results everywhere: make it a module's function, or a partial of one.
        jobs: taken as they are needed, a few batches ahead.
        processes: the workers.
        timeout_seconds: how long a batch, or one job done again, may take before its worker is stopped. None is for
            ever, and lets a single process or a single job be done right here, where a crash would take us with it.

    Yields:
        The result of each job, or a `Failure`. Closing the generator stops the workers.
    """
    if not isinstance(processes, int | None):
        yield from processes.map_batches(function, iter(jobs), timeout_seconds=timeout_seconds)
        return
    if processes is None:
        processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    stream = iter(jobs)
    first = list(itertools.islice(stream, 2))
    stream = itertools.chain(first, stream)
    if timeout_seconds is None and min(processes, len(first)) <= 1:
        while batch := list(itertools.islice(stream, FIRST_BATCH)):
            yield from attempt(function, batch)
    else:
        pool = _Pool(function, processes, timeout_seconds)
        try:
            yield from pool.map(stream)
        finally:
            pool.stop()


def attempt(function: Callable[[Sequence[T]], Sequence[R]], batch: Sequence[T]) -> list[R | Failure]:
    """The results of a batch; where it raises, of each of its jobs by itself."""
    try:
        return list(function(batch))
    except Exception as error:  # the next job must go on, whatever this one raised
        if len(batch) > 1:
            return [result for job in batch for result in attempt(function, [job])]
        _logger.debug("%s", traceback.format_exc())
        return [Failure(batch[0], f"{type(error).__name__}: {error}")]


def _work(function: Callable[[Sequence[Any]], Sequence[Any]], connection: Connection, parent: int) -> None:
    """A worker's life: batches in, results out, until told to end or left alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _allow_interrupts(True)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # the parent is gone
        while (batch := connection.recv()) is not None:
            _send(connection, attempt(function, batch))


def _leave_with(parent: int) -> None:
    """End this process soon after its parent.

    A closed pipe does not tell: forked workers hold each other's ends of it, and one that is sending would wait for
    ever for somebody to read.
    """
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(1)


def _send(connection: Connection, results: Sequence[Any]) -> None:
    """Send results to `_receive`. What they hold as a `pickle.PickleBuffer` goes as it is, and arrives as bytes."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(results, protocol=5, buffer_callback=buffers.append)
    connection.send((len(buffers), pickled))
    for buffer in buffers:
        connection.send_bytes(buffer.raw())


def _receive(connection: Connection) -> list[Any]:
    num_buffers, pickled = connection.recv()
    buffers = [connection.recv_bytes() for _ in range(num_buffers)]
    results: list[Any] = pickle.loads(pickled, buffers=buffers)  # noqa: S301 (from our own worker, as recv's is)
    return results


@dataclass(slots=True)
class _Batch(Generic[T]):
    """Jobs that were handed out together, and their results as far as they are known."""

    jobs: list[T]
    results: list[Any] = field(default_factory=list)
    missing: int = 0

    def __post_init__(self) -> None:
        self.results = [None] * len(self.jobs)
        self.missing = len(self.jobs)

    def fill(self, start: int, results: Sequence[Any]) -> None:
        self.results[start : start + len(results)] = results
        self.missing -= len(results)


@dataclass(frozen=True, slots=True)
class _Task:
    """The jobs [start, stop) of a batch, for one worker."""

    batch: _Batch[Any]
    start: int
    stop: int

    @property
    def jobs(self) -> list[Any]:
        return self.batch.jobs[self.start : self.stop]


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    task: _Task | None = None
    began: float = 0.0  # time.monotonic() when it got the task


class _Pool(Generic[T]):
    def __init__(
        self, function: Callable[[Sequence[T]], Sequence[Any]], processes: int, timeout_seconds: float | None
    ) -> None:
        self._function = function
        self._processes = max(processes, 1)
        self._timeout_seconds = timeout_seconds
        self._context = _context()
        self._workers: list[_Worker] = []
        self._retries: deque[_Task] = deque()  # go before new batches
        self._batch_size = FIRST_BATCH

    def map(self, jobs: Iterator[T]) -> Iterator[Any]:
        under_way: deque[_Batch[T]] = deque()
        jobs_left = True
        while True:
            while self._has_room() and (self._retries or (jobs_left and len(under_way) < self._limit())):
                if self._retries:
                    self._hand_out(self._retries.popleft())
                elif batch := list(itertools.islice(jobs, self._batch_size)):
                    under_way.append(_Batch(batch))
                    self._hand_out(_Task(under_way[-1], 0, len(batch)))
                else:
                    jobs_left = False
            if not under_way:
                return
            if under_way[0].missing:
                self._collect()
            else:
                yield from under_way.popleft().results

    def _limit(self) -> int:
        return self._processes * BATCHES_AHEAD

    def _has_room(self) -> bool:
        return len(self._workers) < self._processes or any(worker.task is None for worker in self._workers)

    def _hand_out(self, task: _Task) -> None:
        worker = next((worker for worker in self._workers if worker.task is None), None)
        if worker is None:
            worker = self._start_worker()
        worker.task = task
        worker.began = time.monotonic()
        try:
            # Cannot block for long: an idle worker reads.
            worker.connection.send(task.jobs)
        except OSError:  # it died while idle; found out and handled in _collect
            _logger.debug("worker %d was gone before its batch", worker.process.pid)

    def _start_worker(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(  # type: ignore[attr-defined]
            target=_work, args=(self._function, theirs, os.getpid()), daemon=True
        )
        _allow_interrupts(False)  # what Python runs around a fork swallows a Ctrl-C that comes just then
        with contextlib.ExitStack() as block, warnings.catch_warnings():
            block.callback(_allow_interrupts, True)
            # Forking beside threads is unsafe where a thread may hold a lock that the worker needs. The threads left
            # here are OpenBLAS's, which know about forks.
            warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
            process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _collect(self) -> None:
        """Wait for one worker or more to finish, crash or run out of time, and take what there is."""
        busy = {worker.connection: worker for worker in self._workers if worker.task is not None}
        patience = None
        if self._timeout_seconds is not None:
            oldest = min(worker.began for worker in busy.values())
            patience = max(0.0, oldest + self._timeout_seconds - time.monotonic())
        ready = wait(list(busy), patience)
        for connection in ready:
            assert isinstance(connection, Connection)
            self._take_results(busy.pop(connection))
        if self._timeout_seconds is not None:
            for worker in busy.values():
                if time.monotonic() - worker.began >= self._timeout_seconds:
                    self._replace(worker, f"took longer than {self._timeout_seconds:g} s")

    def _take_results(self, worker: _Worker) -> None:
        assert worker.task is not None
        try:
            results = _receive(worker.connection)
        except (EOFError, OSError):  # the worker died, perhaps in the middle of its answer
            worker.process.join(1)
            self._replace(worker, f"crashed its worker process ({_ending(worker.process)})")
            return
        seconds = (time.monotonic() - worker.began) / len(results)
        self._batch_size = min(max(int(BATCH_SECONDS / max(seconds, 1e-9)), 1), LARGEST_BATCH)
        worker.task.batch.fill(worker.task.start, results)
        worker.task = None

    def _replace(self, worker: _Worker, reason: str) -> None:
        """Stop a worker. What it was at is done again job by job, or has failed if it was one job already."""
        self._workers.remove(worker)
        worker.process.kill()
        worker.process.join()
        worker.connection.close()
        task = worker.task
        assert task is not None
        if task.stop - task.start == 1:
            (job,) = task.jobs
            task.batch.fill(task.start, [Failure(job, reason)])
        else:
            self._retries.extend(_Task(task.batch, index, index + 1) for index in range(task.start, task.stop))

    def stop(self) -> None:
        for worker in self._workers:
            if worker.task is None:
                with contextlib.suppress(OSError):
                    worker.connection.send(None)
            else:  # the caller has lost interest
                worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.connection.close()
        self._workers.clear()


def _context() -> BaseContext:
    # A fork costs milliseconds, any other start the imports anew. Beside Python threads of the caller (a server's,
    # say) a fork could copy a lock that is held, so there the system's default way is taken.
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def _allow_interrupts(allowed: bool) -> None:
    """Hold Ctrl-C back for a moment, or let it through, where the system can."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK if allowed else signal.SIG_BLOCK, [signal.SIGINT])


def _ending(process: BaseProcess) -> str:
    code = process.exitcode
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def add_counts(total: Any, counts: Any) -> None:
    """Add to a dataclass of counts what another one of its kind holds, in place.

    Args:
        total: a dataclass of numbers, lists, counters and dataclasses of such.
        counts: one of the same kind.
    """
    for each in fields(total):
        before, more = getattr(total, each.name), getattr(counts, each.name)
        if is_dataclass(before):
            add_counts(before, more)
        else:
            setattr(total, each.name, before + more)
