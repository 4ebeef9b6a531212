"""Work in a few threads, so that the server itself always has time; more than can be done soon is refused."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ostinato.errors import OstinatoError

T = TypeVar("T")


class BusyError(OstinatoError):
    """There is more work than can be done soon; ask again later."""


class VanishedError(OstinatoError):
    """Whoever asked for the work has gone."""


class Workers:
    """A few threads, and a short queue before them.

    Args:
        threads: jobs that are done at once.
        queue: jobs that may wait for a thread.
        seconds: how long a job may take, waiting included. One that has begun goes on to its end, and keeps its place
            until then, but nobody waits for it.
    """

    def __init__(self, threads: int = 2, queue: int = 8, seconds: float = 30.0) -> None:
        self._executor = ThreadPoolExecutor(threads, "studio")
        self._places = threads + queue
        self._taken = 0
        self._lock = threading.Lock()
        self._seconds = seconds

    async def do(self, work: Callable[[], T], vanished: Awaitable[Any]) -> T:
        """Do some work in a thread and wait for it.

        Args:
            work: what to do.
            vanished: done when nobody wants it any more; then it is dropped if it has not begun.

        Returns:
            What the work returns.

        Raises:
            BusyError: if the queue is full, or the work takes too long.
            VanishedError: if nobody wants it any more.
        """
        watch = asyncio.ensure_future(vanished)
        try:
            job = self._submit(work)
            answer = asyncio.wrap_future(job)
            done, _ = await asyncio.wait((answer, watch), timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            if answer in done:
                return answer.result()
            # From here on nobody asks for the answer, nor for the error that it may become.
            answer.cancel()
        finally:
            watch.cancel()
        if done:
            raise VanishedError("whoever asked has gone")
        raise BusyError(f"this took longer than {self._seconds:g} seconds; ask for less, or again later")

    def close(self) -> None:
        """Drop what has not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self._taken >= self._places:
                raise BusyError("too much is being done at once; ask again in a second")
            self._taken += 1
        job = self._executor.submit(work)
        job.add_done_callback(self._free_place)
        return job

    def _free_place(self, _job: Future[Any]) -> None:
        with self._lock:
            self._taken -= 1
