"""What sounds on the output, so that nothing is left sounding, and the MIDI messages that say so.

A channel message is a few bytes:

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

import logging
from collections.abc import Callable
from enum import Enum, IntEnum


class Kind(IntEnum):
    """What a message is: its first byte without the channel."""

    NOTE_OFF = 0x80
    NOTE_ON = 0x90
    CONTROL = 0xB0
    PROGRAM = 0xC0
    SYSTEM = 0xF0


class Control(IntEnum):
    """Controls that affect whether notes go on sounding."""

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


_log = logging.getLogger(__name__)

Send = Callable[[bytes], None]


class Voice(Enum):
    """Who plays."""

    PLAYER = "call"
    MODEL = "response"
    METRONOME = "click"


class Voices:
    """The voices that share an output.

    A pitch sounds once on a channel: a voice that plays it again ends the note
    before, and the other voice's note-off, when it comes, ends nothing.

    Args:
        send: puts a channel message on the output; may raise.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sounding: dict[tuple[int, int], Voice] = {}
        self._channels: set[int] = set()

    def start(self, voice: Voice, channel: int, pitch: int, velocity: int) -> None:
        """Start a note."""
        if (channel, pitch) in self._sounding:
            self._end(channel, pitch)
        # Before it is sent: what may sound is ended, even if sending fails halfway.
        self._sounding[channel, pitch] = voice
        self.send(note_on(channel, pitch, velocity))

    def end(self, voice: Voice, channel: int, pitch: int) -> None:
        """End a note, if it is this voice that is playing it."""
        if self._sounding.get((channel, pitch)) is voice:
            self._end(channel, pitch)

    def send(self, message: bytes) -> None:
        """Send a channel message that starts and ends no note."""
        self._channels.add(channel_of(message))
        self._send(message)

    def panic(self) -> None:
        """End every note, then silence every channel that was used, even if something goes wrong on the way.

        Raises:
            KeyboardInterrupt: or anything else that is not an Exception, after everything else is done.
        """
        messages = [note_off(*note) for note in self._sounding]
        for channel in sorted(self._channels):
            messages += [
                control_change(channel, Control.SUSTAIN, 0),
                control_change(channel, Control.ALL_NOTES_OFF, 0),
                control_change(channel, Control.ALL_SOUND_OFF, 0),
            ]
        errors: list[BaseException] = []
        unsent = messages
        for _ in range(2):  # what hindered one message may be over
            unsent = [message for message in unsent if not self._is_sent(message, errors)]
        self._sounding.clear()
        if unsent:
            _log.warning("%d messages that end notes could not be sent: %s", len(unsent), errors[-1])
        for error in errors:
            if not isinstance(error, Exception):
                raise error

    def _is_sent(self, message: bytes, errors: list[BaseException]) -> bool:
        try:
            self._send(message)
        except BaseException as error:
            errors.append(error)
            return False
        return True

    def _end(self, channel: int, pitch: int) -> None:
        self.send(note_off(channel, pitch))
        # After it was sent: until then it may sound.
        del self._sounding[channel, pitch]
