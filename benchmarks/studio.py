"""How long the studio takes to answer, as its page asks: from the request sent to the whole answer there.

    python benchmarks/studio.py [--bundle_file=FILE] [--runs=20]

A studio is started as a process of its own, and asked over one connection. All
figures are medians; the machine should have nothing else to do.
"""

import argparse
import http.client
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from machine import machine

BARS, VARIATIONS, STEPS_PER_BAR = 8, 4, 16
PRIMER = [60, -2, 62, -2, 64, -2, 65, -2, 67, -2, -2, -2, -2, -2, -2, -2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle_file", default="", help="a model to play, beside those that come with the package")
    parser.add_argument("--runs", type=int, default=20, help="answers to take the median of (default 20)")
    args = parser.parse_args()
    print(machine("msgspec", "numpy", "starlette", "uvicorn"))
    began = time.perf_counter()
    with studio(args.bundle_file) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        models = [model["name"] for model in json.loads(answer(connection, "GET", "/api/models"))["models"]]
        print(f"started and listed its models in {1000 * (time.perf_counter() - began):.0f} ms\n")
        new = BARS * STEPS_PER_BAR
        asked: dict[str, Any] = {"num_steps": new, "variations": VARIATIONS, "seed": 0}
        begun: dict[str, Any] = {**asked, "num_steps": len(PRIMER) + new, "primer": {"events": PRIMER}}
        for model in models:
            for what, request in {
                "explained": {**asked, "explain": True},
                "after a primer, explained": {**begun, "explain": True},
                "not explained": {**asked, "explain": False},
            }.items():
                measure(
                    connection,
                    f"{model}: {VARIATIONS} x {BARS} bars, {what}",
                    "/api/generate",
                    {**request, "model": model},
                    args.runs,
                )
        melody = {"events": PRIMER * BARS}
        measure(connection, f"{BARS} bars as MIDI", "/api/midi", {"melodies": [melody]}, args.runs)
        measure(connection, f"{BARS} bars as WAV", "/api/wav", melody, args.runs)


@contextmanager
def studio(bundle_file: str) -> Iterator[int]:
    """A studio at work; yields its port."""
    command = [sys.executable, "-m", "ostinato", "studio", "--port=0", "--open=false", f"--bundle_file={bundle_file}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            found = re.search(r":(\d+)/", process.stdout.readline())
            if found is None:
                raise SystemExit("the studio did not start")
            yield int(found[1])
        finally:
            process.terminate()


def measure(connection: http.client.HTTPConnection, what: str, path: str, request: dict[str, Any], runs: int) -> None:
    """Ask the same some times, and once before, when what is needed is loaded."""
    body = json.dumps(request)
    data = answer(connection, "POST", path, body)
    seconds, inside = [], []
    for _ in range(runs):
        began = time.perf_counter()
        data = answer(connection, "POST", path, body)
        seconds.append(time.perf_counter() - began)
        if path == "/api/generate":
            inside.append(json.loads(data)["milliseconds"])
    told = f", {statistics.median(inside):.0f} ms of it making them" if inside else ""
    print(
        f"{what:55} {1000 * statistics.median(seconds):5.0f} ms median of {runs} "
        f"({1000 * min(seconds):.0f}..{1000 * max(seconds):.0f}){told}, {len(data):,} bytes"
    )


def answer(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> bytes:
    """The body of an answer."""
    headers = {} if body is None else {"Content-Type": "application/json"}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    data = response.read()
    if response.status != 200:
        raise SystemExit(f"{method} {path}: {response.status} {data.decode()}")
    return data


if __name__ == "__main__":
    main()
