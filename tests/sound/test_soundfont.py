import contextlib
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import DataError, FormatError, MissingExtraError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.melody import Melody
from ostinato.sound.soundfont import TAIL_SECONDS, checked_presets, synthesize_with
from soundfonts import sine_soundfont

RATE = 44_100
MELODY = Melody([69, -2, -2, -2, -1, -2, -2, -2]).to_note_sequence()  # A4 for half a second, a rest as long


@pytest.fixture
def soundfont(tmp_path: Path) -> Path:
    pytest.importorskip("tinysoundfont")
    path = tmp_path / "sine.sf2"
    path.write_bytes(sine_soundfont())
    return path


def test_the_soundfont_is_played(soundfont: Path) -> None:
    sound = synthesize_with(soundfont, MELODY)
    assert sound.shape == (round((1 + TAIL_SECONDS) * RATE), 2)
    assert np.abs(sound).max() == pytest.approx(10 ** (-1 / 20), abs=1e-4)
    size = 1 << 20
    held = sound[2_000:20_000, 0]
    found = np.abs(np.fft.rfft(held * np.hanning(len(held)), size)).argmax() * RATE / size
    assert abs(1200 * np.log2(found / 441.0)) < 1
    assert np.abs(sound[RATE:]).max() < 1e-3
    np.testing.assert_array_equal(sound, synthesize_with(soundfont, MELODY))


def test_an_instrument_that_it_lacks(soundfont: Path) -> None:
    with pytest.raises(DataError, match=r"sine\.sf2: has no instrument for program 40 \(bank 0\)"):
        synthesize_with(soundfont, Melody([60]).to_note_sequence(program=40))
    drums = NoteSequence()
    drums.notes.add(pitch=38, velocity=100, end_time=1.0, is_drum=True)
    with pytest.raises(DataError, match=r"has no drums \(bank 128\)"):
        synthesize_with(soundfont, drums)
    soundfont.write_bytes(sine_soundfont(bank=128))
    assert synthesize_with(soundfont, drums).any()


def test_more_instruments_than_midi_has_channels(soundfont: Path) -> None:
    sequence = NoteSequence()
    for instrument in range(40):
        sequence.notes.add(
            pitch=69, velocity=100, start_time=instrument, end_time=instrument + 0.5, instrument=instrument
        )
    sound = synthesize_with(soundfont, sequence)
    assert all(np.abs(sound[second * RATE : (second + 1) * RATE]).max() > 0.5 for second in range(40))


def test_what_is_no_soundfont_is_named(soundfont: Path) -> None:
    soundfont.write_bytes(b"music")
    with pytest.raises(FormatError, match=r"sine\.sf2: not a SoundFont"):
        synthesize_with(soundfont, MELODY)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("tinysoundfont")
    with pytest.raises(DataError, match=r"none\.sf2: cannot be read: No such file"):
        synthesize_with(tmp_path / "none.sf2", MELODY)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tinysoundfont", None)
    with pytest.raises(MissingExtraError, match="pip install --no-deps tinysoundfont"):
        synthesize_with(tmp_path / "a.sf2", MELODY)


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
        (_place(b"phdr") - 8, b"PHDR", "the table phdr is missing, cut off or empty"),
        (_place(b"smpl") - 4, b"\xff\xff\xff\x7f", "the chunk 'smpl' is cut off"),
        (_place(b"phdr") + 24, b"\x09", "the table phdr points outside pbag"),
        (_place(b"pbag") + 4, b"\x09", "the table pbag points outside pgen"),
        (_place(b"pgen") + 2, b"\x01", "the table pgen points outside inst"),
        (_place(b"inst") + 20, b"\x02", "the table inst points outside ibag"),
        (_place(b"ibag") + 2, b"\x02", "the table ibag points outside imod"),
        (_place(b"igen") + 6, b"\x01", "the table igen points outside shdr"),
        (_place(b"shdr") + 24, struct.pack("<I", 20_047), "a sample is outside the recorded sound"),
        (_place(b"shdr") + 32, struct.pack("<I", 99_999), "a sample is outside the recorded sound"),
        (_place(b"shdr") + 36, bytes(4), "a sample has an impossible sample rate"),
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
