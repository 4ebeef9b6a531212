"""Who does the work, whose turn it is, and how much may wait.

A class of thirty may click at once. What can't be done yet waits, and addresses
take turns, so that one with a hundred requests delays another's one by no more
than a turn. Behind one address, such as a proxy's, the browsers take turns in
the same way. Melodies are made by processes (`Players`), for threads of one
process get little more done than one of them.
"""

import asyncio
import math
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ostinato.errors import OstinatoError, SettingsError

MAX_PROCESSES = 4
"""More than that many requests are seldom there at once, and each process takes some 100 MB."""

_FIRST_GUESS = 0.2  # seconds that a job takes, before any is known
_NEWEST_SHARE = 0.2  # of the last job in what is known of them

T = TypeVar("T")

Client = tuple[str, str]
"""An address, and what the browser or program there calls itself, "" if it says nothing."""


class BusyError(OstinatoError):
    """There is more work than can be done soon.

    Attributes:
        retry_seconds: when to ask again.
    """

    def __init__(self, message: str, retry_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class VanishedError(OstinatoError):
    """Whoever asked for the work has gone."""


class Workers:
    """A few threads, and before them a queue in which all take turns.

    Args:
        threads: jobs that are done at once.
        waiting: jobs that may wait for a thread, of all.
        of_address: of one address.
        of_client: of one client there.
        seconds: how long a job may take, waiting included. One that has begun goes on to its end, and keeps its place
            until then, but nobody waits for it.
    """

    def __init__(
        self, threads: int = 2, waiting: int = 256, of_address: int = 128, of_client: int = 64, seconds: float = 30.0
    ) -> None:
        self._executor = ThreadPoolExecutor(threads, "studio")
        self._threads = threads
        self._limits = (waiting, of_address, of_client)
        self._seconds = seconds
        self._lock = threading.Lock()
        self._turns = _Turns()
        self._at_work: list[Client] = []
        self._job_seconds = _FIRST_GUESS

    async def do(self, work: Callable[[], T], vanished: Awaitable[Any], client: Client = ("", "")) -> T:
        """Do some work in a thread when its turn comes, and wait for it.

        Args:
            work: what to do.
            vanished: done when nobody wants it any more; then it is dropped if it has not begun.
            client: whose it is.

        Returns:
            What the work returns.

        Raises:
            BusyError: if too much waits, or the work takes too long.
            VanishedError: if nobody wants it any more.
        """
        watch = asyncio.ensure_future(vanished)
        try:
            job = _Job(work, client)
            self._take(job)
            answer = asyncio.wrap_future(job.future)
            done, _ = await asyncio.wait((answer, watch), timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            if answer in done:
                result: T = answer.result()
                return result
            # From here on nobody asks for the answer, nor for the error that it may become.
            answer.cancel()
            with self._lock:
                self._turns.drop(job)
        finally:
            watch.cancel()
        if done:
            raise VanishedError("whoever asked has gone")
        raise BusyError(
            f"this took longer than {self._seconds:g} seconds; ask for less, or again later", self._wait_for_all()
        )

    def ahead(self, client: Client) -> tuple[int, float] | None:
        """How many jobs are done before a client's next one, and in how many seconds; None if it has none.

        A job that is at work has none before it.
        """
        with self._lock:
            if client in self._at_work:
                return 0, 0.0
            for place, job in enumerate(self._turns):
                if job.client == client:
                    return place + len(self._at_work), self._seconds_for(place)
        return None

    def close(self) -> None:
        """Drop what has not begun."""
        with self._lock:
            for job in list(self._turns):
                self._turns.drop(job)
                job.future.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _take(self, job: "_Job") -> None:
        address = job.client[0]
        with self._lock:
            of_all, of_address, of_client = self._limits if len(self._at_work) >= self._threads else (1, 1, 1)
            if self._turns.count(job.client) >= of_client or self._turns.count_at(address) >= of_address:
                whose = "yours"
            elif len(self._turns) >= of_all:
                whose = "all"
            else:
                self._turns.add(job)
                self._begin()
                return
        seconds = self._wait_for_all()
        many = "too many of your requests wait" if whose == "yours" else "too much is being done at once"
        raise BusyError(f"{many}; ask again in {seconds} second{'s' if seconds > 1 else ''}", seconds)

    def _begin(self) -> None:
        """Begin what there are threads for."""
        while len(self._at_work) < self._threads and len(self._turns):
            job = self._turns.take()
            if job.future.set_running_or_notify_cancel():
                self._at_work.append(job.client)
                self._executor.submit(self._run, job)

    def _run(self, job: "_Job") -> None:
        began = time.monotonic()
        try:
            answer = job.work()
        except BaseException as error:
            self._end(job, began)
            job.future.set_exception(error)
        else:
            self._end(job, began)
            job.future.set_result(answer)

    def _end(self, job: "_Job", began: float) -> None:
        with self._lock:
            self._job_seconds += _NEWEST_SHARE * (time.monotonic() - began - self._job_seconds)
            self._at_work.remove(job.client)
            self._begin()

    def _seconds_for(self, place: int) -> float:
        """Until the job at a place of the queue begins."""
        return (place + 1) * self._job_seconds / self._threads

    def _wait_for_all(self) -> int:
        return max(math.ceil(self._seconds_for(len(self._turns))), 1)


class _Job:
    def __init__(self, work: Callable[[], Any], client: Client) -> None:
        self.work, self.client = work, client
        self.future: Future[Any] = Future()


class _Turns:
    """Jobs that wait: the addresses take turns, at each address its clients, and a client's come in order."""

    def __init__(self) -> None:
        # Whose turn is next is first. No empty ones are kept.
        self._waiting: dict[str, dict[str, deque[_Job]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def count(self, client: Client) -> int:
        """Jobs of a client."""
        return len(self._waiting.get(client[0], {}).get(client[1], ()))

    def count_at(self, address: str) -> int:
        """Jobs of all clients at an address."""
        return sum(map(len, self._waiting.get(address, {}).values()))

    def add(self, job: _Job) -> None:
        """Append a job to its client's."""
        address, name = job.client
        self._waiting.setdefault(address, {}).setdefault(name, deque()).append(job)
        self._count += 1

    def take(self) -> _Job:
        """The job whose turn it is; then it is the next one's."""
        address, clients = next(iter(self._waiting.items()))
        name, jobs = next(iter(clients.items()))
        job = jobs.popleft()
        self._count -= 1
        del clients[name]
        if jobs:
            clients[name] = jobs
        del self._waiting[address]
        if clients:
            self._waiting[address] = clients
        return job

    def drop(self, job: _Job) -> None:
        """Take out a job, if it still waits."""
        address, name = job.client
        clients = self._waiting.get(address, {})
        jobs = clients.get(name, deque())
        if job not in jobs:
            return
        jobs.remove(job)
        self._count -= 1
        if not jobs:
            del clients[name]
        if not clients:
            del self._waiting[address]

    def __iter__(self) -> Iterator[_Job]:
        """In the order in which they are taken."""
        copy = _Turns()
        copy._count = self._count
        copy._waiting = {
            address: {name: deque(jobs) for name, jobs in clients.items()} for address, clients in self._waiting.items()
        }
        while len(copy):
            yield copy.take()


class Players:
    """Processes that make melodies, each of them one request at a time.

    Args:
        paths: where each model is, by its name.
        default: the one that plays if none is named.
        count: how many; by default one for each processor, and no more than `MAX_PROCESSES`.
    """

    def __init__(self, paths: Mapping[str, Path], default: str, count: int | None = None) -> None:
        self.count = count or max(min(_processors(), MAX_PROCESSES), 1)
        self._paths, self._default = dict(paths), default
        self._added: tuple[tuple[str, Path], ...] = ()
        self._is_closed = False
        self._all = {self._start() for _ in range(self.count)}
        # The one that was used last comes first: what it needs is in the processor's cache.
        self._idle: queue.LifoQueue[_Player] = queue.LifoQueue()
        for player in self._all:
            self._idle.put(player)

    def add(self, name: str, path: Path) -> None:
        """Let a new model be asked for by its name; one thread at a time may.

        Each process hears of it before its next request.
        """
        self._added = (*self._added, (name, path))

    def make(self, body: bytes) -> bytes:
        """The JSON of the answer to a request of `/api/generate`, from whichever process is free.

        Raises:
            SettingsError: if it cannot be answered.
        """
        answer = self._ask(body) or self._ask(body)  # one may have died while it was idle
        if answer is None:
            raise BusyError("the process that made this has died; ask for less, or again later")
        if answer[:1] == _DONE:
            return answer[1:]
        if answer[:1] == _REFUSED:
            raise SettingsError(answer[1:].decode())
        raise RuntimeError(answer[1:].decode())

    def _ask(self, body: bytes) -> bytes | None:
        """What a process answers; None if it dies over it, and another one takes its place."""
        player = self._idle.get()
        try:
            for name, path in self._added[player.num_added :]:
                player.connection.send_bytes(_ADD + msgspec.json.encode([name, str(path)]))
                player.num_added += 1
            player.connection.send_bytes(_MAKE + body)
            return player.connection.recv_bytes()
        except (EOFError, OSError):
            self._all.discard(player)
            player.stop()
            if not self._is_closed:
                player = self._start()
                self._all.add(player)
            return None
        finally:
            self._idle.put(player)

    def close(self) -> None:
        """End the processes, whatever they are at."""
        self._is_closed = True
        for player in self._all:
            player.stop()

    def _start(self) -> "_Player":
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_play, args=(self._paths, self._default, theirs), daemon=True)
        process.start()
        theirs.close()
        return _Player(process, ours)


class _Player:
    def __init__(self, process: BaseProcess, connection: "Connection[bytes, bytes]") -> None:
        self.process, self.connection = process, connection
        self.num_added = 0  # models that it has heard of

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


# A fork beside the server's threads could copy a lock that is held.
_CONTEXT = multiprocessing.get_context("spawn")
_MAKE, _ADD = b"?", b"&"
_DONE, _REFUSED, _FAILED = b"+", b"-", b"!"


def _play(paths: dict[str, Path], default: str, connection: "Connection[bytes, bytes]") -> None:
    """A player's life: requests in, answers out, until the studio is gone."""
    import traceback

    from ostinato.studio.api import answer_to
    from ostinato.studio.models import Models

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the studio's to answer
    models = Models(paths, default)
    models.model()  # so that the first click waits for no loading
    while True:
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            return
        if message[:1] == _ADD:
            name, path = msgspec.json.decode(message[1:])
            models.add(name, Path(path))
            continue
        try:
            answer = _DONE + answer_to(message[1:], models)
        except OstinatoError as error:
            answer = _REFUSED + str(error).encode()
        except Exception:  # it goes to the studio's log, and the next request must be answered
            answer = _FAILED + traceback.format_exc().encode()
        connection.send_bytes(answer)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
