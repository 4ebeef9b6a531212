"""The campaign's part that asks the studio for what it cannot do, and for much at once."""

import contextlib
import functools
import http.client
import json
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from campaign_trials import FINE, REFUSED, FaultError, Kind
from fuzz_bundle import any_bytes
from studio_class import Click

from studio import studio

REQUESTS = 20  # in one trial
CLIENTS = 50
HOSTILE: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2**31, 2**53, 10**400, 1e308, -0.5, "", "x" * 5000, "\ud800", "4/4", "6/8", "0/0"),
    *([], [[]], {}, [60], [-3], [128], [60] * 5000, {"events": [60]}, "C", "ostinato"),
)
VALID: dict[str, dict[str, Any]] = {
    "/api/generate": {
        "primer": {"events": [60, -2, 62, -2] * 4, "meter": "4/4"},
        "num_bars": 3,
        "variations": 1,
        "seed": 1,
        "temperature": 1.0,
        "key": "C",
        "ending": True,
    },
    "/api/midi": {"melodies": [{"events": [60, -2, 62, -1], "qpm": 120.0, "meter": "3/4"}]},
    "/api/wav": {"events": [60, -2, 62, -1], "qpm": 240.0, "program": 0, "clicks": False},
}


def spoiled(value: Any, chance: random.Random) -> Any:
    """A value of JSON with something in it replaced, left out or added."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        name = chance.choice(list(value))
        match chance.randrange(8):
            case 0:
                return {key: each for key, each in value.items() if key != name}
            case 1:
                return {
                    **value,
                    chance.choice(["num_steps", "fill", "meter", "draw", "until_end", "x"]): chance.choice(HOSTILE),
                }
            case _:
                return {**value, name: spoiled(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.7:
        at = chance.randrange(len(value))
        return [*value[:at], spoiled(value[at], chance), *value[at + 1 :]]
    return chance.choice(HOSTILE)


class Studio:
    """A studio, started when the first trial needs it."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.port = functools.cache(lambda: stack.enter_context(studio("")))

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=60)
        with contextlib.closing(connection):
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                return response.status, response.read()
            except (http.client.HTTPException, OSError) as error:
                raise FaultError(f"{method} {path}: no answer: {error!r}") from error

    def alive(self) -> None:
        status, data = self.ask("GET", "/api/models", None, {})
        if status != 200 or not json.loads(data)["models"]:
            raise FaultError(f"the studio no longer lists its models: {status} {data[:200]!r}")

    def fuzz(self, chance: random.Random, folder: Path) -> str:
        """Requests that hardly can be; each must be answered, or refused with a reason in JSON."""
        refused = 0
        for number in range(REQUESTS):
            path = chance.choice([*VALID, "/api/primer"])
            if path == "/api/primer":
                body, kind = chance.randbytes(chance.choice([0, 5, 3000])), "audio/midi"
            else:
                request = VALID[path]
                for _ in range(chance.randint(1, 3)):
                    request = spoiled(request, chance)
                body, kind = json.dumps(request).encode(), "application/json"
                if chance.random() < 0.2:
                    body = any_bytes(chance, body)
            (folder / f"request-{number}").write_bytes(path.encode() + b"\n" + body)
            kind = chance.choice([kind, kind, kind, kind, "text/plain", ""])
            method = chance.choice(["POST", "POST", "POST", "POST", "POST", "GET", "PUT", "DELETE"])
            status, data = self.ask(method, path, body, {"Content-Type": kind, "Ostinato-Client": "fuzz"})
            if status >= 500 and status != 503:
                raise FaultError(f"request-{number}: {method} {path}: {status} {data[:200]!r}")
            if status != 200:
                refused += 1
                if status not in (404, 405) and not json.loads(data):
                    raise FaultError(f"request-{number}: refused without a reason: {status} {data[:200]!r}")
        self.alive()
        return REFUSED if refused else FINE

    def crowd(self, chance: random.Random, _: Path) -> str:
        """Many clients at once, each of whom gets a melody or, on a machine that is too busy, reads to come again."""
        clicks = [Click(self.port(), chance.randrange(1000), f"client {number}", 0.0) for number in range(CLIENTS)]
        threads = [threading.Thread(target=click.ask) for click in clicks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = {click.status for click in clicks}
        if statuses - {200, 503}:
            raise FaultError(f"the clients were answered {sorted(statuses)}")
        self.alive()
        return REFUSED if 503 in statuses else FINE


def kinds(stack: contextlib.ExitStack) -> Iterator[Kind]:
    """The trials of this part."""
    asked = Studio(stack)
    trials: list[tuple[str, Callable[[random.Random, Path], str], bool]] = [
        (f"the studio: {REQUESTS} spoiled requests", asked.fuzz, False),
        (f"the studio: {CLIENTS} clients at once", asked.crowd, True),
    ]
    return (Kind(name, trial, slow) for name, trial, slow in trials)
