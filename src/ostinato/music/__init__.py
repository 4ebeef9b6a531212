"""What the notes mean: quantizing, melodies and how they are found, transposing, rendering.

Pure functions: they return new objects and leave their arguments alone.
"""
