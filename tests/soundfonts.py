"""A SoundFont written by hand: one preset, whose instrument is a sine of 441 Hz at key 69."""

import math
import struct

_RATE = 44_100
_PERIOD = 100  # samples: 441 Hz
_LENGTH = 20_000


def sine_soundfont(*, bank: int = 0, preset: int = 0) -> bytes:
    """The bytes of an .sf2 file of version 2.1."""
    sine = struct.pack(f"<{_LENGTH}h", *(round(20_000 * math.sin(2 * math.pi * i / _PERIOD)) for i in range(_LENGTH)))
    info = _chunk(b"ifil", struct.pack("<HH", 2, 1)) + _chunk(b"isng", b"EMU8000\0") + _chunk(b"INAM", b"Sine\0\0")
    end_generator = bytes(4)
    hydra = [
        # Name, preset, bank, first bag; a terminal record ends each list.
        (b"phdr", _header(b"Sine", preset, bank, 0) + _header(b"EOP", 0, 0, 1)),
        (b"pbag", struct.pack("<4H", 0, 0, 1, 0)),
        (b"pmod", bytes(10)),
        (b"pgen", struct.pack("<2H", 41, 0) + end_generator),  # 41: instrument 0
        (b"inst", struct.pack("<20sH20sH", b"Sine", 0, b"EOI", 1)),
        (b"ibag", struct.pack("<4H", 0, 0, 2, 0)),
        (b"imod", bytes(10)),
        (b"igen", struct.pack("<4H", 54, 1, 53, 0) + end_generator),  # 54: looped, 53: sample 0
        (b"shdr", _sample(b"Sine", _LENGTH) + _sample(b"EOS", 0)),
    ]
    return _chunk(
        b"RIFF",
        b"sfbk"
        + _chunk(b"LIST", b"INFO" + info)
        + _chunk(b"LIST", b"sdta" + _chunk(b"smpl", sine + bytes(2 * 46)))  # 46 silent samples end each
        + _chunk(b"LIST", b"pdta" + b"".join(_chunk(tag, data) for tag, data in hydra)),
    )


def _chunk(tag: bytes, data: bytes) -> bytes:
    return tag + struct.pack("<I", len(data)) + data


def _header(name: bytes, preset: int, bank: int, bag: int) -> bytes:
    return struct.pack("<20sHHHIII", name, preset, bank, bag, 0, 0, 0)


def _sample(name: bytes, length: int) -> bytes:
    loop = (10 * _PERIOD, 190 * _PERIOD) if length else (0, 0)
    return struct.pack("<20s5IBbHH", name, 0, length, *loop, _RATE, 69, 0, 0, 1)
