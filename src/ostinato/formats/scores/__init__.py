"""Scores in text, MusicXML and ABC, to NoteSequences."""
