"""Network → melody → MIDI file: what a bundle can be asked."""

import itertools
import sys

import ostinato
from ostinato.music.notes import text_roll

path = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/gold_lookback.mag"
model = ostinato.load(path)

# Ten melodies at once, all from one seed; the primer's C is held on or followed, as the model likes.
melodies = model.generate(num_steps=64, primer=[60], temperature=1.0, num_outputs=10, seed=0)
print(text_roll(melodies[0]))
ostinato.write_midi(melodies[0].to_note_sequence(qpm=120), sys.argv[2] if len(sys.argv) > 2 else "new.mid")

# Row p holds the probability of each class after event p was fed.
print("the likeliest class after each event:", model.probabilities([60, -2, 62, -2]).argmax(axis=1))
print("log-likelihood:", round(model.log_likelihood([60, -2, 62, -2]), 3))

# One event at a time, for playing live.
print("as it goes:", list(itertools.islice(model.stream(primer=[60], seed=0), 16)))
