"""How many seeds give one melody whatever stands beside it, and whatever kernels multiply its matrices.

    python benchmarks/seeds.py [--seeds=300] [--kernels=Haswell,SkylakeX,Prescott] [--config=NAME]

For each shipped model and seed, the first melody of 1, of 4 and of 16 outputs is
made, 256 steps long, by each of OpenBLAS's kernels that this processor runs.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence

from machine import kernels, machine

from ostinato.shipped import SHIPPED_MODELS

NUM_STEPS = 256
PRIMER = [60]
NUM_OUTPUTS = (1, 4, 16)
MAKE = """
import json, sys
from ostinato.generation.model import Model
from ostinato.shipped import load_shipped
name, seeds, num_steps, primer, counts = json.loads(sys.argv[1])
model = Model(load_shipped(name))
made = [
    [model.generate(num_steps, primer, num_outputs=count, seed=seed)[0].events for seed in range(seeds)]
    for count in counts
]
print(json.dumps(made))
"""

Made = list[list[list[int]]]  # for each number of outputs and each seed the first melody


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=300, help="seeds to try (default 300)")
    parser.add_argument("--kernels", default="Haswell,SkylakeX,Prescott", help="OpenBLAS kernels to try")
    parser.add_argument("--config", choices=SHIPPED_MODELS, help="one model (default: each)")
    args = parser.parse_args()
    print(machine("numpy"))
    asked = args.kernels.split(",")
    run = list(kernels(asked))
    left_out = "".join(f"; this processor does not run {name}" for name in asked if name not in run)
    print(f"of {args.seeds} seeds, {NUM_STEPS} steps each{left_out}")
    for name in [args.config] if args.config else SHIPPED_MODELS:
        made = {kernel: melodies(name, args.seeds, kernel) for kernel in run}
        for kernel in run:
            alone, *beside = made[kernel]
            differ = [_count_different(alone, others) for others in beside]
            print(f"  {name:14} {kernel:10} differ from 1 output's: {differ[0]} of 4 outputs, {differ[1]} of 16")
        for kernel in run[1:]:
            differ = [_count_different(*pair) for pair in zip(made[run[0]], made[kernel], strict=True)]
            print(f"  {name:14} {run[0]} and {kernel}: {differ} differ of 1, 4 and 16 outputs")


def melodies(name: str, seeds: int, kernel: str) -> Made:
    """The first melodies of a model, made by a kernel."""
    asked = json.dumps([name, seeds, NUM_STEPS, PRIMER, NUM_OUTPUTS])
    environment = {**os.environ, "OPENBLAS_CORETYPE": kernel, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", MAKE, asked], check=True, capture_output=True, text=True, env=environment
    )
    made: Made = json.loads(done.stdout)
    return made


def _count_different(ones: Sequence[list[int]], others: Sequence[list[int]]) -> int:
    return sum(one != other for one, other in zip(ones, others, strict=True))


if __name__ == "__main__":
    main()
