"""Damaged files: what of them is read, and what is said of it."""

import gzip
import itertools
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midi_files import END, NOTE, check_sound, midi, spans
from ostinato.errors import FormatError
from ostinato.formats import Remark
from ostinato.formats.midi.events import MAX_FILE_BYTES
from ostinato.formats.midi.reader import midi_to_note_sequence, note_sequence_records
from ostinato.formats.midi.repair import repair

D = "00 90 3e 40 83 60 80 3e 00"  # D, as long as the C that is NOTE
TWO = [(60, 0.0, 0.5), (62, 0.5, 1.0)]


def read(data: bytes) -> tuple[list[tuple[int, float, float]], list[str]]:
    """Its notes, and the remarks as name and sentence."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        notes = spans(data)
    remarks = [warning.message for warning in caught]
    return notes, [f"{remark.name}: {remark}" for remark in remarks if isinstance(remark, Remark)]


# The first event of the first track is at byte 22.
MALFORMED = "malformed events: a malformed event, at byte 31; the rest is used"


@pytest.mark.parametrize(
    "event",
    [
        "00 b0 07 ff",  # a control change
        "00 b0 80 00",
        "00 c0 ff",  # a program change
        "00 e0 00 80",  # a pitch bend
        "00 a0 3c ff",  # pressure
        "00 d0 ff",
        "00 90 ff 40",  # a note of no pitch
        "00 80 ff 40",
    ],
)
def test_an_event_of_an_impossible_value_is_left_out(event: str) -> None:
    assert read(midi(NOTE + event + D + END)) == (TWO, [MALFORMED])


def test_the_time_before_an_event_that_is_left_out_goes_to_the_next() -> None:
    # After a quarter a bad control change, and D begins after another; it ran on from C's note-off.
    notes, _ = read(midi(NOTE + "83 60 b0 07 ff" + "83 60 90 3e 40 83 60 3e 00" + END))
    assert notes == [(60, 0.0, 0.5), (62, 1.5, 2.0)]


def test_a_status_runs_on_over_an_event_that_is_left_out() -> None:
    notes, _ = read(midi("00 90 ff 40" + "00 3c 40" + "00 3d 40" + "83 60 3c 00" + "00 3d 00" + END))
    assert notes == [(60, 0.0, 0.5), (61, 0.0, 0.5)]


def test_an_impossible_velocity_is_the_loudest() -> None:
    with pytest.warns(Remark, match="at byte 22"):
        (note,) = midi_to_note_sequence(midi("00 90 3c ff 83 60 80 3c ff" + END)).notes
    assert (note.pitch, note.velocity, note.start_time, note.end_time) == (60, 127, 0.0, 0.5)


def test_malformed_events_are_counted() -> None:
    _, remarks = read(midi(NOTE + "00 b0 07 ff" + "00 b0 07 fe" + D + END))
    assert remarks == ["malformed events: 2 malformed events, the first at byte 31; the rest is used"]


def test_a_file_cut_off_gives_what_was_complete() -> None:
    data = midi(NOTE + D + END)  # 44 bytes: C ends at byte 31, D at 40
    cut = "cut off: the file ends inside track 1, at byte {}; everything before that is used"
    for size in range(31, 40):
        place = 35 if size >= 35 else 31
        place = size if size in (31, 35) else place
        assert read(data[:size]) == (TWO[:1], [cut.format(place)]), size
    assert read(data[:40]) == (TWO, [cut.format(40)])
    for size in range(31):
        with pytest.raises(FormatError, match=r"empty|missing|cut off"):
            midi_to_note_sequence(data[:size])


def test_a_file_cut_off_in_a_later_track_keeps_the_earlier() -> None:
    data = midi(NOTE + END, D + END, D + END)
    notes, remarks = read(data[:49])  # the second track begins at byte 43, D ends from byte 47 to 52
    assert notes == TWO[:1]
    assert remarks == [
        "missing tracks: 3 tracks are declared, but only 2 are there",
        "cut off: the file ends inside track 2, at byte 47; everything before that is used",
    ]


def test_a_track_that_goes_wrong_keeps_what_came_before_and_the_other_tracks() -> None:
    data = midi(NOTE + "00 f4" + D + END, "83 60" + D[3:] + END)
    assert read(data) == (
        TWO,
        ["damaged track: the bytes make no sense in track 1, at byte 31; everything before that is used"],
    )


def test_what_is_out_of_step_before_a_fault_is_no_music() -> None:
    # A bad value, a note that comes of it, and then the fault: all is taken back to the bad value.
    data = midi(NOTE + "00 b0 07 ff" + D + "00 f4" + END)
    assert read(data) == (
        TWO[:1],
        ["damaged track: the bytes make no sense in track 1, at byte 31; everything before that is used"],
    )
    # Twenty events later it has nothing to do with it.
    notes, remarks = read(midi(NOTE + "00 b0 07 ff" + D + "00 b0 07 40" * 20 + "00 f4" + END))
    assert notes == TWO
    assert [remark.split(":")[0] for remark in remarks] == ["damaged track", "malformed events"]


@pytest.mark.parametrize(
    "data",
    [
        midi(NOTE + D + END + "00"),  # stray bytes after a track's end
        midi(NOTE + D + END + "00 00 00 ff ff"),
        midi(NOTE + D + END)[:18] + (9999).to_bytes(4) + midi(NOTE + D + END)[22:],  # lengths too great,
        midi(NOTE + D + END)[:18] + (10).to_bytes(4) + midi(NOTE + D + END)[22:],  # too small,
        midi(NOTE + D + END)[:18] + bytes(4) + midi(NOTE + D + END)[22:],  # none
        midi(NOTE + D + END, declared=0),
        midi(NOTE + D + END, division=480).replace(b"\0\0\0\6", b"\0\0\0\2", 1),
        midi(NOTE + D + END, division=480).replace(b"\0\0\0\6", b"\xff\0\0\6", 1),
        midi(NOTE + D + END, END).replace(b"MTrk\0\0\0\4", b"stray bytes MTrk\0\0\0\4"),
        midi(END, NOTE + D + END).replace(b"\0\0\0\4", b"\0\0\1\4", 1),  # one that swallows the next
        midi(NOTE + "00 f0 03 7e 09 f7" + "00 90 3e 40 83 60 3e 00" + END + "00"),
        gzip.compress(midi(NOTE + D + END), mtime=0),
    ],
    ids=itertools.count(),
)
def test_what_loses_nothing_needs_no_remark(data: bytes) -> None:
    assert read(data) == (TWO, [])


def test_more_tracks_declared_than_there_are() -> None:
    assert read(midi(NOTE + D + END, declared=3)) == (
        TWO,
        ["missing tracks: 3 tracks are declared, but only 1 are there"],
    )


def test_tracks_beyond_the_declared_are_left_out_as_magenta_does_and_named() -> None:
    assert read(midi(NOTE + END, D + END, declared=1)) == (
        TWO[:1],
        ["undeclared tracks: 1 tracks beyond those that the header declares are left out"],
    )


@pytest.mark.parametrize(
    ("message", "malformed"),
    [
        ("00 f0 03 7e 09 f7", False),  # sound, but what comes after it has no status
        ("00 f0 7e 7f 09 01 f7", True),  # its length left out: 7e is taken as one
        ("00 f0 05 7e 09", True),  # its end left out
    ],
)
def test_system_exclusive_messages(message: str, malformed: bool) -> None:
    notes, remarks = read(midi(NOTE + message + D + END))
    assert notes == TWO
    assert remarks == ([MALFORMED] if malformed else [])


def test_a_status_runs_on_over_a_system_message() -> None:
    assert read(midi("00 90 3c 40 00 f0 01 f7 83 60 3c 00 00 3e 40 83 60 3e 00" + END)) == (TWO, [])


def test_a_missing_first_status_is_a_note_on() -> None:
    notes, remarks = read(midi("00 3c 40 83 60 3c 00" + "00 3e 40 83 60 3e 00" + END))
    assert notes == TWO
    assert remarks == ["malformed events: a malformed event, at byte 22; the rest is used"]


@pytest.mark.parametrize(
    ("division", "ticks", "seconds"),
    [
        (0xE728, "87 68", 1.0),  # 25 frames of 40 ticks: 1,000 ticks are a second
        (0xE801, "18", 1.0),  # 24 of 1
        (0xE701, "19", 1.0),  # 25 of 1, which halves do not divide
        (0xE350, "92 60", 1.001),  # 29.97 of 80: 2,400 ticks
    ],
)
def test_smpte_time(division: int, ticks: str, seconds: float) -> None:
    tempo = "00 ff 51 03 03 d0 90"  # means nothing in SMPTE time
    data = midi(tempo + "00 90 3c 40" + ticks + "80 3c 00" + END, division=division)
    ((pitch, start, end),), remarks = read(data)
    assert (pitch, start) == (60, 0.0)
    assert end == pytest.approx(seconds)
    assert [remark.split(":")[0] for remark in remarks] == ["no beats"]


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(FormatError, match="MThd, is missing"):
        midi_to_note_sequence(gzip.compress(midi(NOTE)[:4] + bytes(10 * MAX_FILE_BYTES)))
    with pytest.raises(FormatError, match="compressed with gzip, and damaged"):
        repair(b"\x1f\x8b" + bytes(100))


BYTES = st.lists(
    st.sampled_from([bytes.fromhex(each) for each in (NOTE, D, END, "00 b0 07 ff", "00 f0 02 90", "00 f4", "90", "00")])
    | st.binary(max_size=8),
    max_size=20,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(BYTES, min_size=1, max_size=3), st.integers(0, 200))
def test_whatever_is_repaired_is_sound(tracks: list[bytes], cut: int) -> None:
    whole = midi(*(track.hex() for track in tracks))
    for data in (whole, whole[:-cut]):
        check_sound(*note_sequence_records([data]))
        try:
            repaired, _ = repair(data)
        except FormatError:
            continue
        # A repaired file is read without another repair, if there is anything in it.
        (again,) = note_sequence_records([repaired])
        assert not isinstance(again, FormatError) or "no events" in str(again)
        assert repair(repaired) == (repaired, [])


@given(st.lists(st.sampled_from([NOTE, D, "00 c0 05", "00 ff 01 01 78", "83 60 b0 07 40"]), max_size=10))
def test_a_sound_file_is_repaired_to_itself(events: list[str]) -> None:
    data = midi("".join(events) + END, END)
    assert repair(data) == (data, [])
