import functools
import itertools
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import active_children
from typing import Any

import pytest

from ostinato import parallel
from ostinato.parallel import Failure, map_batches, map_jobs


def square(number: int) -> int:
    return number * number


def treacherous(number: int) -> int:
    """Crashes at 17, hangs at 23, exits at 40, raises at 29, and else squares."""
    if number == 17:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 23:
        time.sleep(1000)
    if number == 29:
        raise ValueError("twenty-nine")
    if number == 40:
        os._exit(3)
    return number * number


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    assert active_children() == []


@pytest.fixture(autouse=True)
def workers_are_forked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests may have left threads in this process, beside which workers would be started in the slow way."""
    if sys.platform == "linux" and "beside_threads" not in request.node.name:
        monkeypatch.setattr(parallel, "_context", lambda: multiprocessing.get_context("fork"))


@pytest.mark.parametrize("processes", [None, 1, 2, 5])
@pytest.mark.parametrize("timeout_seconds", [None, 60.0])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 1000])
def test_results_in_order(count: int, processes: int | None, timeout_seconds: float | None) -> None:
    results = map_jobs(square, range(count), processes=processes, timeout_seconds=timeout_seconds)
    assert list(results) == [number * number for number in range(count)]


@pytest.mark.parametrize("processes", [1, 2])
def test_crashes_hangs_and_errors_cost_one_job_each(processes: int) -> None:
    results = list(map_jobs(treacherous, range(300), processes=processes, timeout_seconds=0.5))
    failures = {17: "SIGKILL", 23: r"took longer than 0.5 s", 29: "ValueError: twenty-nine", 40: "exit code 3"}
    for number, result in enumerate(results):
        if number in failures:
            assert isinstance(result, Failure)
            assert result.job == number
            assert failures[number] in result.reason
        else:
            assert result == number * number
    assert len(results) == 300


def test_an_error_in_this_process_costs_one_job() -> None:
    results = list(map_jobs(treacherous, [28, 29, 30], processes=1))
    assert results == [784, Failure(29, "ValueError: twenty-nine"), 900]


def add_up(batch: Sequence[int]) -> list[int]:
    if len(batch) > 1 and 5 in batch:
        raise ValueError("only alone")
    return [sum(range(number)) for number in batch]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_batch_that_fails_is_done_again_one_by_one(processes: int) -> None:
    assert list(map_batches(add_up, range(9), processes=processes)) == [0, 0, 1, 3, 6, 10, 15, 21, 28]


def test_jobs_are_taken_a_few_batches_ahead_only() -> None:
    taken = 0

    def jobs() -> Iterator[float]:
        nonlocal taken
        for taken in itertools.count(1):  # noqa: B007 (the test reads it)
            yield 0.02

    results = map_jobs(time.sleep, jobs(), processes=2)
    assert list(itertools.islice(results, 10)) == [None] * 10
    assert taken < 100
    results.close()


def test_slow_first_job_does_not_hold_up_the_others_but_bounds_them() -> None:
    began = time.monotonic()
    assert len(list(map_jobs(time.sleep, [0.3, *[0.01] * 30], processes=2))) == 31
    assert time.monotonic() - began < 5


def test_large_jobs_and_results_do_not_block_each_other() -> None:
    jobs = [bytes(300_000)] * 30
    assert [len(result) for result in map_jobs(bytes, jobs, processes=2) if isinstance(result, bytes)] == [300_000] * 30


def buffer_of(size: int) -> pickle.PickleBuffer:
    return pickle.PickleBuffer(b"x" * size)


def test_workers_end_with_their_parent_even_if_they_are_sending() -> None:
    script = """
import itertools, time
from ostinato.parallel import map_jobs
results = map_jobs(bytes, itertools.repeat(10**7), processes=2)
next(results)
print("there they are", flush=True)
time.sleep(1000)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    assert parent.stdout.readline() == "there they are\n"
    parent.kill()
    parent.communicate(timeout=60)  # to the end of what the workers could write as well


def test_buffers_arrive_as_bytes() -> None:
    sizes = [0, 1, 300_000, 5, 100_000]
    results: list[Any] = list(map_jobs(buffer_of, sizes, processes=2))
    assert results == [b"x" * size for size in sizes]
    assert all(type(result) is bytes for result in results)


def scale(factor: int, number: int) -> int:
    return factor * number


def test_partials_go_to_workers() -> None:
    assert list(map_jobs(functools.partial(scale, 3), range(5), processes=2)) == [0, 3, 6, 9, 12]


def test_beside_threads_processes_are_not_forked() -> None:
    import threading

    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert list(map_jobs(abs, [-1, -2, -3], processes=2)) == [1, 2, 3]
    finally:
        stop.set()
        thread.join()
