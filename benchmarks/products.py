"""Times the matrix products of a training step on one thread of the CPU, by each way to make them.

    python benchmarks/products.py

The shapes are those of a layer of 256 cells: of one step of 16 melodies, and of all steps at once. The error is that of
the products of normally distributed numbers, as a share of their mean size.
"""

import statistics
import time
from collections.abc import Callable

import torch
from machine import machine

from ostinato.training.hardware import fastest_products

SHAPES = ((16, 256, 1024), (16, 512, 1024), (8192, 512, 1024))
RUNS = 5


def main() -> None:
    torch.set_num_threads(1)
    print(machine("torch"))
    with fastest_products(torch.device("cpu")):
        chosen = torch.get_float32_matmul_precision()
    print(f"training chooses: {'oneDNN' if chosen == 'medium' else 'what PyTorch does by itself'}")
    for rows, inner, columns in SHAPES:
        left, right = torch.randn(rows, inner), torch.randn(inner, columns)
        exact = left.double() @ right.double()
        for name, precision, kind in (
            ("float32, PyTorch's choice", "highest", torch.float32),
            ("float32, oneDNN permitted", "medium", torch.float32),
            ("bfloat16", "highest", torch.bfloat16),
        ):
            torch.set_float32_matmul_precision(precision)
            one, other = left.to(kind), right.to(kind)
            out = torch.empty(rows, columns, dtype=kind)
            rate = 2e-9 * rows * inner * columns / seconds(lambda: torch.mm(one, other, out=out))  # noqa: B023 - called now
            error = float((out.double() - exact).abs().mean() / exact.abs().mean())
            print(f"[{rows}, {inner}] x [{inner}, {columns}], {name}: {rate:.0f} GFLOP/s, error {error:.0e}")


def seconds(product: Callable[[], object]) -> float:
    """Of this thread's time that a product takes, the median of some runs."""
    product()
    began = time.thread_time()
    product()
    count = max(1, int(0.05 / (time.thread_time() - began + 1e-9)))
    runs = []
    for _ in range(RUNS):
        began = time.thread_time()
        for _ in range(count):
            product()
        runs.append((time.thread_time() - began) / count)
    return statistics.median(runs)


if __name__ == "__main__":
    main()
