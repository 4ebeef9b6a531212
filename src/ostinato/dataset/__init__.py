"""From MIDI files to NoteSequences, and from NoteSequences to training and eval records."""
