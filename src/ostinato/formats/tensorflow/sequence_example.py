"""TensorFlow's SequenceExample: the inputs and labels of one melody as one record.

| where                   | kind                     | what                                      |
|-------------------------|--------------------------|-------------------------------------------|
| feature list `inputs`   | float_list of D, a step  | what the network is fed                   |
| feature list `labels`   | int64_list of 1, a step  | the class to predict                      |
| context `events`        | int64_list of T + 1      | the melody itself; ours, may be missing   |
| context `steps_per_bar` | int64_list of 1          | length of its bars; ours, may be missing  |
| context `meter`         | int64_list of 2          | numerator and denominator; likewise       |
| context `ends`          | int64_list of 1          | 1 if the last label is the tune's end     |
| context `chords`        | bytes_list               | their names, if the inputs tell of chords |
| context `chord_steps`   | int64_list               | the step at which each begins             |

Other programs that read these records ignore a context they do not know.

On the wire every step of `inputs` has the same bytes except for its floats, so
the record is packed and read as one array with T rows. A record laid out in any
other way that protobuf allows is left to protobuf.

Shapes: T steps, D values a step.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from ostinato.errors import FormatError
from ostinato.formats.tensorflow.tensorflow_pb2 import (
    BytesList,
    Feature,
    FeatureList,
    Features,
    Int64List,
    SequenceExample,
)
from ostinato.formats.wire import read_varint, varint

_INPUTS, _LABELS = "inputs", "labels"
_EVENTS, _STEPS_PER_BAR, _METER, _ENDS = "events", "steps_per_bar", "meter", "ends"
_CHORDS, _CHORD_STEPS = "chords", "chord_steps"

# Field numbers: SequenceExample, the entries of its two maps, FeatureList, Feature, and the lists in it.
_CONTEXT, _FEATURE_LISTS = 1, 2
_MAP_ENTRY, _KEY, _VALUE = 1, 1, 2
_FEATURE = 1
_FLOAT_LIST, _INT64_LIST = 2, 3
_LIST_VALUE = 1

_LENGTH_DELIMITED = 2  # the wire type of strings, messages and packed numbers
_MORE = 0x80  # set in each byte of a varint but the last


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One melody as a network trains on it.

    Attributes:
        inputs: float32 [T, D].
        labels: int64 [T].
        events: int64 [T + 1], the melody that was encoded, or None if it is not in the record; [T] if the last label
            is its end.
        steps_per_bar: length of its bars in steps, or None if it is not in the record.
        meter: numerator and denominator, or None if it is the plainest for its bar, or not in the record.
        ends: whether the last label is the end of the tune.
        chords: beside the melody, as (step, name), if the inputs tell of them.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    events: NDArray[np.int64] | None = None
    steps_per_bar: int | None = None
    meter: tuple[int, int] | None = None
    ends: bool = False
    chords: tuple[tuple[int, str], ...] = ()

    @property
    def has_upbeat(self) -> bool:
        """Whether the events begin in the second half of a bar; False if they or the bar are not in the record."""
        if self.events is None or self.steps_per_bar is None:
            return False
        starts = np.flatnonzero(self.events >= 0)
        return len(starts) > 0 and bool(self.steps_per_bar <= 2 * starts[0] < 2 * self.steps_per_bar)


def serialize_sequence_example(example: Example) -> bytes:
    """The bytes of a SequenceExample, packed straight from the arrays."""
    num_steps, size = example.inputs.shape
    before_floats = _nested((_FEATURE, _FLOAT_LIST, _LIST_VALUE), 4 * size)
    rows = np.empty((num_steps, len(before_floats) + 4 * size), np.uint8)
    rows[:, : len(before_floats)] = np.frombuffer(before_floats, np.uint8)
    rows[:, len(before_floats) :] = np.ascontiguousarray(example.inputs, "<f4").view(np.uint8)
    before_rows = _map_entry_header(_INPUTS, rows.size)
    labels = _label_rows(example.labels)
    after_rows = _map_entry_header(_LABELS, len(labels)) + labels
    lists_header = _header(_FEATURE_LISTS, len(before_rows) + rows.size + len(after_rows))
    return b"".join((_context(example), lists_header, before_rows, rows.data, after_rows))


def _context(example: Example) -> bytes:
    features = b""
    if example.events is not None:
        features += _context_feature(_EVENTS, example.events.tolist())
    if example.steps_per_bar is not None:
        features += _context_feature(_STEPS_PER_BAR, [example.steps_per_bar])
    if example.meter is not None:
        features += _context_feature(_METER, example.meter)
    if example.ends:
        features += _context_feature(_ENDS, [1])
    if example.chords:
        names = Feature(bytes_list=BytesList(value=[name.encode() for _, name in example.chords])).SerializeToString()
        features += _map_entry_header(_CHORDS, len(names)) + names
        features += _context_feature(_CHORD_STEPS, [step for step, _ in example.chords])
    return _header(_CONTEXT, len(features)) + features if features else b""


def _context_feature(key: str, values: Sequence[int]) -> bytes:
    integers = Int64List(value=values).SerializeToString()
    feature = _header(_INT64_LIST, len(integers)) + integers
    return _map_entry_header(key, len(feature)) + feature


def _label_rows(labels: NDArray[np.int64]) -> bytes:
    """The bytes of the features of `labels`, one after the other."""
    if labels.max(initial=0) >= _MORE or labels.min(initial=0) < 0:
        features = [Feature(int64_list=Int64List(value=[label])) for label in labels.tolist()]
        return FeatureList(feature=features).SerializeToString()
    rows = np.empty((len(labels), len(_LABEL_PREFIX) + 1), np.uint8)
    rows[:, :-1] = _LABEL_PREFIX
    rows[:, -1] = labels
    return rows.tobytes()


def _header(field: int, size: int) -> bytes:
    """What comes before the `size` bytes of a field that is a message, a string or packed numbers."""
    return varint(field << 3 | _LENGTH_DELIMITED) + varint(size)


@functools.lru_cache(maxsize=64)  # a data set holds a few sizes only
def _nested(fields: tuple[int, ...], size: int) -> bytes:
    """The headers of messages one within the other, the outermost first, around `size` bytes."""
    headers = b""
    for field in reversed(fields):
        headers = _header(field, len(headers) + size) + headers
    return headers


@functools.lru_cache(maxsize=4096)  # melodies have the same lengths again and again
def _map_entry_header(key: str, value_size: int) -> bytes:
    """What comes before the value of a map's entry."""
    inner = _header(_KEY, len(key)) + key.encode() + _header(_VALUE, value_size)
    return _header(_MAP_ENTRY, len(inner) + value_size) + inner


