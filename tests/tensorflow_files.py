"""Writes what TensorFlow and Magenta write: checkpoints, graphs, bundles. For tests of what reads them."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from ostinato.formats.generator_bundle_pb2 import GeneratorBundle
from ostinato.formats.tensorflow import tensorflow_pb2 as pb

TABLE_MAGIC = bytes.fromhex("57fb808b247547db")


def varint(value: int) -> bytes:
    """7 bits a byte, the lowest first."""
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def checksum(data: bytes) -> bytes:
    """A masked CRC32C."""
    crc = int(google_crc32c.value(data))
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def block(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A table's block: keys that share what they can with the one before, one restart."""
    data = b""
    last = b""
    for key, value in entries:
        shared = next((i for i, (a, b) in enumerate(zip(last, key, strict=False)) if a != b), min(len(last), len(key)))
        data += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return data + struct.pack("<II", 0, 1)


def with_trailer(contents: bytes, compression: int = 0) -> bytes:
    """A block as it stands in a table."""
    tagged = contents + bytes([compression])
    return tagged + checksum(tagged)


def table(entries: Sequence[tuple[bytes, bytes]], entries_per_block: int = 3) -> bytes:
    """An SSTable of entries whose keys ascend."""
    data = b""
    index = []
    for start in range(0, len(entries), entries_per_block):
        part = entries[start : start + entries_per_block]
        contents = block(part)
        index.append((part[-1][0], varint(len(data)) + varint(len(contents))))
        data += with_trailer(contents)
    return with_index(data, index)


def with_index(data: bytes, index: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Blocks, with an empty metaindex, an index of these entries and a footer after them."""
    handles = b""
    for contents in (block([]), block(index)):
        handles += varint(len(data)) + varint(len(contents))
        data += with_trailer(contents)
    return data + handles.ljust(40, b"\0") + TABLE_MAGIC


def shape_of(sizes: Sequence[int]) -> pb.TensorShapeProto:
    """A shape's message."""
    return pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=size) for size in sizes])


def checkpoint_v1(variables: Mapping[str, NDArray[Any]]) -> bytes:
    """A checkpoint of version 1, each variable in one slice."""
    types = {"f4": pb.DT_FLOAT, "f8": pb.DT_DOUBLE, "i4": pb.DT_INT32, "i8": pb.DT_INT64, "f2": pb.DT_HALF}
    fields = {"f4": "float_val", "f8": "double_val", "i4": "int_val", "i8": "int64_val", "f2": "half_val"}
    meta = pb.SavedTensorSlices()
    entries = []
    for name, array in sorted(variables.items()):
        kind = array.dtype.str[1:]
        whole = pb.TensorSliceProto(extent=[pb.TensorSliceProto.Extent() for _ in array.shape])
        meta.meta.tensor.add(name=name, shape=shape_of(array.shape), type=types[kind], slice=[whole])
        values = array.view(np.uint16) if kind == "f2" else array
        piece = pb.SavedTensorSlices()
        piece.data.name = name
        piece.data.slice.CopyFrom(whole)
        getattr(piece.data.data, fields[kind]).extend(values.ravel().tolist())
        entries.append((b"\0\1" + name.encode(), piece.SerializeToString()))
    return table([(b"", meta.SerializeToString()), *entries])


def graph(state_shapes: Sequence[Sequence[int]]) -> pb.MetaGraphDef:
    """A graph that generates, from an initial state of tensors of these shapes."""
    metagraph = pb.MetaGraphDef()
    for number, sizes in enumerate(state_shapes):
        node = metagraph.graph_def.node.add(name=f"zeros_{number}", op="Fill")
        node.attr["_output_shapes"].list.shape.append(shape_of(sizes))
        metagraph.collection_def["initial_state"].node_list.value.append(f"zeros_{number}:0")
    return metagraph


def magenta_bundle(
    generator: str, variables: Mapping[str, NDArray[Any]], state_shapes: Sequence[Sequence[int]] = ()
) -> GeneratorBundle:
    """A bundle as Magenta writes it."""
    return GeneratorBundle(
        generator_details={"id": generator, "description": f"Melody RNN: {generator}"},
        bundle_details={"description": "as if trained"},
        checkpoint_file=[checkpoint_v1(variables)],
        metagraph_file=graph(state_shapes or [[1, 1]]).SerializeToString(),
    )
