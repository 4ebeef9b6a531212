"""Standard MIDI files to NoteSequences and back."""
