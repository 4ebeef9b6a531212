"""Melody → numbers: what each of the four models reads and predicts."""

import ostinato
from ostinato.config import PRESETS

melody = ostinato.Melody([60, -2, 62, -2, 64, -2, 65, -2, 67, -2, -2, -2, 67, -2, -1, -2] * 2)
for name in PRESETS:
    inputs, labels = ostinato.encode(name, melody)
    print(f"{name}: inputs {inputs.shape}, labels {labels[:16].tolist()} ...")
