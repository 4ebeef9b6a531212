"""One thin module per command; only this package prints and exits."""
