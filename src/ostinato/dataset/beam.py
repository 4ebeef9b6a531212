"""Conversion and data sets past one machine: Apache Beam carries the same work to any runner.

The functions that do the work on one machine, `convert_files` and `examples_of`,
decide what becomes of a file or a record. This module only takes the data there
and back. The records are the same, in no particular order.

Workers write shards under temporary names into a folder next to the output. The
process that started the run looks at the counts, then renames the shards or, if
there is an error, leaves nothing. The counts come back in files in that folder
and not as Beam's metrics, which count a bundle twice if a runner tried it twice.
"""

import contextlib
import dataclasses
import functools
import json
import logging
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ostinato.dataset.convert import (
    ConvertReport,
    NothingConvertedError,
    convert_files,
    ending_of,
    find_files,
    is_source,
    no_files,
    source_format,
    tally,
    too_large,
)
from ostinato.dataset.records import (
    NAMED_FAILURES,
    DatasetSettings,
    DatasetStatistics,
    SeenMelodies,
    check,
    count,
    examples_of,
)
from ostinato.dataset.report import Remarked, Skipped
from ostinato.errors import DataError, FormatError, MissingExtraError, OstinatoError, SettingsError
from ostinato.formats.tensorflow.tfrecord import (
    RecordWriter,
    expand_paths,
    records_in,
    shard_of,
    shard_paths,
    shards_name,
)
from ostinato.music.extract import ExtractionStatistics
from ostinato.parallel import LARGEST_BATCH, Failure, add_counts, attempt

# While it is imported, Beam warns of every cloud library that is not there.
_level = logging.root.manager.disable
logging.disable(logging.WARNING)
try:
    import apache_beam as beam
    from apache_beam.io.filesystem import BeamIOError, CompressionTypes
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions, WorkerOptions
    from apache_beam.pvalue import TaggedOutput
    from apache_beam.runners.runner import PipelineState
except ModuleNotFoundError as error:
    if error.name != "apache_beam":
        raise
    raise MissingExtraError("--runner", "beam") from None
finally:
    logging.disable(_level)

# Where a melody was: number of the input file, of the record in it, of the melody in that.
Position = tuple[int, int, int]
# Of a melody: where it was, and its fingerprints.
Candidate = tuple[Position, tuple[bytes, ...]]

_logger = logging.getLogger(__name__)


def convert_folder(
    input_dir: str,
    output_file: str,
    runner: str,
    flags: Sequence[str] = (),
    *,
    recursive: bool = False,
    num_shards: int | None = None,
) -> ConvertReport:
    """Convert the music files of a folder to NoteSequences, as `ostinato.dataset.convert.convert_folder` does.

    Args:
        input_dir: the folder, local or on any file system that Beam knows (gs://, s3://, hdfs://).
        output_file: the TFRecord file to write.
        runner: where to do it, as for `pipeline_options`.
        flags: Beam's own.
        recursive: whether to look into its subfolders too.
        num_shards: write this many shards instead of one file.

    Returns:
        What became of the files.

    Raises:
        DataError: if the folder is missing or has no music files, or the output cannot be written.
        NothingConvertedError: if it has some, but none could be converted.
        SettingsError: if the runner's flags are wrong.
        OstinatoError: if the run fails.
    """
    options = pipeline_options(runner, flags)
    if is_local(input_dir):
        find_files(Path(input_dir), recursive=recursive)  # refuses what there is no use to begin with
    folder = os.path.abspath(input_dir) if is_local(input_dir) else input_dir.rstrip("/")  # noqa: PTH100
    collection = os.path.basename(folder)  # noqa: PTH119
    with Output(output_file, num_shards) as output:

        def build(pipeline: Any) -> None:
            listed = (
                pipeline
                | "folder" >> beam.Create([folder])
                | "list" >> beam.FlatMap(_list_files, recursive=recursive).with_outputs("reports", main="names")
            )
            converted = (
                listed.names
                | "spread" >> beam.Reshuffle()
                | "batch" >> beam.BatchElements(min_batch_size=1, max_batch_size=LARGEST_BATCH)
                | "convert"
                >> beam.FlatMap(_convert, folder=folder, collection=collection).with_outputs("reports", main="records")
            )
            reports = (
                (listed.reports, converted.reports)
                | "all reports" >> beam.Flatten()
                | "add reports" >> beam.CombineGlobally(functools.partial(_sum, ConvertReport))
            )
            reports | "keep report" >> beam.Map(keep, path=output.beside("report"))
            converted.records | "write" >> output.write()

        run_pipeline(options, build)
        found = output.kept("report")
        report = ConvertReport(found["files"], found["converted"], not_read=Counter(found["not_read"]))
        report.skipped = sorted((Skipped(**each) for each in found["skipped"]), key=lambda each: each.filename)
        report.remarked = sorted((Remarked(**each) for each in found["remarked"]), key=lambda each: each.filename)
        report.records = output.finished_shards()
        if not report.files:
            raise no_files(input_dir, recursive=recursive, others=report.not_read)
        if not report.converted:
            raise NothingConvertedError(input_dir, report)
        output.publish()
    return report


