"""Melodies to training and eval records: squash, transpose, leave out what came before, write.

A record is compact: the melody itself, which training encodes (`ostinato.formats.tensorflow.compact`). Or it is wide:
the inputs and labels of each step, as Magenta writes them (`ostinato.formats.tensorflow.sequence_example`).

`examples_of` does all of that for one NoteSequence and knows nothing of files,
processes or other NoteSequences, so that anything can run it.
"""

import contextlib
import functools
import hashlib
import json
import pickle
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.config import encoding_to_json
from ostinato.dataset.melodies import SourceMelody, melodies_of
from ostinato.dataset.report import LeftOut, counted, not_extracted, report_json
from ostinato.encodings import Encoding
from ostinato.errors import DataError, SettingsError
from ostinato.formats.tensorflow.compact import LOWEST_EVENT, CompactRecord, serialize_compact
from ostinato.formats.tensorflow.sequence_example import Example, serialize_sequence_example
from ostinato.formats.tensorflow.tfrecord import RecordWriter, record_writer
from ostinato.memory import require_open_files
from ostinato.music.extract import ExtractionSettings, ExtractionStatistics
from ostinato.music.keys import transpose
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, Melody
from ostinato.music.meter import Meter, plainest_meter
from ostinato.parallel import Failure, Processes, map_jobs

NAMED_FAILURES = 20  # of NoteSequences that cannot be used, the first that are named; all are counted
_BAR_WIDTH = 40  # of the longest bar of the histogram, in characters
_FINGERPRINT_BYTES = 16  # among a billion melodies a chance hit is one in 10^20
_SPLIT_BYTES = 8


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """How NoteSequences become records.

    Attributes:
        encoding: the model's.
        extraction: what counts as a melody.
        eval_ratio: share of the NoteSequences that go to eval, from 0 to below 1.
        seed: another seed is another split.
        transpositions: semitones; each training melody is written once in each that keeps it in the encoding's range.
        dedupe: leave out melodies that repeat an earlier one in any key, in either split.
        wide: write inputs and labels, as Magenta does, instead of melodies.

    Raises:
        SettingsError: if a setting is out of range.
    """

    encoding: Encoding
    extraction: ExtractionSettings = field(default_factory=ExtractionSettings)
    eval_ratio: float = 0.1
    seed: int = 0
    transpositions: tuple[int, ...] = (0,)
    dedupe: bool = False
    wide: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.eval_ratio < 1:
            raise SettingsError(f"eval_ratio must be at least 0 and below 1, not {self.eval_ratio}")
        if not self.transpositions or max(map(abs, self.transpositions)) > MAX_PITCH:
            raise SettingsError(f"transpositions must be at least one number of semitones in -{MAX_PITCH}..{MAX_PITCH}")


@dataclass(slots=True)
class DatasetStatistics:
    """Counts of a data set.

    Attributes:
        note_sequences: how many were read, including those that cannot be used.
        without_melody: how many gave no melody.
        failures: how many cannot be used at all.
        failure_reasons: the first of these, each with its place in the input and the reason.
        extraction: what the search for melodies found and left out.
        out_of_range: transpositions of melodies that leave the encoding's range.
        duplicates: melodies left out because an equal one came before.
        training_records: written.
        eval_records: written.
    """

    note_sequences: int = 0
    without_melody: int = 0
    failures: int = 0
    failure_reasons: list[str] = field(default_factory=list)
    extraction: ExtractionStatistics = field(default_factory=ExtractionStatistics)
    out_of_range: int = 0
    duplicates: int = 0
    training_records: int = 0
    eval_records: int = 0

    def reasons(self, settings: ExtractionSettings) -> list[LeftOut]:
        """What was left out or cut, why, and how often."""
        reasons = [
            LeftOut(self.failures, "NoteSequence that cannot be read", "NoteSequences that cannot be read"),
            *not_extracted(self.extraction, settings),
            LeftOut(
                self.duplicates,
                "melody that repeats an earlier one, in any key",
                "melodies that repeat an earlier one, in any key",
                "--dedupe",
            ),
            LeftOut(
                self.out_of_range,
                "transposition beyond the model's pitch range",
                "transpositions beyond the model's pitch range",
                "--transpose",
            ),
        ]
        return [reason for reason in reasons if reason.count]

    def left_out(self, settings: ExtractionSettings) -> list[str]:
        """What was left out or cut, why, how often, and the flag that changes it."""
        return [reason.text() for reason in self.reasons(settings)]

    def to_json(self, source: str, settings: ExtractionSettings) -> dict[str, Any]:
        """What was read and what was left out, as JSON values."""
        return report_json(
            source=source,
            tunes=self.note_sequences,
            read=self.note_sequences - self.failures,
            without_melody=self.without_melody,
            melodies=self.extraction.melodies,
            off_grid=asdict(self.extraction.rhythm),
            training_records=self.training_records,
            eval_records=self.eval_records,
            unusable=self.failure_reasons,
            left_out=self.reasons(settings),
        )

    def histogram(self, min_bars: int) -> list[str]:
        """Lines that show how many melodies there were of each length in bars, including those that are too short."""
        counts = self.extraction.bars
        if not counts:
            return []
        longest = max(counts)
        limits = sorted({0, min_bars, *(2**power for power in range(longest.bit_length()))})
        lines = []
        rows: list[tuple[int, int, int]] = []
        for first, following in zip(limits, [*limits[1:], longest + 1], strict=True):
            last = max(first, following - 1)
            if first <= longest:
                rows.append((first, last, sum(counts[bars] for bars in range(first, last + 1))))
        most = max(count for *_, count in rows)
        width = len(f"{longest}")
        for first, last, count in rows:
            bars = f"{first:>{width}}" + (f" - {last:>{width}}" if last > first else " " * (width + 3))
            dropped = "  too short" if first < min_bars and count else ""
            lines.append(f"{bars}  {count:>7}  {'#' * -(-_BAR_WIDTH * count // most)}{dropped}")
        return lines


