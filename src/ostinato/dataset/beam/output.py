"""What a pipeline writes.

Workers write shards under temporary names into a folder beside the output. The
process that began the run looks at the counts, and renames the shards or, where
an error is due, leaves nothing. The counts come back in files in that folder,
and not as Beam's metrics, which count a bundle twice that a runner tried twice.
"""

import contextlib
import dataclasses
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from ostinato.errors import DataError, SettingsError
from ostinato.formats.tensorflow.tfrecord import RecordWriter, shard_of, shard_paths, shards_name


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
