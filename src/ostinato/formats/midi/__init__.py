"""Standard MIDI files to NoteSequences and back; here is what reading and writing share."""

META = 0xFF
TEXT = 0x01
TRACK_NAME = 0x03
MARKER = 0x06
SET_TEMPO = 0x51
TIME_SIGNATURE = 0x58
KEY_SIGNATURE = 0x59

DEFAULT_QPM = 120.0
MICROSECONDS_PER_MINUTE = 6e7


def variable_length(value: int) -> bytes:
    """A variable-length quantity: seven bits per byte, the highest first."""
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))
