"""The workers: how much at once, and what becomes of work that nobody waits for."""

import asyncio
import threading

import pytest

from ostinato.studio.workers import BusyError, VanishedError, Workers


async def _never() -> None:
    await asyncio.Event().wait()


async def _begun(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 5)


def test_work_is_done_beside_the_loop_and_its_errors_come_back() -> None:
    async def main() -> None:
        workers = Workers()
        assert await workers.do(threading.get_ident, _never()) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await workers.do(lambda: 1 // 0, _never())
        workers.close()

    asyncio.run(main())


def test_more_than_can_wait_is_refused_and_room_comes_back() -> None:
    async def main() -> None:
        workers = Workers(threads=1, queue=1)
        begun, go_on = threading.Event(), threading.Event()

        def work() -> bool:
            begun.set()
            return go_on.wait(5)

        first = asyncio.ensure_future(workers.do(work, _never()))
        await _begun(begun)
        second = asyncio.ensure_future(workers.do(work, _never()))
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="too much is being done at once; ask again in a second"):
            await workers.do(work, _never())
        go_on.set()
        assert await first
        assert await second
        assert await workers.do(work, _never())
        workers.close()

    asyncio.run(main())


def test_what_a_vanished_client_asked_for_is_dropped_if_not_begun() -> None:
    async def main() -> None:
        workers = Workers(threads=1, queue=1)
        begun, go_on = threading.Event(), threading.Event()
        done: list[str] = []

        def slow() -> None:
            begun.set()
            go_on.wait(5)
            done.append("slow")

        first = asyncio.ensure_future(workers.do(slow, _never()))
        await _begun(begun)
        with pytest.raises(VanishedError):
            await workers.do(lambda: done.append("vanished"), asyncio.sleep(0.01))
        # Its place in the queue is free again.
        third = asyncio.ensure_future(workers.do(lambda: done.append("third"), _never()))
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, third)
        assert done == ["slow", "third"]
        workers.close()

    asyncio.run(main())


def test_work_that_takes_too_long_is_given_up_but_keeps_its_place() -> None:
    async def main() -> None:
        workers = Workers(threads=1, queue=0, seconds=0.02)
        go_on = threading.Event()
        with pytest.raises(BusyError, match=r"this took longer than 0\.02 seconds"):
            await workers.do(lambda: go_on.wait(5), _never())
        with pytest.raises(BusyError, match="too much"):
            await workers.do(lambda: None, _never())
        go_on.set()
        workers.close()

    asyncio.run(main())
