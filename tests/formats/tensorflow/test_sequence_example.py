import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import golden_files
from ostinato.errors import FormatError
from ostinato.formats.tensorflow.sequence_example import Example, parse_sequence_example, serialize_sequence_example
from ostinato.formats.tensorflow.tensorflow_pb2 import Feature, FeatureList, FloatList, Int64List, SequenceExample
from ostinato.formats.tensorflow.tfrecord import read_records


def floats(*values: float) -> Feature:
    return Feature(float_list=FloatList(value=values))


def integers(*values: int) -> Feature:
    return Feature(int64_list=Int64List(value=values))


def record(inputs: list[Feature], labels: list[Feature]) -> bytes:
    message = SequenceExample()
    message.feature_lists.feature_list["inputs"].CopyFrom(FeatureList(feature=inputs))
    message.feature_lists.feature_list["labels"].CopyFrom(FeatureList(feature=labels))
    return message.SerializeToString(deterministic=True)


def assert_equal(example: Example, other: Example) -> None:
    np.testing.assert_array_equal(example.inputs, other.inputs, strict=True)
    np.testing.assert_array_equal(example.labels, other.labels, strict=True)
    assert (example.events is None) == (other.events is None)
    if example.events is not None and other.events is not None:
        np.testing.assert_array_equal(example.events, other.events, strict=True)
    assert (example.steps_per_bar, example.meter, example.ends) == (other.steps_per_bar, other.meter, other.ends)
    assert example.chords == other.chords


def test_exact_bytes() -> None:
    example = Example(np.array([[1, 0], [-1, 2]], np.float32), np.array([3, 0]), np.array([60, -2, 62]), 12)
    assert serialize_sequence_example(example) == bytes.fromhex(
        "0a 34"  # context, 52 bytes
        "  0a 1a"  # an entry of the map
        "    0a 06 65 76 65 6e 74 73"  # its key, "events"
        "    12 10 1a 0e 0a 0c"  # its value, a Feature with an int64_list of 12 bytes
        "      3c  fe ff ff ff ff ff ff ff ff 01  3e"  # 60, -2, 62
        "  0a 16"
        "    0a 0d 73 74 65 70 73 5f 70 65 72 5f 62 61 72"  # "steps_per_bar"
        "    12 05 1a 03 0a 01 0c"  # 12
        "12 42"  # feature_lists, 66 bytes
        "  0a 26"
        "    0a 06 69 6e 70 75 74 73"  # "inputs"
        "    12 1c"  # a FeatureList of 28 bytes
        "      0a 0c 12 0a 0a 08  00 00 80 3f 00 00 00 00"  # a Feature with a float_list: 1, 0
        "      0a 0c 12 0a 0a 08  00 00 80 bf 00 00 00 40"  # -1, 2
        "  0a 18"
        "    0a 06 6c 61 62 65 6c 73"  # "labels"
        "    12 0e"
        "      0a 05 1a 03 0a 01 03"  # a Feature with an int64_list: 3
        "      0a 05 1a 03 0a 01 00"
    )


@settings(max_examples=50)
@given(
    inputs=arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=70),
        elements=st.floats(width=32, allow_nan=False),
    ),
    first_label=st.sampled_from([0, 100, 127, 128, 300, 2**40]),
    first_event=st.none() | st.integers(-2, 127),
    meter=st.none() | st.sampled_from([(6, 8), (12, 16)]),
    ends=st.booleans(),
    chords=st.sampled_from([(), ((0, "C"),), ((3, "Bbmaj7/D"), (300, "N.C."))]),
)
def test_protobuf_and_we_read_back_what_we_write(
    inputs: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    first_label: int,
    first_event: int | None,
    meter: tuple[int, int] | None,
    ends: bool,
    chords: tuple[tuple[int, str], ...],
) -> None:
    labels = np.arange(first_label, first_label + len(inputs))
    events = None if first_event is None else np.array([first_event, *([-2] * len(inputs))])
    example = Example(inputs, labels, events, None if events is None else 12, meter, ends, chords)
    data = serialize_sequence_example(example)
    assert_equal(parse_sequence_example(data), example)
    message = SequenceExample.FromString(data)
    lists = message.feature_lists.feature_list
    assert [list(step.float_list.value) for step in lists["inputs"].feature] == inputs.tolist()
    assert [list(step.int64_list.value) for step in lists["labels"].feature] == labels[:, None].tolist()
    told = message.context.feature
    names = [] if events is None else ["events", "steps_per_bar"]
    names += ["chords", "chord_steps"] if chords else []
    assert sorted(told) == sorted([*names, *(["meter"] if meter else []), *(["ends"] if ends else [])])
    assert [name.decode() for name in told["chords"].bytes_list.value] == [name for _, name in chords]
    assert list(told["chord_steps"].int64_list.value) == [step for step, _ in chords]
    if events is not None:
        assert list(told["events"].int64_list.value) == events.tolist()
        assert list(told["steps_per_bar"].int64_list.value) == [12]
    # Protobuf may lay the same record out in another order.
    assert_equal(parse_sequence_example(message.SerializeToString()), example)


