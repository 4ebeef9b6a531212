"""Which bytes are events, and which are no MIDI file; tempo, meter, key and names."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midi_files import END, NOTE, check_sound, midi, notes, spans
from ostinato.errors import FormatError
from ostinato.formats.midi.events import MAX_FILE_BYTES
from ostinato.formats.midi.reader import midi_to_note_sequence, note_sequence_records


def test_a_note_on_of_velocity_0_is_a_note_off_and_status_runs_on() -> None:
    assert spans(midi("00 90 3c 4083 60 3c 0000 3e 4083 60 3e 00" + END)) == [(60, 0.0, 0.5), (62, 0.5, 1.0)]


def test_running_status_of_one_data_byte() -> None:
    # Program change, then another running on from it, then notes: the last program counts.
    assert notes(midi("00 c0 0500 0600 90 3c 4083 60 80 3c 00" + END))[0][5] == 6


def test_a_meta_event_keeps_the_running_status() -> None:
    assert spans(midi("00 90 3c 4000 ff 01 01 7883 60 3c 00" + END)) == [(60, 0.0, 0.5)]


PLAIN = [(60, 0.0, 0.5)]


@pytest.mark.parametrize(
    "data",
    [
        midi(NOTE + END) + b"trailing junk",
        b"junk" + midi(NOTE + END),
        bytes(128) + midi(NOTE + END),
        bytes(1000) + midi(NOTE + END),
        midi("00 ff 51 03 00 00 00" + NOTE + END),
        midi("00 ff 51 01 07" + NOTE + END),
        midi("00 ff 58 04 00 02 18 08" + NOTE + END),
        midi("00 ff 58 04 04 20 18 08" + NOTE + END),
        midi("00 ff 59 02 02 ff" + NOTE + END),
        midi("00 ff 59 02 08 00" + NOTE + END),
        midi("00 f0 03 7e 90 f7" + NOTE + END),
        midi("", NOTE + END),
        midi(NOTE),
        midi("00 f8 00 f3 01 00 f2 01 02" + NOTE + END),
        midi(NOTE + END)[:14] + b"XFIH\0\0\0\2ab" + midi(NOTE + END)[14:],
    ],
    ids=str,
)
def test_oddities_that_are_read(data: bytes) -> None:
    assert spans(data) == PLAIN
    assert len(midi_to_note_sequence(data).tempos) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"hello", "MThd, is missing"),
        (bytes(4096), "MThd, is missing"),
        (midi(NOTE + END)[:12], "cut off in its header"),
        (midi(NOTE + END)[:26], "cut off in a track, at byte 14"),
        (midi(END, NOTE + END)[:26], "2 tracks are declared, but only 1 are there, at byte 26"),
        (midi(NOTE + END, division=0), "0 ticks per quarter note, at byte 12"),
        (midi(END, division=0xE728), "SMPTE frames, which have no beats, at byte 12"),
        (midi(NOTE + END, division=0xE700), "SMPTE frames, which have no beats, at byte 12"),
        (midi(NOTE + END, division=0xC828), "SMPTE frames, which have no beats, at byte 12"),
        (midi(END, declared=0), "no tracks, at byte 10"),
        (midi(""), "no events"),
        (midi("00 90 3c 80" + END), "there is a status byte where a data byte must be, at byte 23"),
        (midi("00 c0 80" + END), "there is a status byte where a data byte must be, at byte 23"),
        (midi("00 3c 40"), "there is a data byte where a status byte must be, at byte 23"),
        (midi("00 f0 01 f7 00 3c 40" + END), "there is a data byte where a status byte must be, at byte 27"),
        (midi("00 90 3c"), "runs past the end of its track, at byte 23"),
        (midi("00 ff 01 7f 00"), "runs past the end of its track, at byte 23"),
        (midi("00 f4 00" + END), "runs past the end of its track, at byte 23"),
        (midi("00 ff 01 ff ff ff ff 7f 00"), "runs past the end of its track, at byte 23"),
        (midi("ff ff ff ff ff 7f 90 3c 40" + END), "a time of more than"),
        (midi("88 80 80 80 00 90 3c 40" + END), "a time of more than"),
        (midi("ff ff ff ff"), "runs past the end of its track"),
        (midi(NOTE + END) + bytes(MAX_FILE_BYTES), "is too large for a MIDI file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_told(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        midi_to_note_sequence(data)
    # And a sound file beside it is read all the same.
    first, bad, last = note_sequence_records([midi(NOTE + END), data, midi(NOTE + END)])
    assert isinstance(bad, FormatError)
    assert first == last == note_sequence_records([midi(NOTE + END)])[0]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=200).map(bytes.hex), min_size=1, max_size=3))
def test_any_bytes_as_tracks(tracks: list[str]) -> None:
    for record in note_sequence_records([midi(*tracks), midi(NOTE + END), midi(*(track + END for track in tracks))]):
        check_sound(record)


def test_tempo_changes_count_from_the_first_track_only() -> None:
    data = midi(
        "00 ff 51 03 07 a1 2083 60 ff 51 03 0f 42 40" + END,  # 120, and from 480 ticks on 60 quarters a minute
        "00 ff 51 03 03 d0 9000 90 3c 4087 40 80 3c 00" + END,  # 240; a note of 960 ticks
    )
    sequence = midi_to_note_sequence(data)
    assert [(tempo.time, tempo.qpm) for tempo in sequence.tempos] == [(0.0, 120.0), (0.5, 60.0)]
    assert [(note.start_time, note.end_time) for note in sequence.notes] == [(0.0, 1.5)]
    assert sequence.total_time == 1.5


def test_seconds_are_computed_in_the_original_order() -> None:
    # 0.1 + 0.2-like sums: each stretch adds seconds per tick times ticks to the end of the last.
    resolution = 96
    tempos = [(0, 652_173), (100, 333_333), (333, 710_059)]
    data = midi(
        "00 ff 51 03 09 f3 8d64 ff 51 03 05 16 1581 69 ff 51 03 0a d5 ab" + END,
        "83 20 90 3c 4007 80 3c 00" + END,  # 416 to 423 ticks
        division=resolution,
    )
    scales = [60.0 / (6e7 / microseconds * resolution) for _, microseconds in tempos]
    base = 0.0 + scales[0] * 100
    base = base + scales[1] * 233
    assert spans(data) == [(60, base + scales[2] * (416 - 333), base + scales[2] * (423 - 333))]


def test_track_names_name_instruments() -> None:
    data = midi(
        "00 ff 03 03 4f 62 e900 90 3c 4083 60 80 3c 0000 ff 03 01 78" + END,  # Obé, in Latin-1; a later name
        "00 90 3c 4083 60 80 3c 00" + END,
    )
    assert [(info.instrument, info.name) for info in midi_to_note_sequence(data).instrument_infos] == [(0, "Obé")]


def test_meters_and_keys() -> None:
    data = midi(
        "00 ff 58 04 06 03 18 08"
        "00 ff 59 02 02 00"  # 6/8, two sharps: D major
        "83 60 ff 58 02 03 02"
        "00 ff 59 02 fd 01" + END,  # after a quarter 3/4, in two bytes; three flats: C minor
        "00 ff 58 04 07 02 18 0800 ff 59 02 01 00" + END,  # the second track's do not count
    )
    sequence = midi_to_note_sequence(data)
    meters = [(meter.time, meter.numerator, meter.denominator) for meter in sequence.time_signatures]
    assert meters == [(0.0, 6, 8), (0.5, 3, 4)]
    assert [(key.time, key.key, key.mode) for key in sequence.key_signatures] == [(0.0, 2, 0), (0.5, 0, 1)]


def test_tempos_at_the_start_replace_each_other_and_repeated_ones_do_not_count() -> None:
    data = midi(
        "00 ff 51 03 03 d0 90"
        "00 ff 51 03 07 a1 20"  # 240, then 120
        "83 60 ff 51 03 07 a1 20"  # 120 again
        "83 60 ff 51 03 0f 42 40"
        "00 ff 51 03 07 a1 20" + END  # 60 and 120, both at tick 960
    )
    tempos = [(tempo.time, tempo.qpm) for tempo in midi_to_note_sequence(data).tempos]
    assert tempos == [(0.0, 120.0), (1.0, 60.0), (1.0, 120.0)]
