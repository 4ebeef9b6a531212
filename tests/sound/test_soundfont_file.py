import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import FormatError
from ostinato.sound.soundfont_file import checked_presets
from soundfonts import sine_soundfont

WHOLE = sine_soundfont(bank=128, preset=7)


def _place(tag: bytes) -> int:
    """Where the body of a chunk begins."""
    return WHOLE.index(tag) + 8


def test_the_presets_are_found() -> None:
    assert checked_presets(WHOLE) == {(128, 7)}
    assert checked_presets(sine_soundfont()) == {(0, 0)}


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, b"RIFX", "its header, RIFF with sfbk, is missing"),
        (_place(b"phdr") - 8, b"PHDR", "the table phdr is missing, cut or empty"),
        (_place(b"smpl") - 4, b"\xff\xff\xff\x7f", "the chunk 'smpl' is longer than what is there of it"),
        (_place(b"phdr") + 24, b"\x09", "the table phdr points outside of pbag"),
        (_place(b"pbag") + 4, b"\x09", "the table pbag points outside of pgen"),
        (_place(b"pgen") + 2, b"\x01", "the table pgen points outside of inst"),
        (_place(b"inst") + 20, b"\x02", "the table inst points outside of ibag"),
        (_place(b"ibag") + 2, b"\x02", "the table ibag points outside of imod"),
        (_place(b"igen") + 6, b"\x01", "the table igen points outside of shdr"),
        (_place(b"shdr") + 24, struct.pack("<I", 20_047), "a sample lies outside of the recorded sound"),
        (_place(b"shdr") + 32, struct.pack("<I", 99_999), "a sample lies outside of the recorded sound"),
        (_place(b"shdr") + 36, bytes(4), "a sample has no sample rate that can be"),
        (_place(b"shdr") + 44, b"\x11", "its samples are compressed"),
    ],
)
def test_what_is_damaged_is_named(place: int, value: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        checked_presets(WHOLE[:place] + value + WHOLE[place + len(value) :])


def test_a_file_that_is_cut_short() -> None:
    for length in [*range(60), len(WHOLE) // 2, len(WHOLE) - 1]:
        with pytest.raises(FormatError):
            checked_presets(WHOLE[:length])


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 255)), min_size=1, max_size=4))
def test_nothing_but_format_errors(changes: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for from_end, octet in changes:
        data[-from_end] = octet
    with contextlib.suppress(FormatError):
        checked_presets(bytes(data))
