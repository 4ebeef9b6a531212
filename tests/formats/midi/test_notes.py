"""The rules of pretty_midi, by hand-made files."""

from hypothesis import given, settings
from hypothesis import strategies as st

from midi_files import END, midi, notes
from ostinato.formats.midi.reader import midi_to_note_sequence


def test_one_note_off_closes_all_open_notes_of_its_pitch() -> None:
    data = midi("00 90 3c 4083 60 90 3c 5083 60 80 3c 0083 60 80 3c 00" + END)
    assert [(note[1], *note[2:4]) for note in notes(data)] == [(0x40, 0.0, 1.0), (0x50, 0.5, 1.0)]


def test_a_note_begun_on_the_tick_of_a_note_off_goes_on_if_that_closed_another() -> None:
    data = midi("00 90 3c 4083 60 90 3c 5000 80 3c 0083 60 80 3c 00" + END)
    assert [(note[1], *note[2:4]) for note in notes(data)] == [(0x40, 0.0, 0.5), (0x50, 0.5, 1.0)]


def test_notes_without_length_or_end_vanish() -> None:
    assert notes(midi("00 90 3c 4000 80 3c 0083 60 80 3c 0000 90 3e 40" + END)) == []


def test_instruments_are_numbered_by_their_first_note_end() -> None:
    data = midi(
        "00 c0 0700 99 24 4000 90 3c 4083 60 80 3c 0083 60 89 24 00" + END,
        "00 90 40 4083 60 80 40 0000 c0 0800 90 41 4083 60 80 41 00" + END,
    )
    assert [(note[0], *note[4:]) for note in notes(data)] == [
        (0x3C, 0, 7, False),
        (0x24, 1, 0, True),
        (0x40, 2, 0, False),
        (0x41, 3, 8, False),
    ]


def test_a_note_belongs_to_the_program_it_ends_under() -> None:
    assert notes(midi("00 90 3c 4000 c0 0983 60 80 3c 00" + END))[0][5] == 9


def test_controls_before_the_first_note_are_shared_by_the_channels_instruments() -> None:
    data = midi(
        "00 b0 07 10"  # before any note: kept for the channel
        "00 90 3c 40"
        "83 60 80 3c 00"  # program 0 gets the list
        "00 c0 05"
        "00 b0 07 20"  # program 5 has no note yet: the same list
        "00 90 3e 40"
        "83 60 80 3e 00"
        "00 e0 00 60" + END  # bend up, now program 5's, so everyone's
    )
    sequence = midi_to_note_sequence(data)
    controls = [(c.time, c.control_number, c.control_value, c.instrument, c.program) for c in sequence.control_changes]
    assert controls == [(0.0, 7, 16, 0, 0), (0.5, 7, 32, 0, 0), (0.0, 7, 16, 1, 5), (0.5, 7, 32, 1, 5)]
    bends = [(bend.time, bend.bend, bend.instrument, bend.program) for bend in sequence.pitch_bends]
    assert bends == [(1.0, 4096, 0, 0), (1.0, 4096, 1, 5)]


def test_controls_after_the_first_note_are_the_instruments_own() -> None:
    data = midi(
        "00 90 3c 40"
        "83 60 80 3c 00"
        "00 b0 07 10"  # program 0's own
        "00 c0 05"
        "00 90 3e 40"
        "83 60 80 3e 00"
        "00 b0 07 20" + END  # program 5's own
    )
    controls = midi_to_note_sequence(data).control_changes
    assert [(c.control_value, c.instrument) for c in controls] == [(16, 0), (32, 1)]


EVENT = st.one_of(
    st.tuples(
        st.integers(0, 300), st.sampled_from([0x80, 0x90]), st.integers(0, 1), st.integers(59, 61), st.integers(0, 2)
    ),
    st.tuples(st.integers(0, 300), st.just(0xC0), st.integers(0, 1), st.integers(0, 2), st.just(-1)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENT, max_size=60))
def test_pairing_is_pretty_midis_rule_taken_note_by_note(events: list[tuple[int, int, int, int, int]]) -> None:
    """The arrays' pairing against the rule as it is told, on few pitches and many coincidences."""
    body = b""
    tick = 0
    still_open: dict[tuple[int, int], list[tuple[int, int]]] = {}
    programs = [0, 0]
    instruments: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
    for delta, status, channel, data1, data2 in events:
        delta = 0 if delta < 100 else delta
        tick += delta
        body += bytes(([] if delta < 128 else [0x80 | delta >> 7]) + [delta & 0x7F, status | channel, data1])
        if status == 0xC0:
            programs[channel] = data1
            continue
        body += bytes([data2])
        key = (channel, data1)
        if status == 0x90 and data2 > 0:
            still_open.setdefault(key, []).append((tick, data2))
            continue
        closing = [(start, velocity) for start, velocity in still_open.get(key, []) if start != tick]
        keeping = [(start, velocity) for start, velocity in still_open.get(key, []) if start == tick]
        for start, velocity in closing:
            instruments.setdefault((channel, programs[channel]), []).append((data1, velocity, start, tick))
        still_open[key] = keeping if closing else []
    expected = [
        (pitch, velocity, start * scale, end * scale, number, program, False)
        for scale in [60.0 / (120.0 * 480)]
        for number, ((_, program), theirs) in enumerate(instruments.items())
        for pitch, velocity, start, end in theirs
    ]
    if body:
        assert notes(midi(body.hex())) == expected
