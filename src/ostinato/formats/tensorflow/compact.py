"""Compact records: a melody as one record, of which training makes the inputs and labels itself.

A record is a tf.train.Example, which on the wire is also a SequenceExample with a context and nothing else:

| feature       | kind            | what                                                                 |
|---------------|-----------------|----------------------------------------------------------------------|
| `version`     | int64_list of 1 | of this table: 1                                                     |
| `events`      | bytes_list of 1 | a byte for each event: 0 no event, 1 note-off, a pitch and 2         |
| `meter`       | int64_list of 2 | numerator and denominator                                            |
| `ends`        | int64_list of 1 | 1 if the tune's end is to be predicted after the last event; else 0   |
| `encoding`    | bytes_list of 1 | JSON: for which encoding's range and key, and with which settings    |
| `chords`      | bytes_list      | their names, in the melody's key; missing if the encoding tells none |
| `chord_steps` | int64_list      | the step at which each begins                                        |

It takes a byte a step, where the wide form (`sequence_example`) takes four for each input.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from ostinato.errors import FormatError
from ostinato.formats.tensorflow.tensorflow_pb2 import Feature, SequenceExample
from ostinato.formats.wire import read_varint

VERSION = 1
LOWEST_EVENT = -2
"""The event that the byte 0 stands for."""
_NUM_EVENTS = 130  # no event, note-off and 128 pitches

_FEATURES_TAG = 0x0A  # field 1, of an Example the features, of a SequenceExample the context


@dataclass(frozen=True, slots=True)
class CompactRecord:
    """A melody in the range and key of an encoding.

    Attributes:
        events: a byte for each, the event and 2.
        meter: numerator and denominator.
        ends: whether the tune's end is to be predicted after the last event.
        encoding: JSON of the encoding.
        chords: beside the melody, as (step, name).
    """

    events: bytes
    meter: tuple[int, int]
    ends: bool
    encoding: str
    chords: tuple[tuple[int, str], ...] = ()


def serialize_compact(record: CompactRecord) -> bytes:
    """The bytes of a compact record, always the same for the same melody."""
    message = SequenceExample()
    features = message.context.feature
    features["version"].int64_list.value.append(VERSION)
    features["events"].bytes_list.value.append(record.events)
    features["meter"].int64_list.value.extend(record.meter)
    features["ends"].int64_list.value.append(int(record.ends))
    features["encoding"].bytes_list.value.append(record.encoding.encode())
    if record.chords:
        features["chords"].bytes_list.value.extend(name.encode() for _, name in record.chords)
        features["chord_steps"].int64_list.value.extend(step for step, _ in record.chords)
    return message.SerializeToString(deterministic=True)


def parse_compact(data: bytes) -> CompactRecord | None:
    """Read a compact record.

    Args:
        data: the bytes of one record of any kind.

    Returns:
        None if it is of another kind.

    Raises:
        FormatError: if it is of a later version, or damaged.
    """
    # The wide form, which is large, has more than one field: it need not be read to know that.
    size, start = read_varint(data, 1, len(data))
    if data[:1] != bytes([_FEATURES_TAG]) or size != len(data) - start:
        return None
    try:
        features = SequenceExample.FromString(data).context.feature
    except DecodeError:
        return None
    if "version" not in features:
        return None
    version = list(features["version"].int64_list.value)
    if version != [VERSION]:
        raise FormatError(
            f"a compact record has version {', '.join(map(str, version))}, but this Ostinato reads {VERSION}; "
            "get a newer one, or build the data set again"
        )

    def only(values: Sequence[bytes]) -> bytes:
        (value,) = values
        return value

    def feature(name: str) -> Feature:
        return features[name] if name in features else Feature()

    try:
        events = only(feature("events").bytes_list.value)
        numerator, denominator = feature("meter").int64_list.value
        (ends,) = feature("ends").int64_list.value
        # Thousands of records name the same one.
        encoding = sys.intern(only(feature("encoding").bytes_list.value).decode())
        names = [name.decode() for name in feature("chords").bytes_list.value]
        chords = tuple(zip(feature("chord_steps").int64_list.value, names, strict=True))
    except ValueError:
        raise FormatError(
            "a compact record lacks one of events, meter, ends, encoding, the steps of chords; build it again"
        ) from None
    if max(events, default=0) >= _NUM_EVENTS:
        raise FormatError(
            f"a compact record has an event of {max(events)}, above {_NUM_EVENTS - 1}; build the data set again"
        )
    return CompactRecord(events, (numerator, denominator), bool(ends), encoding, chords)
