"""`ostinato.dataset.records` as a pipeline: NoteSequences to training and eval records."""

import contextlib
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import TaggedOutput

from ostinato.dataset.beam.pipeline import Output, is_local, keep, pipeline_options, run_pipeline
from ostinato.dataset.records import (
    NAMED_FAILURES,
    DatasetSettings,
    DatasetStatistics,
    SeenMelodies,
    check,
    count,
    examples_of,
)
from ostinato.errors import DataError, FormatError
from ostinato.formats.tensorflow.tfrecord import expand_paths, records_in, shard_paths
from ostinato.music.extract import ExtractionStatistics
from ostinato.parallel import Failure, attempt

# Where a melody stood: number of the input file, of the record in it, of the melody in that.
Position = tuple[int, int, int]
# Of a melody: where it stood, and its fingerprints.
Candidate = tuple[Position, tuple[bytes, ...]]

_logger = logging.getLogger(__name__)


def build_dataset(
    pattern: str,
    training_file: str,
    eval_file: str | None,
    settings: DatasetSettings,
    runner: str,
    flags: Sequence[str] = (),
    *,
    num_shards: int | None = None,
    skip_corrupt: bool = False,
) -> DatasetStatistics:
    """Write training and eval records, as `ostinato.dataset.records.build_dataset` does.

    Args:
        pattern: the TFRecord files of NoteSequences, local or of any file system that Beam knows: a path, a glob,
            shards as in notes@10.tfrecord, or several with commas between them.
        training_file: TFRecord file for the training records.
        eval_file: TFRecord file for the eval records; None with an eval_ratio of 0, which has none.
        settings: how to make the records.
        runner: where to do it, as for `pipeline_options`.
        flags: Beam's own.
        num_shards: write so many shards of each file instead.
        skip_corrupt: use a damaged file up to the damage and log a warning, instead of raising.

    Returns:
        What was written and what was left out.

    Raises:
        FormatError: if a file is damaged; nothing is written then.
        DataError: if a file is missing, or there is nothing to train on; it says why.
        SettingsError: if an output is an input too, or the runner's flags are wrong.
        OstinatoError: if the run fails.
    """
    options = pipeline_options(runner, flags)
    inputs = _input_files(pattern)
    with contextlib.ExitStack() as stack:
        outputs = {False: stack.enter_context(Output(training_file, num_shards))}
        if eval_file is not None:
            outputs[True] = stack.enter_context(Output(eval_file, num_shards))
        for output in outputs.values():
            output.refuse_if_among(inputs)
        beside = outputs[False].beside

        def build(pipeline: Any) -> None:
            read = (
                pipeline
                | "files" >> beam.Create(list(enumerate(inputs)))
                | "spread files" >> beam.Reshuffle()
                | "read" >> beam.FlatMap(_read_records).with_outputs("files", main="records")
            )
            found = (
                read.records
                | "spread" >> beam.Reshuffle()
                | "examples"
                >> beam.FlatMap(_find_melodies, settings=settings).with_outputs(
                    "statistics", "failures", "fingerprints", main="melodies"
                )
            )
            statistics = [found.statistics]
            melodies = found.melodies
            if settings.dedupe:
                admitted = _dedupe(melodies, found.fingerprints)
                melodies = admitted.melodies
                statistics.append(admitted.statistics)
            for for_eval, output in outputs.items():
                split = "eval" if for_eval else "training"
                (
                    melodies
                    | f"{split} records" >> beam.FlatMap(_records_of, for_eval=for_eval)
                    | f"write {split}" >> output.write()
                )
            kept = {
                "statistics": statistics
                | "all statistics" >> beam.Flatten()
                | "add statistics" >> beam.CombineGlobally(_add_statistics),
                "failures": found.failures | "first failures" >> beam.combiners.Top.Smallest(NAMED_FAILURES),
                "files": read.files | "all files" >> beam.combiners.ToList(),
            }
            for name, result in kept.items():
                result | f"keep {name}" >> beam.Map(keep, path=beside(name))

        run_pipeline(options, build)
        kept = outputs[False].kept
        sizes = []
        for _, size, damage in sorted(kept("files")):
            sizes.append(size)
            if damage and not skip_corrupt:
                raise FormatError(damage)
            if damage:
                _logger.warning("%s", damage)
        statistics = _statistics_from(kept("statistics"))
        statistics.note_sequences = sum(sizes)
        statistics.failure_reasons = [
            f"NoteSequence {sum(sizes[:file]) + record + 1}: {reason}" for file, record, reason in kept("failures")
        ]
        statistics.training_records = outputs[False].finished_shards()
        statistics.eval_records = outputs[True].finished_shards() if True in outputs else 0
        check(statistics, settings)
        for output in outputs.values():
            output.publish()
    return statistics


