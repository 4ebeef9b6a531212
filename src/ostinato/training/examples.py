"""The training pairs of record files, read once into compact memory.

Shapes: T steps, D input size, C classes.

Every value of our encodings is -1, 0 or 1, so a row of inputs is kept as two
bit masks, one of its ones and one of its minus ones: 32 bytes a step for the
121 inputs of lookback_rnn, where floats take 484. 100,000 melodies of 312
steps, the mean of real ones, then take 1 GB, and unpacking a batch takes a
hundredth of the time that encoding it anew would. Rows of other values, from
another program's encoding, are kept as the floats they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.config import PRESETS, Config
from ostinato.encodings import Encoding
from ostinato.errors import DataError, FormatError
from ostinato.formats.tensorflow.sequence_example import Example, parse_sequence_example
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records
from ostinato.music.melody import Melody


@dataclass(frozen=True, slots=True, eq=False)
class PackedInputs:
    """Inputs that are all -1, 0 or 1.

    Attributes:
        signs: uint8 [T, 2, ceil(D / 8)], bit masks of the ones and of the minus ones.
    """

    signs: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.signs)


@dataclass(frozen=True, slots=True, eq=False)
class PlainInputs:
    """Inputs of any values: float32 [T, D]."""

    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)


def pack(inputs: NDArray[np.float32]) -> PackedInputs | PlainInputs:
    """Inputs [T, D] in as little memory as they need."""
    ones, minus_ones = inputs == 1, inputs == -1
    if not np.all(ones | minus_ones | (inputs == 0)):
        return PlainInputs(np.array(inputs, np.float32))
    return PackedInputs(np.packbits(np.stack([ones, minus_ones], axis=1), axis=-1))


def pad(melodies: Sequence[PackedInputs | PlainInputs], input_size: int) -> NDArray[np.int8] | NDArray[np.float32]:
    """Inputs of B melodies side by side, zero where a melody has ended.

    Returns:
        [T, B, D] for the longest melody's T, at least 1; int8 where all are packed, else float32.
    """
    longest = max(1, *(len(melody) for melody in melodies))
    if all(isinstance(melody, PackedInputs) for melody in melodies):
        signs = np.zeros((longest, len(melodies), 2, -(-input_size // 8)), np.uint8)
        for column, melody in enumerate(melodies):
            assert isinstance(melody, PackedInputs)
            signs[: len(melody), column] = melody.signs
        bits = np.unpackbits(signs, axis=-1, count=input_size).view(np.int8)
        return bits[:, :, 0] - bits[:, :, 1]
    values = np.zeros((longest, len(melodies), input_size), np.float32)
    for column, melody in enumerate(melodies):
        values[: len(melody), column] = (
            melody.values if isinstance(melody, PlainInputs) else pad([melody], input_size)[:, 0]
        )
    return values


@dataclass(frozen=True, eq=False)
class Examples:
    """The training pairs of all melodies, in the order of the files.

    Attributes:
        files: where they come from.
        input_size: D.
        inputs: of each melody.
        labels: of each melody, [T], in the smallest integers that hold C classes.
        lengths: T of each melody.
        right: of each melody, uint8 [T, ceil(C / 8)], bit masks of the classes that stand for the event; None where the
            loss asks for the label alone.
    """

    files: tuple[str, ...]
    input_size: int
    inputs: tuple[PackedInputs | PlainInputs, ...]
    labels: tuple[NDArray[np.unsignedinteger], ...]
    lengths: NDArray[np.int64]
    right: tuple[NDArray[np.uint8], ...] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def told(self) -> dict[str, Any]:
        """What checkpoints tell of the data: names of the files, melodies, steps."""
        names = [Path(file).name for file in self.files]
        return {"files": names, "num_melodies": len(self), "num_steps": int(self.lengths.sum())}


def load_examples(pattern: str, config: Config, *, skip_corrupt: bool = False) -> Examples:
    """Read SequenceExamples for the training or evaluation of a model.

    Args:
        pattern: a path, a glob, a comma list or a set of shards of TFRecord files.
        config: whose encoding the examples must have been made by.
        skip_corrupt: use the whole records before a damaged one instead of raising.

    Raises:
        FormatError: if a file is damaged, or its examples do not fit the config.
        DataError: if there is no such file, or no example in any.
    """
    paths = expand_paths(pattern)
    smallest = np.min_scalar_type(config.encoding.num_classes - 1)
    size = config.encoding.input_size
    inputs, right = [], []
    labels: list[NDArray[np.unsignedinteger]] = []
    for source, example in _read(paths, skip_corrupt=skip_corrupt):
        _check(example, config, source)
        if len(labels) == 0:
            _check_encoding(example, config, source)
        if config.hparams.loss == "events":
            right.append(_right_classes(example, config.encoding, source))
        # An example without steps stays, so that record numbers are the file's; it adds nothing to any sum.
        inputs.append(pack(example.inputs.reshape(-1, size)))
        labels.append(example.labels.astype(smallest))
    lengths = np.array([len(melody) for melody in labels], np.int64)
    if lengths.sum() == 0:
        raise no_records(pattern)
    masks = tuple(right) if config.hparams.loss == "events" else None
    return Examples(tuple(map(str, paths)), size, tuple(inputs), tuple(labels), lengths, masks)


def require_records(pattern: str, *, skip_corrupt: bool = False) -> None:
    """Make sure, without reading on, that there is at least one record.

    Raises:
        FormatError: if the first record is damaged.
        DataError: if there is no such file, or no record in any.
    """
    for path in expand_paths(pattern):
        for _ in read_records(path, skip_corrupt=skip_corrupt):
            return
    raise no_records(pattern)


def no_records(pattern: str) -> DataError:
    """The error of files without a single example."""
    return DataError(
        f"{pattern}: holds no examples; `ostinato dataset` makes them and says why when it finds no melody, "
        "and for few pieces a larger --eval_ratio puts some aside for evaluation"
    )


def _read(paths: Sequence[Path], *, skip_corrupt: bool) -> Iterator[tuple[str, Example]]:
    for path in paths:
        for number, record in enumerate(read_records(path, skip_corrupt=skip_corrupt), start=1):
            source = f"{path}, record {number}"
            try:
                yield source, parse_sequence_example(record)
            except FormatError as error:
                raise FormatError(f"{source}: {error}") from None


def _check(example: Example, config: Config, source: str) -> None:
    encoding = config.encoding
    if len(example.labels) == 0:
        return
    size = example.inputs.shape[1]
    if size != encoding.input_size:
        fitting = [name for name, preset in PRESETS.items() if preset.encoding.input_size == size]
        hint = f"; built for {' or '.join(fitting)}?" if fitting else "; build it anew with `ostinato dataset`"
        raise FormatError(
            f"{source}: holds examples of {size} inputs a step, {config.name} needs {encoding.input_size}{hint}"
        )
    if not 0 <= example.labels.min() <= example.labels.max() < encoding.num_classes:
        raise FormatError(
            f"{source}: holds labels of {example.labels.min()}..{example.labels.max()}, {config.name} has classes "
            f"0..{encoding.num_classes - 1}; build it anew with `ostinato dataset --config={config.name}`"
        )


def _check_encoding(example: Example, config: Config, source: str) -> None:
    """Make sure of a record that tells its melody that the config's encoding makes the same of it."""
    melody = _melody(example)
    if melody is None or len(example.labels) == 0:
        return
    inputs, labels = config.encoding.encode(melody)
    if not (np.array_equal(inputs, example.inputs) and np.array_equal(labels, example.labels)):
        raise FormatError(
            f"{source}: was made with other settings of the encoding than {config.name}'s; tell `ostinato dataset` and "
            "`ostinato train` the same --config and --lookback_distances"
        )


def _right_classes(example: Example, encoding: Encoding, source: str) -> NDArray[np.uint8]:
    """Bit masks [T, ceil(C / 8)] of the classes that stand for each event that is to be predicted."""
    melody = _melody(example)
    if melody is None:
        raise FormatError(
            f"{source}: does not tell its melody, which hparam loss=events needs; build it with `ostinato dataset`"
        )
    came = np.array(melody.events[1:], np.int64)
    return np.packbits(encoding.class_events(melody)[1:] == came[:, None], axis=1)


def _melody(example: Example) -> Melody | None:
    """The melody that a record tells beside its numbers; None if it tells none."""
    if example.events is None or example.steps_per_bar is None:
        return None
    return Melody(example.events.tolist(), steps_per_bar=example.steps_per_bar)