# What comes before a label of one byte.
_LABEL_PREFIX = np.frombuffer(_nested((_FEATURE, _INT64_LIST, _LIST_VALUE), 1), np.uint8)


def parse_sequence_example(data: bytes) -> Example:
    """Read a SequenceExample, ours or another program's.

    Args:
        data: the bytes of one record.

    Returns:
        Its arrays. A record without steps gives inputs [0, 0].

    Raises:
        FormatError: if it is not one, lacks `inputs` or `labels`, or has rows of different sizes.
    """
    example = _read_regular(data)
    if example is None:
        example = _read_any(data)
    if len(example.inputs) != len(example.labels):
        raise FormatError(
            f"a SequenceExample holds {len(example.inputs)} inputs but {len(example.labels)} labels; "
            "build the data set again"
        )
    return example


def _read_regular(data: bytes) -> Example | None:
    """Read a record whose inputs all have one layout; None for any other, well-formed or not."""
    parts = _message(data, 0, len(data))
    if parts is None or not {_FEATURE_LISTS} <= parts.keys() <= {_CONTEXT, _FEATURE_LISTS}:
        return None
    lists = _map(data, *parts[_FEATURE_LISTS])
    if lists is None or not {_INPUTS, _LABELS} <= lists.keys():
        return None
    inputs = _regular_inputs(data, *lists[_INPUTS])
    if inputs is None:
        return None
    labels = _regular_labels(data, *lists[_LABELS])
    try:
        if labels is None:
            start, end = lists[_LABELS]
            labels = _any_labels(FeatureList.FromString(data[start:end]))
        start, end = parts.get(_CONTEXT, (0, 0))
        return Example(inputs, labels, *_read_context(Features.FromString(data[start:end])))
    except DecodeError:
        return None


def _regular_inputs(data: bytes, start: int, end: int) -> NDArray[np.float32] | None:
    """[T, D] of a FeatureList whose features have the same bytes around their floats; else None."""
    floats_start, row_end = start, end
    for field in (_FEATURE, _FLOAT_LIST, _LIST_VALUE):
        first = next(_fields(data, floats_start, row_end), None)
        if first is None or first[0] != field or (field != _FEATURE and first[2] != row_end):
            return None
        _, floats_start, row_end = first
    row_size, prefix_size = row_end - start, floats_start - start
    if (end - start) % row_size or (row_end - floats_start) % 4:
        return None
    rows = np.frombuffer(data, np.uint8, end - start, start).reshape(-1, row_size)
    if (rows[:, :prefix_size] != rows[0, :prefix_size]).any():
        return None
    return rows[:, prefix_size:].copy().view("<f4").astype(np.float32, copy=False)


