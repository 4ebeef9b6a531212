"""The MIDI channel messages that a session hears and sends, as their bytes.

| first byte          | then              | meaning                         |
|---------------------|-------------------|---------------------------------|
| 0x80 + channel      | pitch, velocity   | note-off                        |
| 0x90 + channel      | pitch, velocity   | note-on; of velocity 0 note-off |
| 0xB0 + channel      | control, value    | control change                  |
| 0xC0 + channel      | program           | program change                  |
| 0xA0, 0xD0, 0xE0    |                   | aftertouch, pitch bend          |
| 0xF0 and above      |                   | no channel message              |

Channels are counted from 0 here, and from 1 where people read them.
"""

from enum import IntEnum


class Kind(IntEnum):
    """What a message is: its first byte without the channel."""

    NOTE_OFF = 0x80
    NOTE_ON = 0x90
    CONTROL = 0xB0
    PROGRAM = 0xC0
    SYSTEM = 0xF0


class Control(IntEnum):
    """Controls that have to do with notes going on sounding."""

    SUSTAIN = 64
    ALL_SOUND_OFF = 120
    ALL_NOTES_OFF = 123


CHANNELS = 16
DRUM_CHANNEL = 9


def note_on(channel: int, pitch: int, velocity: int) -> bytes:
    """A note starts."""
    return bytes((Kind.NOTE_ON + channel, pitch, velocity))


def note_off(channel: int, pitch: int) -> bytes:
    """A note ends."""
    return bytes((Kind.NOTE_OFF + channel, pitch, 0))


def control_change(channel: int, control: int, value: int) -> bytes:
    """A knob or pedal moves."""
    return bytes((Kind.CONTROL + channel, control, value))


def program_change(channel: int, program: int) -> bytes:
    """The channel plays another instrument from here on."""
    return bytes((Kind.PROGRAM + channel, program))


def is_channel_message(message: bytes) -> bool:
    """Whether the message speaks to one channel: neither clock nor system message."""
    return message[0] < Kind.SYSTEM


def kind(message: bytes) -> int:
    """The first byte without the channel; a note-on of velocity 0 is a note-off."""
    found = message[0] & 0xF0
    return Kind.NOTE_OFF if found == Kind.NOTE_ON and message[2] == 0 else found


def channel_of(message: bytes) -> int:
    """The channel, 0..15, of a channel message."""
    return message[0] & 0x0F


def ends_all_notes(message: bytes) -> bool:
    """Whether it is a control change after which no note of its channel is held.

    All sound off, all notes off, and the four changes of mode that imply the latter.
    """
    control = message[1] if kind(message) == Kind.CONTROL else 0
    return control == Control.ALL_SOUND_OFF or control >= Control.ALL_NOTES_OFF
