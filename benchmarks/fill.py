"""How well filled bars fit: how likely what follows is after them, beside the human bars and other fills.

    python benchmarks/fill.py --tunes=validation.tfrecord [--bundle_file=FILE] [--num_tunes=60]

Of each held-out tune of at least 12 bars, bars 5 to 8 are taken out and replaced
by the model's fill, by its first continuation of bars 1 to 4, by bars 5 to 8 of
another tune of the same meter, in the same key, and by themselves. What counts
is the mean log-likelihood of bars 9 to 12, in nats a step.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
from machine import machine

from ostinato.bundle import load_bundle
from ostinato.dataset.melodies import read_melodies
from ostinato.generation.model import Model
from ostinato.music.extract import ExtractionSettings
from ostinato.music.melody import Melody
from ostinato.shipped import BEST_MODEL, model_path

FIRST, LAST, HEARD = 5, 8, 12


def main() -> None:
    """Fill, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tunes", required=True, help="TFRecord file of NoteSequences that the model did not learn")
    parser.add_argument("--bundle_file", default=BEST_MODEL)
    parser.add_argument("--num_tunes", type=int, default=60)
    args = parser.parse_args()
    model = Model(load_bundle(model_path(args.bundle_file)))
    encoding = model.bundle.config.encoding
    found = read_melodies(args.tunes, ExtractionSettings(ignore_polyphonic_notes=True)).melodies
    # All in the model's key, so that another tune's bars are not out of it.
    tunes = [encoding.squash(one.melody)[0] for one in found if len(one.melody) >= HEARD * one.melody.steps_per_bar]
    tunes = tunes[: args.num_tunes]
    fits: dict[str, list[float]] = {}
    seconds = []
    for number, tune in enumerate(tunes):
        bar = tune.steps_per_bar
        start, end = (FIRST - 1) * bar, LAST * bar
        began = time.perf_counter()
        filled = model.generate(primer=tune, fill=(FIRST, LAST), num_outputs=4, seed=number)
        seconds.append(time.perf_counter() - began)
        (goes_on,) = model.generate(primer=replace(tune, events=tune[:start]), num_steps=end, seed=number)
        others = [other for other in tunes if other.meter == tune.meter and other is not tune]
        fills = {"the human bars": tune[start:end], "the fill": filled[0][start:end], "no choice": goes_on[start:end]}
        if others:
            fills["another tune's bars"] = others[number % len(others)][start:end]
        for name, events in fills.items():
            fits.setdefault(name, []).append(fit(model, tune, events, start, HEARD * bar))
    print(machine())
    print(f"bars {FIRST}-{LAST} of {len(tunes)} tunes; nats a step of bars {LAST + 1}-{HEARD}, which follow")
    for name, values in fits.items():
        print(f"{name:20} {np.mean(values):7.3f}")
    print(f"four fills: {1000 * np.median(seconds):.0f} ms (median)")


def fit(model: Model, tune: Melody, events: tuple[int, ...], start: int, end: int) -> float:
    """The mean log-likelihood of a tune's steps after some events in place of its own, up to `end`."""
    whole = replace(tune, events=(*tune[:start], *events, *tune[start + len(events) : end]))
    return float(model.event_log_probabilities(whole)[start + len(events) - 1 :].mean())


if __name__ == "__main__":
    main()
