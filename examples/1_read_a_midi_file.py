"""MIDI file → NoteSequence: what is in a file?"""

import sys

import ostinato

path = sys.argv[1] if len(sys.argv) > 1 else "data/aird/midi/book1_0001.mid"
notes = ostinato.read_midi(path)
print(f"{path}: {len(notes.notes)} notes in {notes.total_time:.1f} s, {notes.tempos[0].qpm:.0f} quarters a minute")
for note in notes.notes[:5]:
    print(f"  pitch {note.pitch} from {note.start_time:.3f} to {note.end_time:.3f} s")
