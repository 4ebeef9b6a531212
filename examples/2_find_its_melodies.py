"""NoteSequence → melody: one event for every 16th note."""

import sys

import ostinato
from ostinato.music.notes import text_roll

path = sys.argv[1] if len(sys.argv) > 1 else "data/aird/midi/book1_0001.mid"
for melody in ostinato.extract_melodies(ostinato.read_midi(path)):
    print(f"{len(melody)} steps, bars of {melody.steps_per_bar}: {melody.events[:12]} ...")
    print(text_roll(melody))
