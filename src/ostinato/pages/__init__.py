"""Pages to look at and listen to: one HTML file each, which needs nothing from outside."""
