"""Where a pipeline runs, what Beam's own flags say about it, and what it writes.

Workers write shards under temporary names into a folder beside the output. The
process that began the run looks at the counts, and renames the shards or, where
an error is due, leaves nothing. The counts come back in files in that folder,
and not as Beam's metrics, which count a bundle twice that a runner tried twice.
"""

import contextlib
import dataclasses
import functools
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions, WorkerOptions
from apache_beam.runners.runner import PipelineState

from ostinato.errors import DataError, OstinatoError, SettingsError
from ostinato.formats.tensorflow.tfrecord import RecordWriter, shard_of, shard_paths, shards_name


def pipeline_options(runner: str, flags: Sequence[str]) -> Any:
    """Beam's PipelineOptions from its flags.

    Args:
        runner: DirectRunner, PrismRunner, FlinkRunner, SparkRunner, DataflowRunner, or another that Beam knows.
        flags: Beam's own, as on a command line. Those after "--" may be known to the runner alone.

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
        raise SettingsError(f"Beam refuses its flags: {message}")

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
        """The path of a result that is no shard, to be `kept`."""
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
        """Rename the shards to what they shall be called. One without any record is an empty file."""
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
