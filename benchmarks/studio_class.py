"""How long a class waits: browsers that click Generate within a second, and requests that come all at once.

    python benchmarks/studio_class.py [--clients=30] [--within=1] [--burst=50]

A studio is started as a process of its own, and each client is a thread with a
connection and a melody of two bars, which asks for four variations of 8 new bars,
as the page does. A time is from a client's click to its whole answer. The
machine should have nothing else to do.
"""

import argparse
import http.client
import json
import random
import statistics
import threading
import time

from machine import machine

from studio import studio

NEW_BARS, VARIATIONS, STEPS_PER_BAR = 8, 4, 16
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=30, help="how many click (default 30)")
    parser.add_argument("--within", type=float, default=1.0, help="seconds in which they do, evenly (default 1)")
    parser.add_argument(
        "--burst", type=int, default=50, help="requests of one program at once, after that (default 50)"
    )
    args = parser.parse_args()
    print(machine("msgspec", "numpy", "starlette", "uvicorn"))
    with studio("") as port:
        tell("to warm up", [Click(port, number, "warm", 0.0) for number in range(8)])
        delays = [number * args.within / args.clients for number in range(args.clients)]
        pupils = [Click(port, number, f"pupil {number}", delay) for number, delay in enumerate(delays)]
        tell(f"{args.clients} clients who click within {args.within:g} s", pupils)
        tell(f"{args.burst} requests of one client at once", [Click(port, n, "", 0.0) for n in range(args.burst)])


class Click:
    """A client that asks once, some seconds from now."""

    def __init__(self, port: int, number: int, name: str, delay: float) -> None:
        chosen = random.Random(number)
        events = [event for _ in range(8) for event in (chosen.choice(SCALE), -2, chosen.choice(SCALE), -2)]
        self.request = {
            "primer": {"events": events, "meter": "4/4"},
            "num_bars": len(events) // STEPS_PER_BAR + NEW_BARS,
            "ending": True,
            "variations": VARIATIONS,
            "seed": number,
        }
        self.port, self.name, self.delay = port, name, delay
        self.seconds, self.status = 0.0, 0

    def ask(self) -> None:
        """Wait, ask, and keep the time and the status."""
        time.sleep(self.delay)
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json", "Ostinato-Client": self.name}
        connection.request("POST", "/api/generate", json.dumps(self.request), headers)
        response = connection.getresponse()
        response.read()
        self.seconds, self.status = time.perf_counter() - began, response.status
        connection.close()


def tell(what: str, clicks: list[Click]) -> None:
    """Let all of them ask, and print how long they waited."""
    threads = [threading.Thread(target=click.ask) for click in clicks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answered = sorted(click.seconds for click in clicks if click.status == 200)
    refused = len(clicks) - len(answered)
    median = statistics.median(answered)
    print(f"{what}: {len(answered)} answers, {refused} refused; {median:.2f} s median, {answered[-1]:.2f} s the last")


if __name__ == "__main__":
    main()
