"""Melodies out of a bundle, with NumPy alone."""
