"""How well melodies fit the chords that guided them, beside human lead sheets.

    python benchmarks/chords.py --tunes=FOLDER [--strengths=0,0.5,0.8,0.9,1] [--num_tunes=40]

Of the lead sheets, those of 8 to 32 bars whose chords begin in their first two
bars give their chords and their meter, and the model makes melodies over them, as
long as the tune. Shares are of notes that are of the chord:
those that begin on a strong beat (the first of a bar, the third of four), on
another beat, between beats; those of a quarter and longer; the last. Bits a
step are what the melodies cost the model that made them, which is told of the
chords only if it is a model that hears them. The last lines
compare the time that a hundred melodies take with and without.
"""

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

# The command does so too: products of this size gain nothing from a second thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from machine import machine

from ostinato.bundle import load_bundle
from ostinato.dataset.melodies import read_melodies
from ostinato.generation.model import Model
from ostinato.music.chords import chord_spans, chords_between
from ostinato.music.extract import ExtractionSettings
from ostinato.music.melody import NOTES_PER_OCTAVE, Melody
from ostinato.music.meter import STEPS_PER_QUARTER
from ostinato.music.notes import note_spans
from ostinato.shipped import shipped_path

KINDS = ("strong", "other", "between", "long", "last")
MOST_BARS = 32
OUTPUTS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle_file", type=Path, default=shipped_path(), help="the model (default: ostinato)")
    parser.add_argument("--tunes", required=True, help="a folder of lead sheets: melodies with chords")
    parser.add_argument("--strengths", default="0,0.5,0.7,0.8,0.9,1", help="of the chords")
    parser.add_argument("--num_tunes", type=int, default=40, help="how many give their chords (default 40)")
    parser.add_argument("--seed", type=int, default=1, help="of the melodies (default 1)")
    args = parser.parse_args()
    print(machine("numpy"))
    settings = ExtractionSettings(max_steps=None, gap_bars=8, polyphony="line", tracks="likeliest")
    found = [one.melody for one in read_melodies(args.tunes, settings, processes=1).melodies if one.melody.chords]
    tunes = [
        tune
        for tune in found
        if tune.chords[0][0] < 2 * tune.steps_per_bar and len(tune) <= MOST_BARS * tune.steps_per_bar
    ]
    print(f"{args.tunes}: {len(tunes)} melodies with chords\n")
    print(f"{'':14}" + "".join(f"{kind:>10}" for kind in KINDS) + f"{'bits':>8}")
    print_shares("human", tunes)
    model = Model(load_bundle(args.bundle_file))
    some = tunes[:: max(1, len(tunes) // args.num_tunes)][: args.num_tunes]
    for strength in map(float, args.strengths.split(",")):
        made = [each for number, tune in enumerate(some) for each in over(model, tune, strength, args.seed + number)]
        print_shares(f"strength {strength:g}", made, model)
    print()
    seconds = [time_of(model, chords) for chords in (None, "C | Am | F G | C")]
    times = seconds[1] / seconds[0]
    print(f"100 melodies of 16 bars: {seconds[0]:.2f} s, over chords {seconds[1]:.2f} s: {times:.2f} times")


def over(model: Model, tune: Melody, strength: float, seed: int) -> list[Melody]:
    """Melodies over a tune's chords, from its first whole bar on."""
    start = tune.steps_per_bar if tune.has_upbeat else 0
    bars = -(-(len(tune) - start) // tune.steps_per_bar)
    chords = chords_between(tune.chords, start, start + bars * tune.steps_per_bar)
    return list(
        model.generate(
            num_bars=bars,
            meter=tune.meter,
            upbeat=False,
            chords=chords,
            chord_strength=strength,
            num_outputs=OUTPUTS,
            seed=seed,
        )
    )


def print_shares(name: str, melodies: Iterable[Melody], model: Model | None = None) -> None:
    inside: Counter[str] = Counter()
    all_notes: Counter[str] = Counter()
    nats: list[float] = []
    for melody in melodies:
        for kinds, is_inside in judged(melody):
            all_notes.update(kinds)
            inside.update(kinds if is_inside else ())
        if model is not None:
            nats.extend(model.event_log_probabilities(melody))
    shares = "".join(f"{inside[kind] / max(1, all_notes[kind]):10.1%}" for kind in KINDS)
    print(f"{name:14}{shares}" + (f"{-np.mean(nats) / np.log(2):8.3f}" if nats else ""), flush=True)


def judged(melody: Melody) -> Iterable[tuple[list[str], bool]]:
    """The kinds of each note that has a chord, and whether it is of it."""
    spans = note_spans(melody)
    chords = list(chord_spans(melody.chords, len(melody)))
    beat, beats = melody.meter.steps_per_beat, melody.steps_per_bar // melody.meter.steps_per_beat
    for pitch, start, end in spans:
        chord = next((chord for chord, first, last in chords if first <= start < last), None)
        if chord is None:
            continue
        place = start % melody.steps_per_bar
        is_strong = place == 0 or (beats % 4 == 0 and place % (2 * beat) == 0)
        kinds = ["strong" if is_strong else "between" if place % beat else "other"]
        kinds += ["long"] * (end - start >= STEPS_PER_QUARTER) + ["last"] * (start == spans[-1][1])
        yield kinds, pitch % NOTES_PER_OCTAVE in chord.pitch_classes


def time_of(model: Model, chords: str | None) -> float:
    """Seconds for 100 melodies, the least of five times."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        model.generate(num_bars=16, num_outputs=100, seed=1, chords=chords)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
