"""Chords → melody → lead sheet: twelve bars of blues, and I-vi-IV-V twice, as they come."""

import sys
from pathlib import Path

import ostinato
from ostinato.music.notes import text_roll
from ostinato.pages.piano_roll import piano_roll_svg

PROGRESSIONS = {
    "blues": ("C7 | F7 | C7 | % | F7 | % | C7 | % | G7 | F7 | C7 | G7", 12),
    "four-chords": ("C | Am | F | G", 8),
}
folder = Path(sys.argv[1] if len(sys.argv) > 1 else "generated")

for name, (chords, num_bars) in PROGRESSIONS.items():
    melody = ostinato.generate(num_bars=num_bars, chords=chords, upbeat=False, seed=1)[0]
    print(f"{name}: {text_roll(melody)}")
    for ending in ("abc", "musicxml"):
        melody.write(folder / f"{name}.{ending}", title=name)
    melody.write(folder / f"{name}.mid", accompaniment="bass")
    (folder / f"{name}.svg").write_text(piano_roll_svg(melody))

# The other way round: chords for a melody.
for made in ostinato.harmonize(melody, chords_per_bar=1, alternatives=2):
    print("harmonized:", " ".join(chord for _, chord in made.chords))
