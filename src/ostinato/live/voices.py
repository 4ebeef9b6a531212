"""What sounds on the output, so that nothing is left sounding."""

import logging
from collections.abc import Callable
from enum import Enum

from ostinato.live.messages import Control, channel_of, control_change, note_off, note_on

_log = logging.getLogger(__name__)

Send = Callable[[bytes], None]


class Voice(Enum):
    """Who plays."""

    PLAYER = "call"
    MODEL = "response"
    METRONOME = "click"


class Voices:
    """The voices that share an output.

    A pitch sounds once on a channel: who plays it anew ends the note before,
    and the other's note-off, when it comes, ends nothing more.

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
        """End a note, if it is this voice that sounds it."""
        if self._sounding.get((channel, pitch)) is voice:
            self._end(channel, pitch)

    def send(self, message: bytes) -> None:
        """Send a channel message that starts and ends no note."""
        self._channels.add(channel_of(message))
        self._send(message)

    def panic(self) -> None:
        """End every note, then silence every channel that was used, whatever goes wrong on the way.

        Raises:
            KeyboardInterrupt: or whatever else was no mere error, after all else was done.
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
