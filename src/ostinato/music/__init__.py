"""What the notes mean: quantizing, finding melodies, transposing, rendering.

Pure functions: they return new objects and never change their arguments.
"""
