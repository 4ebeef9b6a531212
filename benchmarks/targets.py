"""How often human tunes meet the targets of `ostinato compare` that are about form, beside other human tunes.

    python benchmarks/targets.py --tunes=FILE [--num_tunes=200] [--splits=200] [--seed=0]

From the file come two sets of tunes at random, no tune in both, again and
again; the first stands for a model's melodies. Also shown is what no returning
bars at all would score, and how often bars of two tunes are alike by chance.
"""

import argparse
from collections import defaultdict

import numpy as np
from machine import machine

from ostinato.dataset.melodies import read_melodies
from ostinato.evaluation.comparison import form_targets
from ostinato.evaluation.form import LIKE, RETURNS, bars_of, compare_forms, compare_onsets, form_of, likeness
from ostinato.evaluation.statistics import pooled
from ostinato.music.extract import ExtractionSettings
from ostinato.music.keys import squash
from ostinato.music.melody import Melody

NUM_BARS = 16
NUM_PAIRS = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tunes", required=True, help="a folder or file of many tunes")
    parser.add_argument("--num_tunes", type=int, default=200, help="tunes of each set (default 200)")
    parser.add_argument("--splits", type=int, default=200, help="pairs of sets (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice (default 0)")
    args = parser.parse_args()
    print(machine("numpy"))
    settings = ExtractionSettings(max_steps=None, ignore_polyphonic_notes=True)
    tunes = [found.melody for found in read_melodies(args.tunes, settings, processes=1).melodies]
    print(f"{args.splits} times {args.num_tunes} and {args.num_tunes} of {len(tunes)} tunes, {NUM_BARS} bars of each")
    rng = np.random.default_rng(args.seed)
    differences, met = defaultdict(list), defaultdict(list)
    for _ in range(args.splits):
        chosen = rng.permutation(len(tunes))[: 2 * args.num_tunes]
        made, human = ([tunes[place] for place in half] for half in np.split(chosen, 2))
        forms = compare_forms(form_of(made, NUM_BARS, all_end=True), form_of(human, NUM_BARS), args.seed)
        onsets, _ = compare_onsets(made, human, args.seed)
        apart = {f"onsets in {each.meter}": 100 * each.apart for each in onsets}
        for target in form_targets(forms, onsets):
            name = target.name.partition(":")[0]
            differences[name].append(apart.get(name, target.generated - target.human))
            met[name].append(target.met)
    print(f"{'':36}  met  1st and 99th percentile of the difference, points")
    for name, values in differences.items():
        low, high = np.percentile(values, [1, 99])
        print(f"{name:36}{np.mean(met[name]):5.0%}  {low:+.1f} to {high:+.1f}, in {len(values)} pairs")
    whole = form_of(tunes, NUM_BARS)
    for name in [name for name in RETURNS.values() if name in differences]:
        print(f"no {name}: {-100 * pooled(whole[name]).value:+.1f} points")
    print(f"bars of two tunes in one meter and key that are alike: {by_chance(tunes, rng):.2%}")


def by_chance(tunes: list[Melody], rng: np.random.Generator) -> float:
    """How often a bar in which a note starts is like a bar of another tune in its meter, both in C."""
    of_meter = defaultdict(list)
    for tune in tunes:
        of_meter[tune.meter].append(bars_of(squash(tune, 48, 84, 0)[0]))
    several = [bars for bars in of_meter.values() if len(bars) > 1]
    sizes = np.array([len(bars) for bars in several])
    alike = pairs = 0
    for meter in rng.choice(len(several), NUM_PAIRS, p=sizes / sizes.sum()):
        one, other = (several[meter][place] for place in rng.choice(sizes[meter], 2, replace=False))
        bar, other_bar = one[rng.integers(len(one))], other[rng.integers(len(other))]
        if bar:
            pairs += 1
            alike += likeness(bar, other_bar) >= LIKE
    return alike / pairs


if __name__ == "__main__":
    main()
