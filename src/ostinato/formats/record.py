"""What every reader of music files is given, and what it gives: a name, records, and remarks."""

from collections.abc import Sequence
from dataclasses import dataclass

from ostinato.errors import FormatError


@dataclass(frozen=True, slots=True)
class Identity:
    """What a NoteSequence is called.

    Attributes:
        id: "/id/midi/<collection>/<SHA-1 of the file name>".
        filename: relative to the folder of the collection, with forward slashes.
        collection_name: the folder's name.
    """

    id: str = ""
    filename: str = ""
    collection_name: str = ""


class Remark(UserWarning):
    """What there is to say of a file that was read all the same.

    `str` gives the sentence. A reader that gives records hands it over beside them; one that gives a NoteSequence
    issues it as a warning.

    Attributes:
        name: what it is counted under, such as "cut off".
        text: one sentence with the place and what was done about it.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)  # both, for a remark travels between processes
        self.name = name
        self.text = text

    def __str__(self) -> str:
        return self.text


# Of one file, for each piece in it the record or why it cannot be read, and remarks; or why there is nothing.
Converted = Sequence[bytes | FormatError | Remark] | FormatError
