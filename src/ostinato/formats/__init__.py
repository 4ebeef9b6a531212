"""Bytes to objects and back: MIDI, NoteSequence, TFRecord, SequenceExample, checkpoints.

Nothing here holds a musical opinion.

The modules `*_pb2.py` and `*_pb2.pyi` are generated from the `.proto` beside them
and never edited by hand. After a change of a `.proto`, with grpcio-tools 1.73.1
(protobuf 6.31.0):

    cd src
    python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. $(find ostinato -name '*.proto')
"""
