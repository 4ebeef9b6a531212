"""Whose turn it is, how much may wait, and what becomes of work that nobody waits for."""

import asyncio
import functools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ostinato.errors import SettingsError
from ostinato.studio.api import answer_to
from ostinato.studio.workers import BusyError, Client, Players, VanishedError, Workers
from studio_parts import small_models


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
        workers = Workers(threads=1, waiting=1)
        begun, go_on = threading.Event(), threading.Event()

        def work() -> bool:
            begun.set()
            return go_on.wait(5)

        first = asyncio.ensure_future(workers.do(work, _never()))
        await _begun(begun)
        second = asyncio.ensure_future(workers.do(work, _never()))
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="too much is being done at once; ask again in 1 second"):
            await workers.do(work, _never())
        go_on.set()
        assert await first
        assert await second
        assert await workers.do(work, _never())
        workers.close()

    asyncio.run(main())


def test_what_a_vanished_client_asked_for_is_dropped_if_not_begun() -> None:
    async def main() -> None:
        workers = Workers(threads=1, waiting=1)
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
        workers = Workers(threads=1, waiting=0, seconds=0.02)
        go_on = threading.Event()
        with pytest.raises(BusyError, match=r"this took longer than 0\.02 seconds"):
            await workers.do(lambda: go_on.wait(5), _never())
        with pytest.raises(BusyError, match="too much"):
            await workers.do(lambda: None, _never())
        go_on.set()
        workers.close()

    asyncio.run(main())


async def _in_order(asked: list[Client], look: Callable[[Workers], None] = lambda _: None) -> list[Client]:
    """Whose jobs are done one after the other, once the first, that of none of them, is over."""
    workers = Workers(threads=1)
    begun, go_on = threading.Event(), threading.Event()
    done: list[Client] = []

    def first() -> None:
        begun.set()
        go_on.wait(5)

    at_work = asyncio.ensure_future(workers.do(first, _never(), ("first", "")))
    await _begun(begun)
    waiting = [
        asyncio.ensure_future(workers.do(functools.partial(done.append, client), _never(), client)) for client in asked
    ]
    await asyncio.sleep(0)
    look(workers)
    go_on.set()
    await asyncio.gather(at_work, *waiting)
    workers.close()
    return done


def test_all_take_turns() -> None:
    greedy, modest = ("10.0.0.1", ""), ("10.0.0.2", "")
    assert asyncio.run(_in_order([greedy] * 4 + [modest] * 2)) == [greedy, modest, greedy, modest, greedy, greedy]
    # Browsers behind one address share its turns: another address waits for no more than one of them.
    ann, ben, carl = ("10.0.0.1", "ann"), ("10.0.0.1", "ben"), ("10.0.0.2", "")
    assert asyncio.run(_in_order([ann, ann, ben, ben, carl, carl])) == [ann, carl, ben, carl, ann, ben]


def test_each_can_see_where_it_stands() -> None:
    ann, ben = ("10.0.0.1", "ann"), ("10.0.0.1", "ben")

    def look(workers: Workers) -> None:
        # Before any is done, a job is taken to last 0.2 seconds.
        assert workers.ahead(("first", "")) == (0, 0.0)
        assert workers.ahead(ann) == (1, 0.2)
        assert workers.ahead(ben) == (2, 0.4)
        assert workers.ahead(("10.0.0.1", "carl")) is None

    asyncio.run(_in_order([ann, ann, ben], look))


@pytest.mark.parametrize(
    ("limits", "asked", "refusal"),
    [
        ({"waiting": 2}, [("a", ""), ("b", ""), ("c", "")], "too much is being done at once; ask again in 1 second"),
        ({"of_address": 2}, [("a", "1"), ("a", "2"), ("a", "3")], "too many of your requests wait; ask again in 1 sec"),
        ({"of_client": 2}, [("a", "1"), ("a", "1"), ("a", "1")], "too many of your requests wait; ask again in 1 sec"),
        # 0.2 seconds each, 12 of them
        ({"waiting": 11}, [("a", str(n)) for n in range(12)], "too much is being done at once; ask again in 3 seconds"),
    ],
)
def test_the_last_of_too_many_is_refused(limits: dict[str, int], asked: list[Client], refusal: str) -> None:
    async def main() -> None:
        workers = Workers(threads=1, **limits)
        begun, go_on = threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            go_on.wait(5)

        jobs = [asyncio.ensure_future(workers.do(work, _never()))]
        await _begun(begun)
        *some, last = asked
        jobs += [asyncio.ensure_future(workers.do(work, _never(), client)) for client in some]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match=refusal) as caught:
            await workers.do(work, _never(), last)
        assert caught.value.retry_seconds == (3 if "3 seconds" in refusal else 1)
        go_on.set()
        await asyncio.gather(*jobs)
        workers.close()

    asyncio.run(main())


def melodies(answer: dict[str, Any]) -> list[tuple[list[int], bool]]:
    """What is the same on every machine; probabilities may differ in their last digit."""
    return [(each["events"], each["ends"]) for each in answer["variations"]]


def test_players_make_what_the_studio_would_make_itself(tmp_path: Path) -> None:
    models = small_models(tmp_path)
    asked: dict[str, Any] = {"num_bars": 4, "model": "finite", "seed": 3, "variations": 8}
    body = json.dumps(asked).encode()
    players = Players(models.paths, models.default, count=2)
    try:
        (own, theirs) = (json.loads(data) for data in (answer_to(body, models), players.make(body)))
        assert melodies(own) == melodies(theirs)
        with pytest.raises(SettingsError, match="no model is called 'other'"):
            players.make(json.dumps({**asked, "model": "other"}).encode())
        # One that dies is replaced.
        for player in list(players._all):
            player.process.kill()
            player.process.join()
        assert melodies(json.loads(players.make(body))) == melodies(own)
    finally:
        players.close()