def is_for_eval(identity: str, eval_ratio: float, seed: int) -> bool:
    """Whether the NoteSequence of this identity goes to eval.

    Args:
        identity: what distinguishes it from the others.
        eval_ratio: share that goes to eval, from 0 to below 1; a larger one only adds to it.
        seed: another seed is another split.
    """
    digest = hashlib.blake2b(f"{seed}:{identity}".encode(), digest_size=_SPLIT_BYTES).digest()
    share: float = int.from_bytes(digest, "big") / 2 ** (8 * _SPLIT_BYTES)
    return share < eval_ratio


def eval_ratio_for(identities: Collection[str], num_held_out: int, seed: int) -> float:
    """The eval_ratio that holds out a number of pieces.

    Args:
        identities: of all pieces, each once.
        num_held_out: how many to hold out.
        seed: of the split.
    """
    # Ever more pieces go to eval as the ratio rises, one after the other, for no two have one hash.
    low, high = 0.0, 1.0
    while True:
        ratio = (low + high) / 2
        count = sum(is_for_eval(identity, ratio, seed) for identity in identities)
        if count == num_held_out:
            return ratio
        low, high = (ratio, high) if count < num_held_out else (low, ratio)


def fingerprint(melody: Melody) -> bytes:
    """16 bytes, the same for melodies that differ only in key, in any meter."""
    events = np.array(melody.events, np.int16)
    starts = events >= MIN_PITCH
    # Counted from the first pitch, and up, so that no pitch turns into a note-off.
    events[starts] += MAX_PITCH - events[starts][:1]
    return hashlib.blake2b(events.astype("<i2").tobytes(), digest_size=_FINGERPRINT_BYTES).digest()


class SeenMelodies:
    """Finds out which melodies appear for the first time. It takes about 100 bytes for each."""

    def __init__(self) -> None:
        self._fingerprints: set[bytes] = set()

    def admits(self, fingerprints: tuple[bytes, ...]) -> bool:
        """Whether none of a melody's fingerprints has been seen; they are from now on."""
        if not self._fingerprints.isdisjoint(fingerprints):
            return False
        self._fingerprints.update(fingerprints)
        return True


@dataclass(frozen=True, slots=True)
class EncodedMelody:
    """The records of one melody, one for each transposition, and what shows whether it came before."""

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
        note_sequence_bytes: the NoteSequence as it is in its file.
        settings: how to make records of it.

    Raises:
        FormatError: if the bytes are not a NoteSequence.
        DataError: if a time in it is not a number of seconds, 0 or more.
    """
    piece = melodies_of(note_sequence_bytes, settings.extraction)
    for_eval = is_for_eval(piece.identity, settings.eval_ratio, settings.seed)
    melodies, out_of_range = [], 0
    for found in piece.melodies:
        moved = _moved(found, for_eval, settings)
        out_of_range += moved.out_of_range
        records = [_record_of(melody, settings) for melody in moved.melodies]
        melodies.append(EncodedMelody(records, moved.fingerprints))
    return Examples(for_eval, melodies, piece.extraction, out_of_range)


def _record_of(melody: Melody, settings: DatasetSettings) -> bytes:
    if settings.wide:
        return serialize_sequence_example(example_of(melody, settings.encoding))
    return serialize_compact(compact_of(melody, settings.encoding))


@dataclass(frozen=True, slots=True)
class _Moved:
    """A melody in the encoding's range and key, in each transposition that stays in range."""

    melodies: list[Melody]
    fingerprints: tuple[bytes, ...]
    out_of_range: int


def _moved(found: SourceMelody, for_eval: bool, settings: DatasetSettings) -> _Moved:
    squashed, _ = settings.encoding.squash(found.melody)
    transpositions = (0,) if for_eval else settings.transpositions
    moved = [_transposed(squashed, semitones, settings.encoding) for semitones in transpositions]
    kept = [melody for melody in moved if melody is not None]
    # Folding into the range can make melodies equal that were not, so both forms are looked at.
    fingerprints = (fingerprint(found.melody), fingerprint(squashed)) if settings.dedupe else ()
    return _Moved(kept, fingerprints, len(moved) - len(kept))


