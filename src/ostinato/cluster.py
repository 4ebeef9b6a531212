"""The map of `ostinato.parallel` over the machines of a Dask cluster.

A batch of jobs is one task of Dask's, a few for each worker at a time. If a worker
dies, Dask gives what it held to another. A batch that several workers died of is
done again job by job, with nothing else on the cluster that could be to blame, so
that the failure lands on the one job that caused it.
"""

import contextlib
import functools
import itertools
import logging
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any, TypeVar

import ostinato
from ostinato.errors import DataError, MissingExtraError, OstinatoError, printable
from ostinato.parallel import FIRST_BATCH, LARGEST_BATCH, Failure, attempt

try:
    import dask
    import distributed
except ModuleNotFoundError as error:
    if error.name not in ("dask", "distributed"):
        raise
    raise MissingExtraError("--runner=dask", "dask") from None

T = TypeVar("T")
R = TypeVar("R")

BATCH_SECONDS = 0.25  # long against the few milliseconds that a task costs the scheduler
BATCHES_AHEAD = 3  # batches under way or done but not yet asked for, per thread of a worker
CONNECT_SECONDS = 20
NEWS_SECONDS = 20.0  # how long nothing may come back before we look whether there are workers at all

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def dask_cluster(address: str | None = None, processes: int | None = None) -> Iterator["DaskCluster"]:
    """Connect to a Dask cluster for the time of a block.

    Args:
        address: of the scheduler, such as tcp://10.0.0.1:8786; None starts a scheduler and workers on this machine, and
            ends them after the block.
        processes: how many workers to start; None is one for each core.

    Raises:
        DataError: if no scheduler answers there.
    """
    with contextlib.ExitStack() as stack:
        # Dask takes more than 10 MB in a task for a mistake; a batch of long NoteSequences may have as much.
        stack.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GB"}))
        if address is None:
            with _interrupts_ignored():  # for good by the workers: Ctrl-C is ours to answer
                # A port that is free, not Dask's own, which another may have taken.
                local = distributed.LocalCluster(
                    n_workers=processes,
                    threads_per_worker=1,
                    dashboard_address=":0",
                    silence_logs=logging.ERROR,  # a busy machine is no error
                )
            client = distributed.Client(stack.enter_context(local))
        else:
            try:
                client = distributed.Client(address, timeout=CONNECT_SECONDS)
            except (OSError, ValueError) as error:
                raise DataError(
                    f"{address}: no Dask scheduler answers ({error}); start one with: dask scheduler"
                ) from None
        yield DaskCluster(stack.enter_context(client))


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # which alone may say so
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class DaskCluster:
    """The workers of a Dask cluster; `parallel.map_batches` takes it in place of a number of processes."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._address = client.scheduler.address

    @property
    def dashboard(self) -> str:
        """The address of the page on which Dask shows how the work goes."""
        return str(self._client.dashboard_link)

    def map_batches(
        self, function: Callable[[Sequence[T]], Sequence[R]], jobs: Iterator[T], *, timeout_seconds: float | None
    ) -> Generator[R | Failure, None, None]:
        """Do jobs on the workers, as `parallel.map_batches` does with processes of this machine.

        Args:
            function: takes some jobs, and gives one result for each. It goes to the workers by pickle, and so do jobs
                and results.
            jobs: taken as they are needed, a few batches ahead.
            timeout_seconds: how long a batch, or one job done again, may take before its worker is stopped.

        Raises:
            OstinatoError: if the scheduler is gone, or the workers do not have this version of Ostinato.
        """
        begin = functools.partial(self._begin, function, timeout_seconds)
        under_way: deque[tuple[list[T], Any]] = deque()
        size = FIRST_BATCH
        while True:
            limit = BATCHES_AHEAD * max(self._threads(), 1)
            while len(under_way) < limit and (batch := list(itertools.islice(jobs, size))):
                under_way.append((batch, begin(batch)))
            if not under_way:
                return
            batch, future = under_way.popleft()
            try:
                seconds, results = self._end(future)
                size = min(max(int(BATCH_SECONDS / max(seconds / len(batch), 1e-9)), 1), LARGEST_BATCH)
                yield from results
            except distributed.KilledWorker:
                distributed.wait([other for _, other in under_way])
                for job in batch:
                    try:
                        yield self._end(begin([job]))[1][0]
                    except distributed.KilledWorker:
                        late = "" if timeout_seconds is None else f" or took longer than {timeout_seconds:g} s"
                        yield Failure(job, f"crashed its worker process{late}, several times")

    def _begin(
        self, function: Callable[[Sequence[Any]], Sequence[Any]], timeout_seconds: float | None, batch: Sequence[Any]
    ) -> Any:
        with self._named_errors():
            return self._client.submit(do_batch, ostinato.__version__, function, batch, timeout_seconds, pure=False)

    def _end(self, future: Any) -> tuple[float, list[Any]]:
        """Wait for a batch: the seconds it took, and its results."""
        while True:
            with self._named_errors():
                try:
                    seconds, pickled = future.result(timeout=NEWS_SECONDS)
                    return seconds, pickle.loads(pickled)  # noqa: S301 (from our own workers)
                except TimeoutError:
                    if not self._threads():
                        _logger.warning("%s has no worker; the work goes on when there is one", self._address)

    def _threads(self) -> int:
        with self._named_errors():
            return sum(self._client.nthreads().values())

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (distributed.KilledWorker, OstinatoError):
            raise
        except (OSError, CancelledError) as error:
            raise OstinatoError(f"{self._address}: the Dask scheduler is gone; start it, and this again") from error
        except Exception as error:  # the workers cannot so much as begin
            what = printable(f"{type(error).__name__}: {error}").rstrip()
            raise OstinatoError(
                f"{self._address}: the workers failed ({what}); the scheduler and all workers need Ostinato "
                f"{ostinato.__version__}"
            ) from error


def do_batch(
    version: str,
    function: Callable[[Sequence[Any]], Sequence[Any]],
    batch: Sequence[Any],
    timeout_seconds: float | None,
) -> tuple[float, bytes]:
    """What a worker does: a batch of jobs, by `parallel.attempt`.

    Returns:
        The seconds it took, and the results as a pickle.
    """
    if version != ostinato.__version__:
        raise RuntimeError(f"a worker has Ostinato {ostinato.__version__}")
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        if timeout_seconds is not None:
            # Nothing else ends a thread that hangs. The worker's nanny starts it anew.
            guard = threading.Timer(timeout_seconds, os._exit, [1])
            guard.start()
            stack.callback(guard.cancel)
        results = attempt(function, batch)
    return time.monotonic() - began, pickle.dumps(results, protocol=5)
