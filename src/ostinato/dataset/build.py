"""NoteSequences to training and eval records: find melodies, squash, transpose, encode, write.

`examples_of` does all of that for one NoteSequence and knows nothing of files,
processes or other NoteSequences, so that anything may carry it.
"""

import contextlib
import functools
import pickle
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from ostinato.dataset.duplicates import SeenMelodies, fingerprint
from ostinato.dataset.split import identity_of, is_for_eval
from ostinato.dataset.statistics import DatasetStatistics
from ostinato.encodings import Encoding
from ostinato.errors import DataError, FormatError, SettingsError
from ostinato.formats.note_columns import parse_note_sequence
from ostinato.formats.tensorflow.sequence_example import Example, serialize_sequence_example
from ostinato.formats.tensorflow.tfrecord import RecordWriter, record_writer
from ostinato.music.extract import ExtractionSettings, ExtractionStatistics, find_melodies
from ostinato.music.melody import MAX_PITCH, Melody
from ostinato.music.transpose import transpose
from ostinato.parallel import Failure, map_jobs

NAMED_FAILURES = 20  # of NoteSequences that cannot be used, the first that are named; all are counted


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """How NoteSequences become records.

    Attributes:
        encoding: the model's.
        extraction: what counts as a melody.
        eval_ratio: share of the NoteSequences that go to eval, from 0 to below 1.
        seed: another seed is another split.
        transpositions: semitones; each training melody is given once in each, where it stays in the encoding's range.
        dedupe: leave out melodies that equal an earlier one up to transposition, whichever split that went to.

    Raises:
        SettingsError: if a setting cannot be.
    """

    encoding: Encoding
    extraction: ExtractionSettings = field(default_factory=ExtractionSettings)
    eval_ratio: float = 0.1
    seed: int = 0
    transpositions: tuple[int, ...] = (0,)
    dedupe: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.eval_ratio < 1:
            raise SettingsError(f"eval_ratio must be at least 0 and below 1, not {self.eval_ratio}")
        if not self.transpositions or max(map(abs, self.transpositions)) > MAX_PITCH:
            raise SettingsError(f"transpositions must be semitones of -{MAX_PITCH}..{MAX_PITCH}, at least one")


@dataclass(frozen=True, slots=True)
class EncodedMelody:
    """The records of one melody, one for each transposition, and what tells whether it came before."""

    records: list[bytes]
    fingerprints: tuple[bytes, ...] = ()

    def __reduce_ex__(self, protocol: Any) -> Any:
        # Records are large: what sends them to another process need not copy them.
        records = [pickle.PickleBuffer(record) for record in self.records] if protocol >= 5 else self.records
        return EncodedMelody, (records, self.fingerprints)


@dataclass(frozen=True, slots=True)
class Examples:
    """What one NoteSequence gives."""

    for_eval: bool
    melodies: list[EncodedMelody]
    extraction: ExtractionStatistics
    out_of_range: int


def examples_of(note_sequence_bytes: bytes, settings: DatasetSettings) -> Examples:
    """All melodies of one NoteSequence as records.

    Args:
        note_sequence_bytes: the NoteSequence as it stands in its file.
        settings: how to make records of it.

    Raises:
        FormatError: if the bytes are no NoteSequence.
        DataError: if a time in it is no number of seconds from 0 on.
    """
    try:
        note_sequence, notes = parse_note_sequence(note_sequence_bytes)
    except DecodeError:
        raise FormatError("this record is no NoteSequence; is the file what the convert command wrote?") from None
    identity = identity_of(note_sequence, note_sequence_bytes)
    for_eval = is_for_eval(identity, settings.eval_ratio, settings.seed)
    transpositions = (0,) if for_eval else settings.transpositions
    statistics = ExtractionStatistics()
    melodies, out_of_range = [], 0
    for found in find_melodies(note_sequence, settings.extraction, statistics, notes):
        squashed, _ = settings.encoding.squash(found.melody)
        moved = [_transposed(squashed, semitones, settings.encoding) for semitones in transpositions]
        records = [_record(melody, settings.encoding) for melody in moved if melody is not None]
        out_of_range += len(moved) - len(records)
        # Folding into the range can make melodies equal that were not, so both forms are looked at.
        fingerprints = (fingerprint(found.melody), fingerprint(squashed)) if settings.dedupe else ()
        melodies.append(EncodedMelody(records, fingerprints))
    return Examples(for_eval, melodies, statistics, out_of_range)


