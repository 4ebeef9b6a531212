"""Tempo, metre, key and names."""

from midi_files import END, midi, spans
from ostinato.formats.midi.reader import midi_to_note_sequence


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


def test_metres_and_keys() -> None:
    data = midi(
        "00 ff 58 04 06 03 18 08"
        "00 ff 59 02 02 00"  # 6/8, two sharps: D major
        "83 60 ff 58 02 03 02"
        "00 ff 59 02 fd 01" + END,  # after a quarter 3/4, in two bytes; three flats: C minor
        "00 ff 58 04 07 02 18 0800 ff 59 02 01 00" + END,  # the second track's do not count
    )
    sequence = midi_to_note_sequence(data)
    metres = [(metre.time, metre.numerator, metre.denominator) for metre in sequence.time_signatures]
    assert metres == [(0.0, 6, 8), (0.5, 3, 4)]
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
