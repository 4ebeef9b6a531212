"""Training with PyTorch: the one package that imports it."""
