"""The recipe by which a model learns somebody's own tunes: what they give, how they are split, how it learns them.

These are the choices that one would otherwise make by hand between `ostinato
convert`, `dataset` and `train`.
"""

import functools
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from ostinato.config import Config
from ostinato.dataset.duplicates import SeenMelodies, fingerprint
from ostinato.dataset.split import identity_of, is_for_eval
from ostinato.dataset.statistics import DatasetStatistics
from ostinato.errors import DataError, FormatError
from ostinato.formats.note_columns import parse_note_sequence
from ostinato.formats.tensorflow.sequence_example import parse_sequence_example
from ostinato.formats.tensorflow.tfrecord import read_records
from ostinato.music.extract import ExtractionSettings, ExtractionStatistics, find_melodies
from ostinato.music.melody import Melody
from ostinato.parallel import Failure, map_jobs

FEW_MELODIES = 20
"""With fewer, a model is changed with care."""
_SOME_MELODIES = 200
MANY_MELODIES = 2000
"""With as many, a model that begins from random values learns enough from them alone."""


@dataclass(frozen=True, slots=True)
class Tunes:
    """What some NoteSequences give to learn from; melodies equal up to transposition count once.

    Attributes:
        num_sequences: how many NoteSequences there are.
        pieces: identities of those with a melody, in order.
        num_melodies: in all of them.
        steps_per_bar: the meter of most of the melodies.
        left_out: what was left out and why, in words.
    """

    num_sequences: int
    pieces: tuple[str, ...]
    num_melodies: int
    steps_per_bar: int
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What one NoteSequence gives: of each melody the fingerprint and the meter."""

    identity: str
    melodies: tuple[tuple[bytes, int], ...]
    extraction: ExtractionStatistics


def read_tunes(
    note_sequences: Iterable[bytes], extraction: ExtractionSettings, *, processes: int | None = None
) -> Tunes:
    """Look through NoteSequences for melodies.

    Args:
        note_sequences: the bytes of each.
        extraction: what counts as a melody.
        processes: how many share the work; None is one for each core.

    Raises:
        DataError: if there are not two pieces with a melody, one to learn from and one to measure on.
    """
    statistics, seen = DatasetStatistics(), SeenMelodies()
    pieces: dict[str, None] = {}  # in order, each once
    meters: Counter[int] = Counter()
    for found in map_jobs(functools.partial(_find, extraction=extraction), note_sequences, processes=processes):
        statistics.note_sequences += 1
        if isinstance(found, Failure):
            statistics.failures += 1
            continue
        statistics.extraction.add(found.extraction)
        new = [steps_per_bar for mark, steps_per_bar in found.melodies if seen.admits((mark,))]
        meters.update(new)
        pieces.update({found.identity: None} if new else {})
    duplicates = statistics.extraction.melodies - meters.total()
    left_out = statistics.left_out(extraction)
    left_out += [f"{duplicates} melodies that equal an earlier one up to transposition"] if duplicates else []
    if len(pieces) < 2:
        raise DataError(
            f"there are {meters.total()} melodies in {len(pieces)} of {statistics.note_sequences} pieces, and it takes "
            "two pieces with a melody: one to learn from, and one to measure on"
            + (f"; left out: {'; '.join(left_out)}" if left_out else "")
        )
    steps_per_bar = meters.most_common(1)[0][0]
    return Tunes(statistics.note_sequences, tuple(pieces), meters.total(), steps_per_bar, tuple(left_out))


def _find(note_sequence_bytes: bytes, extraction: ExtractionSettings) -> _Found:
    try:
        note_sequence, notes = parse_note_sequence(note_sequence_bytes)
    except DecodeError:
        raise FormatError("this record is no NoteSequence") from None
    statistics = ExtractionStatistics()
    melodies = tuple(
        (fingerprint(found.melody), found.melody.steps_per_bar)
        for found in find_melodies(note_sequence, extraction, statistics, notes)
    )
    return _Found(identity_of(note_sequence, note_sequence_bytes), melodies, statistics)


def eval_ratio_for(tunes: Tunes, seed: int) -> float:
    """The eval_ratio that holds out a tenth of the pieces with a melody, a fifth of few; at least one, never all.

    Args:
        tunes: at least two pieces.
        seed: of the split.
    """
    share = 5 if tunes.num_melodies < FEW_MELODIES else 10
    wanted = max(1, round(len(tunes.pieces) / share))
    # Ever more pieces go to eval as the ratio rises, one after the other, for no two have one hash.
    low, high = 0.0, 1.0
    while True:
        ratio = (low + high) / 2
        count = sum(is_for_eval(identity, ratio, seed) for identity in tunes.pieces)
        if count == wanted:
            return ratio
        low, high = (ratio, high) if count < wanted else (low, ratio)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model learns somebody's tunes.

    Attributes:
        config: its settings.
        eval_every: steps between two evaluations.
        patience: evaluations without a better one that end the training.
    """

    config: Config
    eval_every: int
    patience: int


def recipe_for(config: Config, num_melodies: int, *, from_model: bool) -> Recipe:
    """How to learn this many melodies.

    The learning rate stays as it is once it has risen, and what is kept is an
    average of the weights: that does what a rate that falls does, but at any
    time at which the training may end. The loss is of events, so that what is
    measured on the held-out melodies is their bits. The fewer melodies, the
    smaller the steps and the batches.

    Args:
        config: what the model is.
        num_melodies: to learn from.
        from_model: whether it has learned others before.
    """
    # Trials on marches and chorales, which the built-in models have not learned, chose the numbers. An average of 0.98
    # spans some 50 steps, one of 0.95 20 and one of 0.9 10: few melodies are learned in few steps, and the warm-up and
    # the average must be shorter than that. From random values 0.003 did better than 0.001 (docs/experiments.md).
    if not from_model:
        rate, warmup_steps, averaging, batch_size, patience = 0.003, 100, 0.98, 32, 10
    elif num_melodies < FEW_MELODIES:
        rate, warmup_steps, averaging, batch_size, patience = 0.0003, 5, 0.9, 4, 6
    elif num_melodies < _SOME_MELODIES:
        rate, warmup_steps, averaging, batch_size, patience = 0.001, 20, 0.95, 8, 8
    else:
        rate, warmup_steps, averaging, batch_size, patience = 0.002, 20, 0.98, 16, 8
    learned = config.with_hparams(
        {
            "batch_size": batch_size,
            "initial_learning_rate": rate,
            "warmup_steps": warmup_steps,
            "lr_schedule": "staircase",
            "decay_rate": 1.0,
            "weight_averaging": averaging,
            "loss": "events",
        }
    )
    # Once in an epoch; with few batches less often, or the time would go into evaluating.
    batches = -(-num_melodies // batch_size)
    return Recipe(learned, eval_every=min(max(batches, 5), 100), patience=patience)


def melodies_of(examples_file: str | os.PathLike[str]) -> list[Melody]:
    """The melodies of a file that `build_dataset` wrote, as they were encoded."""
    examples = map(parse_sequence_example, read_records(examples_file))
    return [
        Melody(example.events.tolist(), steps_per_bar=example.steps_per_bar)
        for example in examples
        if example.events is not None and example.steps_per_bar is not None
    ]