def _regular_labels(data: bytes, start: int, end: int) -> NDArray[np.int64] | None:
    """[T] of a FeatureList of labels of one byte each; else None."""
    row_size = len(_LABEL_PREFIX) + 1
    if (end - start) % row_size:
        return None
    rows = np.frombuffer(data, np.uint8, end - start, start).reshape(-1, row_size)
    if (rows[:, :-1] != _LABEL_PREFIX).any() or (rows[:, -1] >= _MORE).any():
        return None
    return rows[:, -1].astype(np.int64)


def _map(data: bytes, start: int, end: int) -> dict[str, tuple[int, int]] | None:
    """Where the value of each key is in a message that is a map of messages; None if that is not clear."""
    places: dict[str, tuple[int, int]] = {}
    for field, entry_start, entry_end in _fields(data, start, end):
        entry = _message(data, entry_start, entry_end) if field == _MAP_ENTRY else None
        if entry is None or entry.keys() != {_KEY, _VALUE}:
            return None
        key_start, key_end = entry[_KEY]
        key = data[key_start:key_end].decode(errors="replace")
        if key in places:
            return None
        places[key] = entry[_VALUE]
    return places


def _message(data: bytes, start: int, end: int) -> dict[int, tuple[int, int]] | None:
    """Where each field is in a message; None if one comes twice or is cut off."""
    places: dict[int, tuple[int, int]] = {}
    for field, field_start, field_end in _fields(data, start, end):
        if field in places or field < 0:
            return None
        places[field] = field_start, field_end
    return places


def _fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each length-delimited field; a last number of -1 where there is anything else."""
    while start < end:
        tag = data[start]
        size, size_end = read_varint(data, start + 1, end)
        # Our field numbers are below 16 and so fit in one byte with the wire type.
        if tag & 7 != _LENGTH_DELIMITED or tag >= _MORE or size < 0 or size > end - size_end:
            yield -1, start, end
            return
        start = size_end + size
        yield tag >> 3, size_end, start


def _read_any(data: bytes) -> Example:
    """Read a record by protobuf, whatever its layout."""
    try:
        message = SequenceExample.FromString(data)
    except DecodeError:
        raise FormatError("a record is not a SequenceExample; was it made by `ostinato dataset`?") from None
    lists = message.feature_lists.feature_list
    for name in (_INPUTS, _LABELS):
        if name not in lists:
            raise FormatError(f"a SequenceExample has no feature list '{name}', only: {', '.join(sorted(lists))}")
    rows = []
    for step, feature in enumerate(lists[_INPUTS].feature):
        if feature.WhichOneof("kind") != "float_list":
            raise FormatError(f"the inputs of a SequenceExample are not floats at step {step}")
        rows.append(np.array(feature.float_list.value, np.float32))
        if len(rows[-1]) != len(rows[0]):
            raise FormatError(
                f"the inputs of a SequenceExample are ragged: {len(rows[0])} values at step 0, "
                f"{len(rows[-1])} at step {step}"
            )
    inputs = np.stack(rows) if rows else np.zeros((0, 0), np.float32)
    return Example(inputs, _any_labels(lists[_LABELS]), *_read_context(message.context))


def _any_labels(labels: FeatureList) -> NDArray[np.int64]:
    values = []
    for step, feature in enumerate(labels.feature):
        if len(feature.int64_list.value) != 1:
            raise FormatError(f"the labels of a SequenceExample are not a single integer at step {step}")
        values.append(feature.int64_list.value[0])
    return np.array(values, np.int64)


def _read_context(
    context: Features,
) -> tuple[NDArray[np.int64] | None, int | None, tuple[int, int] | None, bool, tuple[tuple[int, str], ...]]:
    """Events, steps per bar and meter, each None if they are not there in our form; whether it ends, and its chords."""

    def feature(key: str) -> Feature:
        return context.feature[key] if key in context.feature else Feature()

    def integers(key: str) -> Sequence[int]:
        return feature(key).int64_list.value

    events, steps_per_bar, meter = integers(_EVENTS), integers(_STEPS_PER_BAR), integers(_METER)
    names = [name.decode(errors="replace") for name in feature(_CHORDS).bytes_list.value]
    return (
        np.array(events, np.int64) if events else None,
        steps_per_bar[0] if len(steps_per_bar) == 1 else None,
        (meter[0], meter[1]) if len(meter) == 2 else None,
        list(integers(_ENDS)) == [1],
        tuple(zip(integers(_CHORD_STEPS), names, strict=False)),
    )
