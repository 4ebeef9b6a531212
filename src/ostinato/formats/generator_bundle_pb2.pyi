from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GeneratorDetails(_message.Message):
    __slots__ = ("id", "description")
    ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    id: str
    description: str
    def __init__(self, id: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class GeneratorBundle(_message.Message):
    __slots__ = ("generator_details", "checkpoint_file", "metagraph_file", "bundle_details")
    class BundleDetails(_message.Message):
        __slots__ = ("description",)
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        description: str
        def __init__(self, description: _Optional[str] = ...) -> None: ...
    GENERATOR_DETAILS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FILE_FIELD_NUMBER: _ClassVar[int]
    METAGRAPH_FILE_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    generator_details: GeneratorDetails
    checkpoint_file: _containers.RepeatedScalarFieldContainer[bytes]
    metagraph_file: bytes
    bundle_details: GeneratorBundle.BundleDetails
    def __init__(self, generator_details: _Optional[_Union[GeneratorDetails, _Mapping]] = ..., checkpoint_file: _Optional[_Iterable[bytes]] = ..., metagraph_file: _Optional[bytes] = ..., bundle_details: _Optional[_Union[GeneratorBundle.BundleDetails, _Mapping]] = ...) -> None: ...
