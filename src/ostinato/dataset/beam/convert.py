"""`ostinato.dataset.convert` as a pipeline: a folder of music files to NoteSequences."""

import functools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import TaggedOutput

from ostinato.dataset.beam.pipeline import Output, is_local, keep, pipeline_options, run_pipeline
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
from ostinato.dataset.report import Remarked, Skipped
from ostinato.errors import FormatError
from ostinato.parallel import LARGEST_BATCH, attempt


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
        input_dir: the folder, local or of any file system that Beam knows (gs://, s3://, hdfs://).
        output_file: the TFRecord file to write.
        runner: where to do it, as for `pipeline_options`.
        flags: Beam's own.
        recursive: whether to look into the folders in it too.
        num_shards: write so many shards instead of one file.

    Returns:
        What became of the files.

    Raises:
        DataError: if the folder is missing or holds no music files, or the output cannot be written.
        NothingConvertedError: if it holds some, but none could be converted.
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
                | "add reports" >> beam.CombineGlobally(_add_reports)
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
    """The names of the music files of a folder, as bytes, for they may be no text; and a report of the others."""
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


def _add_reports(reports: Iterable[ConvertReport]) -> ConvertReport:
    total = ConvertReport()
    for report in reports:
        total.files += report.files
        total.converted += report.converted
        total.skipped += report.skipped
        total.remarked += report.remarked
        total.not_read += report.not_read
    return total
