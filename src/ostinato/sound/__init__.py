"""Melodies and whole MIDI files as sound."""
