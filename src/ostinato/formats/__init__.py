"""Bytes to objects and back: MIDI, NoteSequence, TFRecord, SequenceExample, checkpoints.

Nothing here holds a musical opinion.
"""
