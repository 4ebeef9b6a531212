"""How a model's melodies end, and how likely it holds them, beside tunes that it has not learned from.

    python benchmarks/endings.py --tunes=FILE [--bundle_file=FILE] [--meters=4/4,6/8,2/4] [--seed=1]

The model makes 100 melodies of 16 bars in each meter by its default settings.
Of the tunes, those that end are asked how. Shares are as `ostinato compare`
tells them; nats are the mean log-likelihood of a step, from the second on. The
last line has the means of those above, for tunes of some meters end otherwise.
"""

import argparse
import os
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

# The command does so too: products of this size gain nothing from a second thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from machine import machine
from numpy.typing import NDArray

from ostinato.bundle import Bundle, load_bundle
from ostinato.dataset.melodies import read_melodies
from ostinato.evaluation.form import ENDINGS, WANDERING, FormFigure, compare_forms, form_of
from ostinato.evaluation.likelihood import PredictedSteps, event_scores
from ostinato.generation.model import Model
from ostinato.music.extract import ExtractionSettings
from ostinato.music.melody import Melody
from ostinato.shipped import shipped_path

NUM_BARS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle_file", type=Path, default=shipped_path(), help="the model (default: ostinato)")
    parser.add_argument("--tunes", required=True, help="a folder or file of held-out tunes")
    parser.add_argument("--meters", default="4/4,6/8,2/4", help="to make melodies in (default 4/4,6/8,2/4)")
    parser.add_argument("--num_outputs", type=int, default=100, help="melodies of each meter (default 100)")
    parser.add_argument("--seed", type=int, default=1, help="of the melodies and the intervals (default 1)")
    args = parser.parse_args()
    print(machine("numpy"))
    bundle = load_bundle(args.bundle_file)
    model, start = Model(bundle), time.perf_counter()
    meters = args.meters.split(",")
    made = [
        melody
        for meter in meters
        for melody in model.generate(num_bars=NUM_BARS, meter=meter, num_outputs=args.num_outputs, seed=args.seed)
    ]
    print(f"{args.bundle_file}: {len(made)} melodies of {NUM_BARS} bars in {time.perf_counter() - start:.1f} s")
    settings = ExtractionSettings(max_steps=None, ignore_polyphonic_notes=True)
    tunes = [found.melody for found in read_melodies(args.tunes, settings, processes=1).melodies]
    print(f"{args.tunes}: {len(tunes)} tunes, of which {sum(tune.ends for tune in tunes)} are whole\n")

    scores = {id(melody): score for each in (made, tunes) for melody, score in likelihoods(bundle, each)}
    print(f"{'':6}{'generated':50}human, with 95 % intervals of the shares")
    print(f"{'':10}{names(9)}{'nats':>9}{'':10}{names(20)}{'nats':>9}")
    rows: list[NDArray[np.float64]] = []
    for meter in meters:
        ours, theirs = ([each for each in those if str(each.meter) == meter] for those in (made, tunes))
        found = figures(ours, theirs, args.seed)
        nats = [float(np.mean([*chain(*(scores[id(each)] for each in those))] or np.nan)) for those in (ours, theirs)]
        rows.append(np.array([*((each.generated, each.human) for each in found), nats]))
        shown = [f"{each.human:.1f}% ({each.interval.low:.0f} to {each.interval.high:.0f})" for each in found]
        print(line(meter, len(ours), len(theirs), rows[-1], shown))
    in_meters = sum(str(tune.meter) in meters for tune in tunes)
    print(line("mean", len(made), in_meters, np.mean(rows, axis=0)))


def figures(made: Sequence[Melody], tunes: Sequence[Melody], seed: int) -> list[FormFigure]:
    """How some melodies and some tunes end, and how many wander."""
    # Where there is no tune, a silent one has no figures.
    people = form_of(tunes or [Melody([])], NUM_BARS)
    found = {each.name: each for each in compare_forms(form_of(made, NUM_BARS, all_end=True), people, seed)}
    return [found[name] for name in (*ENDINGS, WANDERING)]


def names(width: int) -> str:
    """The columns of shares."""
    return "".join(f"{name:>{width}}" for name in ("long", "final", "both", "wander"))


def line(meter: str, num_made: int, num_tunes: int, values: NDArray[np.float64], shown: Sequence[str] = ()) -> str:
    """A line of the table.

    Args:
        meter: its name.
        num_made: how many melodies.
        num_tunes: how many tunes.
        values: [5, 2], four shares and the log-likelihood, of the melodies and the tunes.
        shown: the shares of the tunes in other words.
    """
    ours, theirs = values.T.tolist()
    shown = shown or [f"{share:.1f}%" for share in theirs[:-1]]
    return (
        f"{meter:6}{num_made:4}{''.join(f'{share:8.1f}%' for share in ours[:-1])}{ours[-1]:9.3f}"
        f"{num_tunes:10}{''.join(f'{each:>20}' for each in shown)}{theirs[-1]:9.3f}"
    )


def likelihoods(bundle: Bundle, melodies: Sequence[Melody]) -> list[tuple[Melody, NDArray[np.float64]]]:
    """Each melody with the natural logarithms of the probabilities of its events from the second on."""
    bits = event_scores([bundle], melodies).bits
    of_melody = PredictedSteps.of(melodies).of_melody
    return list(zip(melodies, np.split(-np.log(2) * bits, np.cumsum(of_melody)[:-1]), strict=True))


if __name__ == "__main__":
    main()