def _transposed(melody: Melody, semitones: int, encoding: Encoding) -> Melody | None:
    """The melody so much higher, or None where that leaves the encoding's range."""
    if semitones == 0:
        return melody
    pitches = melody.pitches
    if min(pitches) + semitones < encoding.min_pitch or max(pitches) + semitones >= encoding.max_pitch:
        return None
    return transpose(melody, semitones)


def _record(melody: Melody, encoding: Encoding) -> bytes:
    inputs, labels = encoding.encode(melody)
    return serialize_sequence_example(Example(inputs, labels, np.array(melody.events), melody.steps_per_bar))


def build_dataset(
    note_sequences: Iterable[bytes],
    training_path: Path,
    eval_path: Path | None,
    settings: DatasetSettings,
    *,
    num_shards: int | None = None,
    processes: int | None = None,
) -> DatasetStatistics:
    """Write the training and eval records of some NoteSequences, in their order, whole or not at all.

    Args:
        note_sequences: the bytes of each, taken as they are needed.
        training_path: TFRecord file for the training records.
        eval_path: TFRecord file for the eval records; None with an eval_ratio of 0, which has none.
        settings: how to make the records.
        num_shards: write so many shards of each file instead.
        processes: how many processes share the work; None is one for each core.

    Returns:
        What was written and what was left out.

    Raises:
        DataError: if there is nothing to train on; it says why.
        SettingsError: if eval records have no place to go.
    """
    if eval_path is None and settings.eval_ratio > 0:
        raise SettingsError(f"eval_ratio is {settings.eval_ratio} but no file for the eval records is given")
    statistics = DatasetStatistics()
    seen = SeenMelodies()
    with contextlib.ExitStack() as files:
        writers = {False: files.enter_context(record_writer(training_path, num_shards))}
        if eval_path is not None and settings.eval_ratio > 0:
            writers[True] = files.enter_context(record_writer(eval_path, num_shards))
        for examples in map_jobs(
            functools.partial(examples_of, settings=settings), note_sequences, processes=processes
        ):
            statistics.note_sequences += 1
            if isinstance(examples, Failure):
                statistics.failures += 1
                if statistics.failures <= NAMED_FAILURES:
                    statistics.failure_reasons.append(f"NoteSequence {statistics.note_sequences}: {examples.reason}")
                continue
            _write(examples, writers[examples.for_eval], seen, settings, statistics)
        statistics.training_records = writers[False].count
        statistics.eval_records = writers[True].count if True in writers else 0
        check(statistics, settings)
    return statistics


def _write(
    examples: Examples,
    writer: RecordWriter,
    seen: SeenMelodies,
    settings: DatasetSettings,
    statistics: DatasetStatistics,
) -> None:
    count(examples, statistics)
    for melody in examples.melodies:
        if settings.dedupe and not seen.admits(melody.fingerprints):
            statistics.duplicates += 1
            continue
        for record in melody.records:
            writer.write(record)


def count(examples: Examples, statistics: DatasetStatistics) -> None:
    """Add what one NoteSequence gave to the counts of all."""
    statistics.extraction.add(examples.extraction)
    statistics.out_of_range += examples.out_of_range
    statistics.without_melody += not examples.melodies


def check(statistics: DatasetStatistics, settings: DatasetSettings) -> None:
    """Refuse a data set that nothing can be trained on.

    Raises:
        DataError: if it has no training record; it says why.
    """
    if statistics.note_sequences == 0:
        raise DataError("the input holds no NoteSequence; convert some MIDI files first")
    if statistics.failures == statistics.note_sequences:
        raise DataError(f"none of {statistics.failures} records can be used; {statistics.failure_reasons[0]}")
    if statistics.training_records:
        return
    if statistics.eval_records:
        raise DataError(
            f"all {statistics.eval_records} records went to eval and none to training; "
            "lower --eval_ratio, choose another --seed, or give more NoteSequences"
        )
    reasons = statistics.left_out(settings.extraction) or ["they hold no notes"]
    raise DataError(f"no melody can be used of {statistics.note_sequences} NoteSequences: {'; '.join(reasons)}")