def _list_files(folder: str, recursive: bool) -> Iterator[Any]:
    """The names of the music files of a folder, as bytes, since they may not be text; and a report of the others."""
    others: Counter[str] = Counter()
    if is_local(folder):
        yield from map(os.fsencode, find_files(Path(folder), recursive=recursive, others=others))
    else:
        for match in FileSystems.match([f"{folder}/" + ("**" if recursive else "*")]):
            for file in match.metadata_list:
                name = file.path.removeprefix(f"{folder}/")
                if not recursive and "/" in name:
                    continue
                if is_source(name):
                    yield name.encode()
                else:
                    others[ending_of(name)] += 1
    yield TaggedOutput("reports", ConvertReport(not_read=others))


def _convert(names: list[bytes], folder: str, collection: str) -> Iterator[Any]:
    report = ConvertReport(files=len(names))
    files = [os.fsdecode(name) for name in names]
    for name, result in zip(
        files, attempt(functools.partial(convert_files, folder, collection, read=_read_file), files), strict=True
    ):
        yield from tally(name, result, report)
    yield TaggedOutput("reports", report)


def _read_file(path: str) -> bytes:
    source = source_format(path)
    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            data: bytes = file.read(source.max_bytes + 1)
        if len(data) > source.max_bytes:
            raise too_large(source, FileSystems.get_filesystem(path).size(path))
    except BeamIOError as error:
        raise FormatError(f"cannot be read: {error}") from None
    return data


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
        pattern: the TFRecord files of NoteSequences, local or on any file system that Beam knows: a path, a glob,
            shards as in notes@10.tfrecord, or several separated by commas.
        training_file: TFRecord file for the training records.
        eval_file: TFRecord file for the eval records; None with an eval_ratio of 0, which has none.
        settings: how to make the records.
        runner: where to do it, as for `pipeline_options`.
        flags: Beam's own.
        num_shards: write this many shards of each file instead.
        skip_corrupt: use a damaged file up to the damage and log a warning, instead of raising.

    Returns:
        What was written and what was left out.

    Raises:
        FormatError: if a file is damaged; nothing is written then.
        DataError: if a file is missing, or there is nothing to train on; it says why.
        SettingsError: if an output is also an input, or the runner's flags are wrong.
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
                | "add statistics" >> beam.CombineGlobally(functools.partial(_sum, DatasetStatistics)),
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
    """The records of a file, by its number and theirs; then how many there are, and what is wrong with the file."""
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


def _sum(kind: type[Any], several: Iterable[Any]) -> Any:
    """What the workers counted, added up."""
    total = kind()
    for counts in several:
        add_counts(total, counts)
    return total


def _statistics_from(found: dict[str, Any]) -> DatasetStatistics:
    extraction = found.pop("extraction")
    bars = Counter({int(length): number for length, number in extraction.pop("bars").items()})
    return DatasetStatistics(**found, extraction=ExtractionStatistics(**extraction, bars=bars))


def pipeline_options(runner: str, flags: Sequence[str]) -> Any:
    """Beam's PipelineOptions from its flags.

    Args:
        runner: DirectRunner, PrismRunner, FlinkRunner, SparkRunner, DataflowRunner, or another that Beam knows.
        flags: Beam's own, as on a command line. Those after "--" may be known only to the runner.

    Raises:
        SettingsError: if Beam does not know a flag or refuses its value.
    """
    split = flags.index("--") if "--" in flags else len(flags)
    options = PipelineOptions([f"--runner={runner}", *flags[:split], *flags[split + 1 :]])
    # The only place where Beam shows the parser that has the flags of all its parts.
    options.get_all_options(
        add_extra_args_fn=functools.partial(_refuse_unknown, flags[:split]), retain_unknown_options=True
    )
    if runner.lower().removesuffix("runner") == "direct":
        # Else Beam would download Prism and run that, where --direct_num_workers does nothing. The pipelines have no
        # triggers, so the mark changes nothing but this.
        options.view_as(TypeOptions).allow_unsafe_triggers = True
        worker = options.view_as(WorkerOptions)
        worker.default_sdk_harness_log_level = worker.default_sdk_harness_log_level or "ERROR"
    FileSystems.set_options(options)
    return options


def _refuse_unknown(flags: Sequence[str], parser: Any) -> None:
    def refuse(message: str) -> None:
        raise SettingsError(f"Beam rejects these flags: {message}")

    parser.error = refuse
    _, unknown = parser.parse_known_args(flags)
    if unknown:
        raise SettingsError(
            f"neither this command nor Beam knows {' '.join(unknown)}; flags that only the runner knows go after --"
        )


