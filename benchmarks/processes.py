"""Trains a small model with two processes again and again, and counts how they end.

    python benchmarks/processes.py --sequence_example_file=training_melodies.tfrecord --config=lookback_rnn
    python benchmarks/processes.py --sequence_example_file=... --config=lookback_rnn --kill

The processes are what torchrun starts, forked from one that has loaded PyTorch, so that a job takes a second. They
meet on the loopback address and talk by gloo. With --kill one of them is killed in the middle, and the other must end
by itself with a line; then the job runs again, and must go on from its checkpoint.
"""

import argparse
import collections
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# With all that the processes need, so that each need not load it again.
import torch
import torch._dynamo  # several processes load it

from ostinato.bundle import checkpoints, load_bundle
from ostinato.cli.main import main as command
from ostinato.training.fast import network
from ostinato.training.job import train

LOADED = (network, train)
STEPS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequence_example_file", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--kill", action="store_true", help="kill one of the two processes in the middle")
    parser.add_argument("--seed", type=int, default=0, help="decides which and when")
    args = parser.parse_args()
    chance = random.Random(args.seed)
    ends: collections.Counter[str] = collections.Counter()
    # No context manager: a process that is forked inside one would delete the folder as it ends.
    folder = Path(tempfile.mkdtemp())
    began = time.monotonic()
    for number in range(args.runs):
        run_dir = folder / f"{number}"
        if args.kill:
            codes = job(args, run_dir, 1_000_000, kill=(chance.randrange(2), chance.uniform(0, 1)))
            stopped = load_bundle(run_dir).provenance["step"]
            ends[f"killed: {sorted(codes)}"] += 1
            codes = job(args, run_dir, stopped + STEPS, kill=None)
            ends["went on" if load_bundle(run_dir).provenance["step"] == stopped + STEPS else "did not go on"] += 1
        else:
            codes = job(args, run_dir, STEPS, kill=None)
        ends[f"ended: {codes}"] += 1
    shutil.rmtree(folder)
    print(f"torch {torch.__version__}, {time.monotonic() - began:.0f} s")
    print(f"{args.runs} jobs of two processes, by their exit codes (below 0: the signal): {dict(ends)}")


def job(args: argparse.Namespace, run_dir: Path, steps: int, kill: tuple[int, float] | None) -> list[int]:
    """Run a job; returns the exit codes of its processes. `kill` says which of them to kill, and after how long."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [start(args, run_dir, steps, rank, port) for rank in range(2)]
    if kill is not None:
        while not any(step for step, _ in checkpoints(run_dir / "train")):
            time.sleep(0.1)
            if os.waitpid(processes[0], os.WNOHANG)[0]:
                raise SystemExit("the job ended before it had made a step")
        time.sleep(kill[1])
        os.kill(processes[kill[0]], signal.SIGKILL)
    return [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]


def start(args: argparse.Namespace, run_dir: Path, steps: int, rank: int, port: int) -> int:
    process = os.fork()
    if process:
        return process
    os.environ |= {"RANK": f"{rank}", "LOCAL_RANK": f"{rank}", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{port}"}
    flags = ["--hparams=batch_size=4,rnn_layer_sizes=[8]", f"--num_training_steps={steps}", "--checkpoint_seconds=0.5"]
    data = f"--sequence_example_file={args.sequence_example_file}"
    done = command(["train", f"--config={args.config}", f"--run_dir={run_dir}", data, "--quiet", "--seed=1", *flags])
    sys.exit(done)


if __name__ == "__main__":
    main()