def split_melodies(found: Iterable[SourceMelody], settings: DatasetSettings) -> tuple[list[Melody], list[Melody]]:
    """What `build_dataset` would write records of: the melodies to train on, and those for eval, as they are encoded.

    Args:
        found: in the order of their sources.
        settings: how to make records of them.
    """
    training: list[Melody] = []
    for_eval: list[Melody] = []
    seen = SeenMelodies()
    for melody in found:
        is_eval = is_for_eval(melody.identity, settings.eval_ratio, settings.seed)
        moved = _moved(melody, is_eval, settings)
        if not settings.dedupe or seen.admits(moved.fingerprints):
            (for_eval if is_eval else training).extend(moved.melodies)
    return training, for_eval


def distinct(found: Iterable[SourceMelody]) -> list[SourceMelody]:
    """Those that do not repeat an earlier one in any key."""
    seen = SeenMelodies()
    return [one for one in found if seen.admits((fingerprint(one.melody),))]


def _transposed(melody: Melody, semitones: int, encoding: Encoding) -> Melody | None:
    """The transposed melody, or None if it leaves the encoding's range."""
    if semitones == 0:
        return melody
    pitches = melody.pitches
    if min(pitches) + semitones < encoding.min_pitch or max(pitches) + semitones >= encoding.max_pitch:
        return None
    return transpose(melody, semitones)


def compact_of(melody: Melody, encoding: Encoding) -> CompactRecord:
    """A squashed melody as a compact record; `melody_of` is its inverse."""
    events = (np.array(melody.events, np.int16) - LOWEST_EVENT).astype(np.uint8).tobytes()
    ends = melody.ends and encoding.foretells_end
    chords = melody.chords if encoding.num_chord_inputs else ()
    return CompactRecord(events, melody.meter.time_signature, ends, encoding_text(encoding), chords)


def melody_of(record: CompactRecord) -> Melody:
    """The melody that a compact record holds.

    Raises:
        SettingsError: if there is no such meter or chord.
    """
    events = (np.frombuffer(record.events, np.uint8).astype(np.int16) + LOWEST_EVENT).tolist()
    return Melody(events, meter=Meter(*record.meter), ends=record.ends, chords=record.chords)


def encoding_text(encoding: Encoding) -> str:
    """The settings of an encoding as compact records hold them."""
    return json.dumps(encoding_to_json(encoding), separators=(",", ":"))


def example_of(melody: Melody, encoding: Encoding) -> Example:
    """The training pairs of a squashed melody, with the melody itself."""
    inputs, labels = encoding.encode(melody)
    steps_per_bar = melody.steps_per_bar
    # The length of the bars alone means the plainest meter, as it always has.
    meter = None if melody.meter == plainest_meter(steps_per_bar) else melody.meter.time_signature
    ends = melody.ends and encoding.foretells_end
    chords = melody.chords if encoding.num_chord_inputs else ()
    return Example(inputs, labels, np.array(melody.events), steps_per_bar, meter, ends, chords)


def build_dataset(
    note_sequences: Iterable[bytes],
    training_path: Path,
    eval_path: Path | None,
    settings: DatasetSettings,
    *,
    num_shards: int | None = None,
    processes: Processes = None,
) -> DatasetStatistics:
    """Write the training and eval records of some NoteSequences, in their order, complete or not at all.

    Args:
        note_sequences: the bytes of each, read as they are needed.
        training_path: TFRecord file for the training records.
        eval_path: TFRecord file for the eval records; None with an eval_ratio of 0, which has none.
        settings: how to make the records.
        num_shards: write this many shards of each file instead.
        processes: which do the work.

    Returns:
        What was written and what was left out.

    Raises:
        DataError: if there is nothing to train on; the message says why.
        SettingsError: if there is no file for the eval records.
    """
    if eval_path is None and settings.eval_ratio > 0:
        raise SettingsError(f"eval_ratio is {settings.eval_ratio}, but you gave no file for the eval records")
    statistics = DatasetStatistics()
    seen = SeenMelodies()
    if num_shards is not None and eval_path is not None:
        require_open_files(2 * num_shards, f"{num_shards:,} shards of 2 files", "num_shards", num_shards)
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
    """Refuse a data set that has nothing to train on.

    Raises:
        DataError: if it has no training record; the message says why.
    """
    if statistics.note_sequences == 0:
        raise DataError("the input has no NoteSequences; convert some MIDI files first")
    if statistics.failures == statistics.note_sequences:
        raise DataError(
            f"none of {counted(statistics.failures, 'record')} can be used; {statistics.failure_reasons[0]}"
        )
    if statistics.training_records:
        return
    if statistics.eval_records:
        raise DataError(
            f"all {statistics.eval_records} records went to eval and none to training; "
            "lower --eval_ratio, choose another --seed, or give more NoteSequences"
        )
    reasons = statistics.left_out(settings.extraction) or ["they have no notes"]
    sequences = counted(statistics.note_sequences, "NoteSequence")
    raise DataError(f"there is no usable melody in {sequences}: {'; '.join(reasons)}")