def _input_files(pattern: str) -> list[str]:
    """The files that the flag names, in their order."""
    if all(is_local(part) for part in pattern.split(",")):
        return [os.path.abspath(path) for path in expand_paths(pattern)]  # noqa: PTH100
    files: list[str] = []
    for part in (part.strip() for part in pattern.split(",")):
        if is_local(part):
            files += _input_files(part)
            continue
        names = [part]
        stem, ending = os.path.splitext(part)  # noqa: PTH122
        name, at, number = stem.rpartition("@")
        if at and number.isdecimal():
            names = shard_paths(name + ending, int(number))
        for match in FileSystems.match(names):
            if not match.metadata_list:
                raise DataError(f"{part}: there is no file {match.pattern}")
            files += sorted(file.path for file in match.metadata_list)
    return list(dict.fromkeys(files))


def _read_records(numbered: tuple[int, str]) -> Iterator[Any]:
    """The records of a file, by its number and theirs; then how many there are, and what ails the file, if anything."""
    number, path = numbered
    place, damage = 0, ""
    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            for record in records_in(file, FileSystems.get_filesystem(path).size(path), path):
                yield (number, place), record
                place += 1
    except FormatError as error:
        damage = str(error)
    yield TaggedOutput("files", (number, place, damage))


def _find_melodies(numbered: tuple[tuple[int, int], bytes], settings: DatasetSettings) -> Iterator[Any]:
    """The melodies of a NoteSequence: position, whether they are for eval, and records."""
    place, note_sequence = numbered
    (examples,) = attempt(lambda batch: [examples_of(each, settings) for each in batch], [note_sequence])
    statistics = DatasetStatistics()
    if isinstance(examples, Failure):
        statistics.failures = 1
        yield TaggedOutput("failures", (*place, examples.reason))
    else:
        count(examples, statistics)
        for number, melody in enumerate(examples.melodies):
            position = (*place, number)
            yield position, (examples.for_eval, melody.records)
            for each in set(melody.fingerprints):
                yield TaggedOutput("fingerprints", (each, (position, melody.fingerprints)))
    yield TaggedOutput("statistics", statistics)


def _records_of(melody: tuple[Position, tuple[bool, list[bytes]]], for_eval: bool) -> list[bytes]:
    _, (its_for_eval, records) = melody
    return records if its_for_eval == for_eval else []


def _dedupe(melodies: Any, fingerprints: Any) -> Any:
    """The melodies that `SeenMelodies` admits in the order of their positions, and the others counted.

    Of the melodies that share a fingerprint the first is admitted, and that would be all if each had one fingerprint.
    A melody that was folded into its model's range has two, and so ties groups together: whether it is admitted
    depends on those before it in both. Folded melodies are few, so those that share a fingerprint with one are
    settled together, in one place and one after the other.
    """
    groups = (
        fingerprints
        | "by fingerprint" >> beam.GroupByKey()
        | "settle" >> beam.FlatMap(_settle_group).with_outputs("contested", main="admitted")
    )
    settled = (
        groups.contested
        | "gather contested" >> beam.combiners.ToList()
        | "settle in order" >> beam.FlatMap(_settle_in_order)
    )
    admitted = (groups.admitted, settled) | "all admitted" >> beam.Flatten() | "mark" >> beam.Map(_with_true)
    return (
        {"melody": melodies, "admitted": admitted}
        | "by position" >> beam.CoGroupByKey()
        | "admit" >> beam.FlatMap(_admit).with_outputs("statistics", main="melodies")
    )


def _settle_group(group: tuple[bytes, Iterable[Candidate]]) -> Iterator[Any]:
    """Of melodies with one fingerprint in common, who is admitted, or all whose order decides that elsewhere."""
    _, candidates = group
    first: Candidate | None = None  # of those that were not folded; the others can never be admitted
    contested = []
    for candidate in candidates:
        if len(set(candidate[1])) > 1:
            contested.append(candidate)
        elif first is None or candidate[0] < first[0]:
            first = candidate
    if contested:
        contested += [first] if first is not None else []
        yield from (TaggedOutput("contested", candidate) for candidate in contested)
    elif first is not None:
        yield first[0]


def _settle_in_order(contested: list[Candidate]) -> Iterator[Position]:
    seen = SeenMelodies()
    for position, fingerprints in sorted(dict(contested).items()):
        if seen.admits(fingerprints):
            yield position


def _with_true(position: Position) -> tuple[Position, bool]:
    return position, True


def _admit(group: tuple[Position, dict[str, Iterable[Any]]]) -> Iterator[Any]:
    position, found = group
    if any(found["admitted"]):
        yield from ((position, melody) for melody in found["melody"])
    else:
        yield TaggedOutput("statistics", DatasetStatistics(duplicates=1))


def _add_statistics(several: Iterable[DatasetStatistics]) -> DatasetStatistics:
    """The sum of those counts that come about in a pipeline's workers."""
    total = DatasetStatistics()
    for statistics in several:
        total.without_melody += statistics.without_melody
        total.failures += statistics.failures
        total.out_of_range += statistics.out_of_range
        total.duplicates += statistics.duplicates
        total.extraction.add(statistics.extraction)
    return total


def _statistics_from(found: dict[str, Any]) -> DatasetStatistics:
    extraction = found.pop("extraction")
    bars = Counter({int(length): number for length, number in extraction.pop("bars").items()})
    return DatasetStatistics(**found, extraction=ExtractionStatistics(**extraction, bars=bars))
