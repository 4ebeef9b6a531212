"""How long `ostinato jam` computes from the end of a call of four bars to its answer.

    python benchmarks/jam.py [--runs=31]

The first note is what the next beat waits for; the rest is drawn while it
sounds. The machine should have nothing else to do.
"""

import argparse
import os
import statistics
import time
from itertools import islice

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does

from machine import machine

from ostinato.generation.model import Model
from ostinato.live.turns import model_responder
from ostinato.music.melody import Melody
from ostinato.shipped import load_shipped

CALL = Melody([60, -2, 62, -2, 64, -1, 65, -2] * 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=31, help="answers to take the median of (default 31)")
    args = parser.parse_args()
    print(machine("numpy"))
    for name in ("ostinato", "attention_rnn"):
        respond = model_responder(Model(load_shipped(name)), 0)
        first, whole = [], []
        for _ in range(args.runs):
            start = time.perf_counter()
            events = respond(CALL, 1.0)
            next(events)
            first.append(1000 * (time.perf_counter() - start))
            list(islice(events, len(CALL) - 1))
            whole.append(1000 * (time.perf_counter() - start))
        print(
            f"{name}: first note {statistics.median(first):.0f} ms, all four bars {statistics.median(whole):.0f} ms "
            f"({min(whole):.0f}..{max(whole):.0f})"
        )


if __name__ == "__main__":
    main()