def run_pipeline(options: Any, build: Callable[[Any], None]) -> None:
    """Build a pipeline and run it to its end.

    Args:
        options: from `pipeline_options`.
        build: gets the empty pipeline.

    Raises:
        SettingsError: if there is no such runner, or it needs other flags.
        OstinatoError: if the run fails.
    """
    runner = options.view_as(StandardOptions).runner
    try:
        pipeline = beam.Pipeline(options=options)
    except (ImportError, ValueError) as error:
        raise SettingsError(f"--runner={runner}: {_gist(error)}") from error
    build(pipeline)
    try:
        state = pipeline.run().wait_until_finish()
    except Exception as error:  # each runner has its own kinds
        raise OstinatoError(f"the run on {runner} failed: {_gist(error)}; --log=DEBUG shows where") from error
    if state != PipelineState.DONE:
        raise OstinatoError(f"the run on {runner} ended as {state}; its own log says why")


def _gist(error: BaseException) -> str:
    """One line of an error whose text may be a worker's whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else type(error).__name__)


def is_local(path: str) -> bool:
    """Whether a path is of this machine's file system, and not gs://, s3://, hdfs://."""
    return FileSystems.get_scheme(path) is None


class Output:
    """A TFRecord file, or its shards, in the making: a context that leaves nothing but what was published."""

    def __init__(self, path: str, num_shards: int | None) -> None:
        self._path = os.path.abspath(path) if is_local(path) else path  # noqa: PTH100
        self._shards = shard_paths(self._path, num_shards)
        self._name = shards_name(path, num_shards)
        head, tail = FileSystems.split(self._path)
        self._folder = FileSystems.join(head, f".{tail}.{secrets.token_hex(4)}.tmp")

    def __enter__(self) -> "Output":
        with self._writing():
            FileSystems.mkdirs(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        if is_local(self._folder):
            shutil.rmtree(self._folder, ignore_errors=True)
        else:
            with contextlib.suppress(BeamIOError):  # without folders there is nothing when nothing was written
                FileSystems.delete([self._folder + "/"])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # BeamIOError is one
            raise DataError(f"{self._name}: cannot be written: {error.strerror or error}") from error

    def refuse_if_among(self, inputs: Sequence[str]) -> None:
        """Raise SettingsError if it would overwrite an input."""
        for path in {*self._shards} & {*inputs}:
            raise SettingsError(f"{path} is an input and would be overwritten; choose another file for the records")

    def beside(self, name: str) -> str:
        """The path of a result that is not a shard, to be `kept`."""
        return str(FileSystems.join(self._folder, f"{name}.json"))

    def kept(self, name: str) -> Any:
        """The value that a worker wrote by `keep`."""
        with FileSystems.open(self.beside(name), compression_type=CompressionTypes.UNCOMPRESSED) as file:
            return json.loads(file.read())

    def write(self) -> Any:
        """The transform that writes records, to be published later."""
        return beam.ptransform_fn(_write_shards)(len(self._shards), self._folder, self.beside("shards"))

    def finished_shards(self) -> int:
        """How many records were written by the run."""
        return sum(records for _, _, records in self.kept("shards"))

    def publish(self) -> None:
        """Give the shards their final names. One without any record is an empty file."""
        written = {shard: path for shard, path, _ in self.kept("shards")}
        with self._writing():
            for shard in set(range(len(self._shards))) - set(written):
                written[shard] = FileSystems.join(self._folder, f"{shard:05d}")
                FileSystems.create(written[shard], compression_type=CompressionTypes.UNCOMPRESSED).close()
            if not is_local(self._path):  # there a rename need not replace
                FileSystems.delete([path for path in self._shards if FileSystems.exists(path)])
            at_once = FileSystems.get_chunk_size(self._path)
            for start in range(0, len(self._shards), at_once):
                targets = self._shards[start : start + at_once]
                FileSystems.rename([written[start + place] for place in range(len(targets))], targets)


def _write_shards(records: Any, num_shards: int, folder: str, list_path: str) -> Any:
    return (
        records
        | "by shard" >> beam.Map(_with_shard, num_shards=num_shards)
        | "group" >> beam.GroupByKey()
        | "write shard" >> beam.Map(_write_shard, folder=folder)
        | "all shards" >> beam.combiners.ToList()
        | "keep shards" >> beam.Map(keep, path=list_path)
    )


def _with_shard(record: bytes, num_shards: int) -> tuple[int, bytes]:
    return shard_of(record, num_shards), record


def _write_shard(group: tuple[int, Iterable[bytes]], folder: str) -> tuple[int, str, int]:
    shard, records = group
    # A runner may try a shard again, or twice at once; only one of the attempts comes to be listed.
    path = FileSystems.join(folder, f"{shard:05d}-{secrets.token_hex(8)}")
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        writer = RecordWriter(file)
        for record in records:
            writer.write(record)
    return shard, path, writer.count


def keep(value: Any, path: str) -> None:
    """Write a value as JSON, for the process that began the run."""
    text = json.dumps(value, default=_fields)
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.write(text.encode())


def _fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, as they are."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