@pytest.mark.parametrize("config", ["basic_rnn", "mono_rnn", "lookback_rnn", "attention_rnn"])
def test_the_records_of_magenta(golden_public: Path, tmp_path: Path, config: str) -> None:
    path = tmp_path / "records"
    path.write_bytes(gzip.decompress((golden_public / f"seqex_first3_{config}.tfrecord.gz").read_bytes()))
    records = list(read_records(path))
    lines = golden_files.json_lines(golden_public / f"melodies_{config}.jsonl.gz")[:3]
    for data, line in zip(records, lines, strict=True):
        example = parse_sequence_example(data)
        assert example.labels.tolist() == line["labels"]
        assert example.inputs.shape == (len(line["labels"]), line["input_size"])
        assert (example.events, example.steps_per_bar) == (None, None)
        lists = SequenceExample.FromString(data).feature_lists.feature_list
        assert example.inputs.tolist() == [list(step.float_list.value) for step in lists["inputs"].feature]
        # The same record of ours says the same to protobuf.
        assert SequenceExample.FromString(serialize_sequence_example(example)) == SequenceExample.FromString(data)


def test_other_layouts_are_read_too() -> None:
    expected = Example(np.array([[1, 2], [3, 4]], np.float32), np.array([5, 6]))
    plain = record([floats(1, 2), floats(3, 4)], [integers(5), integers(6)])
    assert_equal(parse_sequence_example(plain), expected)
    # Floats and integers one by one instead of packed: field 1 as fixed32 is 0x0d, as varint 0x08.
    unpacked_floats = bytes.fromhex("0a0c 120a 0d0000803f 0d00000040 0a0c 120a 0d00004040 0d00008040")
    unpacked_integers = bytes.fromhex("0a04 1a02 0805 0a04 1a02 0806")
    entries = b"".join(
        b"\x0a" + bytes([len(entry)]) + entry
        for entry in (
            b"\x0a\x06labels\x12" + bytes([len(unpacked_integers)]) + unpacked_integers,
            b"\x0a\x06inputs\x12" + bytes([len(unpacked_floats)]) + unpacked_floats,
        )
    )
    assert_equal(parse_sequence_example(b"\x12" + bytes([len(entries)]) + entries), expected)
    # A later feature_lists is merged into an earlier one.
    labels_only = SequenceExample()
    labels_only.feature_lists.feature_list["labels"].feature.append(integers(5))
    inputs_only = SequenceExample()
    inputs_only.feature_lists.feature_list["inputs"].feature.append(floats(1, 2))
    both = labels_only.SerializeToString() + inputs_only.SerializeToString()
    assert_equal(parse_sequence_example(both), Example(np.array([[1, 2]], np.float32), np.array([5])))


def test_a_context_of_another_kind_is_passed_over() -> None:
    message = SequenceExample.FromString(record([floats(1)], [integers(2)]))
    message.context.feature["events"].bytes_list.value.append(b"a concert")
    message.context.feature["steps_per_bar"].int64_list.value.extend([12, 16])
    example = parse_sequence_example(message.SerializeToString())
    assert (example.events, example.steps_per_bar) == (None, None)


def test_a_melody_of_one_event_has_no_steps() -> None:
    example = Example(np.zeros((0, 121), np.float32), np.zeros(0, np.int64), np.array([60]), 16)
    read = parse_sequence_example(serialize_sequence_example(example))
    assert (read.inputs.shape, read.labels.shape) == ((0, 0), (0,))
    assert read.events is not None
    assert read.events.tolist() == [60]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x00\x01\x02", "not a SequenceExample"),
        (record([floats(1)], [integers(1)])[:-1], "not a SequenceExample"),
        (b"", "no feature list 'inputs'"),
        (SequenceExample().SerializeToString(), "no feature list 'inputs'"),
        (record([floats(1, 2), floats(3)], [integers(1), integers(2)]), "ragged: 2 values at step 0, 1 at step 1"),
        (record([floats(1), floats(3)], [integers(1)]), "2 inputs but 1 labels"),
        (record([floats(1), integers(3)], [integers(1), integers(2)]), "not floats at step 1"),
        (record([floats(1), floats(2)], [integers(1), integers(2, 3)]), "not a single integer at step 1"),
        (record([floats(1)], [floats(1)]), "not a single integer at step 0"),
    ],
)
def test_what_is_refused_and_why(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_sequence_example(data)


def test_a_list_that_is_missing_is_named_with_those_there_are() -> None:
    message = SequenceExample()
    message.feature_lists.feature_list["inputs"].feature.append(floats(1))
    with pytest.raises(FormatError, match="no feature list 'labels', only: inputs"):
        parse_sequence_example(message.SerializeToString())


@settings(max_examples=300)
@given(st.data())
def test_damaged_bytes_are_read_as_protobuf_does_or_refused(data: st.DataObject) -> None:
    good = serialize_sequence_example(
        Example(np.ones((3, 2), np.float32), np.array([1, 2, 3]), np.array([60, -2, 62, -1]), 16)
    )
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, len(good)) | st.just(len(good))) :]
    try:
        example = parse_sequence_example(bytes(damaged))
    except FormatError:
        return
    message = SequenceExample.FromString(bytes(damaged))
    lists = message.feature_lists.feature_list
    rows = [list(step.float_list.value) for step in lists["inputs"].feature]
    np.testing.assert_array_equal(
        example.inputs.reshape(len(rows), -1), np.array(rows, np.float32).reshape(len(rows), -1)
    )
    assert example.labels[:, None].tolist() == [list(step.int64_list.value) for step in lists["labels"].feature]
