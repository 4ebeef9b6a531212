"""How long `ostinato generate` takes as a whole process, what its parts take, and how many steps a second it makes.

    python benchmarks/generate.py [--bundle_file=FILE] [--runs=9]

Without a bundle, an Attention RNN of two layers of 64 with random weights is
played. All figures are medians; the machine should have nothing else to do.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# The command does so too: products of this size gain nothing from a second thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from machine import machine

from ostinato.bundle import Bundle, array_shapes, load_bundle, save_bundle
from ostinato.config import preset
from ostinato.generation.model import Model

NUM_STEPS = 128
PRIMER = [60]
# Each line ends a part; what a part imports is its own.
PARTS = """
import time
times = [("", time.perf_counter())]
def done(part): times.append((part, time.perf_counter()))
import numpy, numpy.random; done("import numpy")
import argparse, logging, ostinato.cli.main, ostinato.cli.generate; done("import the command")
from ostinato.generation.model import Model; done("import the generator")
from ostinato.bundle import load_bundle
bundle = load_bundle({bundle!r}); done("load the bundle")
melodies = Model(bundle).generate({steps}, {primer}, num_outputs=10, seed=0); done("generate 10 melodies")
from ostinato.formats.midi.writer import note_sequence_to_midi; done("import the MIDI writer")
files = [note_sequence_to_midi(melody.to_note_sequence()) for melody in melodies]
from pathlib import Path
ostinato.cli.generate._write_new(Path({folder!r}), files); done("write 10 files")
for (_, start), (part, end) in zip(times, times[1:]): print(part, end - start, sep="\\t")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle_file", help="the model to play")
    parser.add_argument("--runs", type=int, default=9, help="processes to take the median of (default 9)")
    args = parser.parse_args()
    print(machine("numpy"))
    with tempfile.TemporaryDirectory() as folder:
        bundle_file = args.bundle_file or random_bundle(Path(folder) / "random.mag")
        whole_process(bundle_file, folder, args.runs)
        steps_per_second(Model(load_bundle(bundle_file)))


def random_bundle(path: Path) -> str:
    """Write an Attention RNN of two layers of 64 and return its path."""
    random = np.random.default_rng(0)
    config = preset("attention_rnn").with_hparams({"rnn_layer_sizes": (64, 64)})
    shapes = array_shapes(config)
    save_bundle(
        Bundle(config, {name: random.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}), path
    )
    return str(path)


def whole_process(bundle_file: str, folder: str, runs: int) -> None:
    """Time whole processes side by side, so that a busy moment hits all alike, and the parts of one."""
    generate = ["-m", "ostinato", "generate", f"--bundle_file={bundle_file}", f"--output_dir={folder}/out"]
    generate += [f"--num_steps={NUM_STEPS}", "--num_outputs=10", f"--primer_melody={PRIMER}"]
    commands = {
        "python -c pass": ["-c", "pass"],
        "python -c 'import numpy'": ["-c", "import numpy"],
        f"ostinato generate, 10 melodies of {NUM_STEPS} steps": generate,
    }
    program = PARTS.format(bundle=bundle_file, steps=NUM_STEPS, primer=PRIMER, folder=f"{folder}/out")
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    parts: dict[str, list[float]] = {}
    for _ in range(runs + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
        done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            part, taken = line.split("\t")
            parts.setdefault(part, []).append(float(taken))
    print(f"\nwhole processes, median (least) of {runs}")
    for name, taken_seconds in (seconds | {f"  {part}": taken for part, taken in parts.items()}).items():
        kept = taken_seconds[1:]  # the first run compiles and fills caches
        print(f"  {name:46} {1000 * statistics.median(kept):6.0f} ms ({1000 * min(kept):.0f})")


def steps_per_second(model: Model) -> None:
    """Time batches in this process."""
    print("\nin one process, batches of melodies, median of 3")
    for num_outputs in (1, 10, 100, 1000):
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            model.generate(NUM_STEPS, PRIMER, num_outputs=num_outputs, seed=0)
            seconds.append(time.perf_counter() - start)
        drawn = num_outputs * (NUM_STEPS - len(PRIMER))
        taken = statistics.median(seconds)
        print(f"  batch of {num_outputs:5}: {1000 * taken:8.1f} ms, {drawn / taken:9,.0f} steps/s")


if __name__ == "__main__":
    main()
