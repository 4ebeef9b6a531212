"""A few short melodies as training records: enough to train on, small enough to learn by heart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ostinato.config import Config
from ostinato.dataset.records import compact_of
from ostinato.formats.tensorflow.compact import serialize_compact
from ostinato.formats.tensorflow.sequence_example import Example, serialize_sequence_example
from ostinato.formats.tensorflow.tfrecord import write_records
from ostinato.music.melody import NO_EVENT, NOTE_OFF, Melody
from ostinato.training.data import Examples, load_examples

C_MAJOR = (60, 62, 64, 65, 67, 69, 71, 72)


def melodies(count: int, *, longest: int = 40, seed: int = 0) -> list[Melody]:
    """Melodies of 17 to `longest` events, notes of one to four steps and some rests."""
    chance = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        length = int(chance.integers(17, longest + 1))
        events: list[int] = []
        while len(events) < length:
            events += [int(chance.choice(C_MAJOR)), *[NO_EVENT] * int(chance.integers(0, 4))]
            if chance.random() < 0.1:
                events += [NOTE_OFF, NO_EVENT]
        made.append(Melody(events[:length]))
    return made


def write(path: Path, config: Config, tunes: Sequence[Melody]) -> Path:
    """Write melodies as the wide records of a config; returns the path."""
    records = [
        Example(*config.encoding.encode(melody), np.array(melody.events), melody.steps_per_bar) for melody in tunes
    ]
    write_records(path, [serialize_sequence_example(record) for record in records])
    return path


def write_compact(path: Path, config: Config, tunes: Sequence[Melody]) -> Path:
    """Write melodies as the compact records of a config; returns the path."""
    write_records(path, [serialize_compact(compact_of(melody, config.encoding)) for melody in tunes])
    return path


def examples(folder: Path, config: Config, count: int = 8, *, longest: int = 40, seed: int = 0) -> Examples:
    """`count` melodies, through a file."""
    path = write(folder / f"{config.name}.tfrecord", config, melodies(count, longest=longest, seed=seed))
    return load_examples(str(path), config)
