"""Pages to look at and listen to: each one HTML file that needs nothing from outside."""
