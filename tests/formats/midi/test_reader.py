"""Whole records, by hand and by what Magenta makes of real files; the rules of pretty_midi, by hand-made files."""

import hashlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import golden_files
from midi_files import END, NOTE, check_sound, midi, notes, record_of
from ostinato.errors import DataError, FormatError
from ostinato.formats import Identity
from ostinato.formats.midi.reader import midi_to_note_sequence, note_sequence_records, read_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.tensorflow.tfrecord import read_records


def read_golden(folder: Path) -> tuple[list[str], list[bytes], list[Identity]]:
    corpora = folder / "corpora"
    paths = sorted(path for path in corpora.rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    names = [path.relative_to(corpora).as_posix() for path in paths]
    identities = [
        Identity(f"/id/midi/corpora/{hashlib.sha1(name.encode()).hexdigest()}", name, "corpora") for name in names
    ]
    return names, [path.read_bytes() for path in paths], identities


def test_records_are_magentas_byte_for_byte(golden: Path) -> None:
    names, files, identities = read_golden(golden)
    expected = {
        NoteSequence.FromString(record).filename: record for record in read_records(golden / "notesequences.tfrecord")
    }
    assert expected
    found = dict(zip(names, note_sequence_records(files, identities), strict=True))
    for name, record in expected.items():
        sequence = NoteSequence.FromString(record)
        assert record_of(found[name]) == sequence.SerializeToString(deterministic=True), name
    hashes = {line["file"]: line["proto_sha256"] for line in golden_files.json_lines(golden / "notesequences.jsonl.gz")}
    for name, digest in hashes.items():
        assert hashlib.sha256(record_of(found[name])).hexdigest() == digest, name


def test_a_file_reads_the_same_alone_and_among_others(golden: Path) -> None:
    _, files, identities = read_golden(golden)
    together = note_sequence_records(files, identities)
    for file, identity, converted in zip(files, identities, together, strict=True):
        (alone,) = note_sequence_records([file], [identity])
        assert str(alone) == str(converted)


# Files that Magenta skips, and that are read here; see the table in reader.
READ_ON_PURPOSE = {
    "data_byte_ge_128.mid",
    "huge_delta.mid",
    "keysig_flats9.mid",
    "keysig_mode255.mid",
    "leading_junk.mid",
    "ntrks_more_than_present.mid",
    "riff_rmid.mid",
    "running_status_no_status.mid",
    "smpte_division.mid",
    "sysex_unterminated.mid",
    "tempo_zero.mid",
    "timesig_denominator_2e40.mid",
    "timesig_numerator_zero.mid",
    "track_len_too_long.mid",
    "track_len_too_short.mid",
    "truncated_half.mid",
    "truncated_last4.mid",
    "unknown_chunk_before_track.mid",
}


def test_bad_input_as_magenta_takes_it(golden_public: Path) -> None:
    folder = golden_public / "bad_inputs"
    read_on_purpose = set()
    for case in json.loads((folder / "midi_results.json").read_text()):
        (converted,) = note_sequence_records([(folder / "midi" / case["file"]).read_bytes()])
        if case["result"] != "converted":
            if not isinstance(converted, FormatError):
                read_on_purpose.add(case["file"])
            continue
        sequence = NoteSequence.FromString(record_of(converted))
        assert [
            [note.pitch, note.velocity, note.start_time, note.end_time, note.instrument, note.program, note.is_drum]
            for note in sequence.notes
        ] == case["note_list"], case["file"]
        assert sequence.total_time == case["total_time"]
        assert sequence.ticks_per_quarter == case["tpq"]
        assert [[tempo.time, tempo.qpm] for tempo in sequence.tempos] == case["tempos"]
        meters = [[meter.time, meter.numerator, meter.denominator] for meter in sequence.time_signatures]
        assert meters == case["time_signatures"]
        keys = [[key.time, key.key, key.mode] for key in sequence.key_signatures]
        assert keys == case["key_signatures"]
    assert read_on_purpose == READ_ON_PURPOSE


def test_exact_bytes_of_a_record() -> None:
    data = midi(
        "00 ff 51 03 07 a1 20"  # 500,000 microseconds a quarter: 120 quarters a minute
        "00 ff 58 04 03 02 18 08"  # 3/4
        "00 ff 59 02 ff 01"  # one flat, minor: D minor
        "00 90 3c 64"  # middle C, velocity 100
        "83 60 80 3c 00" + END  # 480 ticks later: 0.5 s
    )
    (converted,) = note_sequence_records([data], [Identity("i", "f", "c")])
    half = "000000000000e03f"
    assert record_of(converted) == bytes.fromhex(
        "0a0169 120166 1a0163"  # id, filename, collection_name
        "20e003"  # 480 ticks a quarter
        "2a04 1003 1804"  # 3/4 at 0 s
        "3204 1002 1801"  # D, minor
        f"3a09 11 {'0000000000005e40'}"  # 120
        f"420d 083c 1064 21 {half}"
        f"49 {half}"
        "6a04 1003 1802"  # MIDI, read as pretty_midi reads
    )


def test_no_files_give_no_records() -> None:
    assert note_sequence_records([]) == []


def test_damaged_files(golden: Path) -> None:
    _, files, _ = read_golden(golden)
    rng = random.Random(20)
    converted = 0
    for _ in range(40):
        batch = []
        for _ in range(10):
            octets = bytearray(rng.choice(files))
            for _ in range(rng.randint(1, 3)):
                if octets:
                    octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
            batch.append(bytes(octets[: rng.choice((len(octets), len(octets), rng.randint(0, len(octets))))]))
        for found in note_sequence_records(batch):
            check_sound(found)
            converted += not isinstance(found, FormatError)
    assert 100 < converted < 400


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


def test_files(tmp_path: Path) -> None:
    (tmp_path / "tune.mid").write_bytes(midi(NOTE + END))
    assert [note.pitch for note in read_midi(tmp_path / "tune.mid").notes] == [60]
    (tmp_path / "bad.mid").write_bytes(b"bad")
    with pytest.raises(FormatError, match=r"bad\.mid: not a MIDI file"):
        read_midi(tmp_path / "bad.mid")
    with pytest.raises(DataError, match=r"none\.mid: cannot be read: No such file"):
        read_midi(tmp_path / "none.mid")


def _text(kind: int, text: str) -> str:
    return f"ff {kind:02x} {len(text.encode()):02x} {text.encode().hex()}"


def _chords(data: bytes) -> list[tuple[float, str]]:
    """The chords of a file at 120 quarters a minute, by quarters."""
    texts = midi_to_note_sequence(data).text_annotations
    assert all(text.annotation_type == text.CHORD_SYMBOL for text in texts)
    return [(2 * text.time, text.text) for text in texts]


def test_texts_and_markers_that_are_chords_are_read() -> None:
    quarter = "83 60"
    texts = f"00 {_text(1, 'C')} {quarter} {_text(1, 'Am7 ')} {quarter} {_text(1, 'H°')} {END}"
    markers = f"00 {_text(6, 'A')} {quarter} {_text(6, 'B')} {END}"
    assert _chords(midi(texts, NOTE + END)) == [(0.0, "C"), (1.0, "Am7"), (2.0, "H°")]
    # Rehearsal marks are no chords; nor do they change what the texts are.
    assert _chords(midi(markers, NOTE + END)) == []
    assert _chords(midi(texts, markers, NOTE + END)) == [(0.0, "C"), (1.0, "Am7"), (2.0, "H°")]
    # Nor are words of which a few could be one, lyrics, and the name of a track.
    words = " ".join(f"00 {_text(1, word)}" for word in ("Am", "I", "to", "go"))
    assert _chords(midi(f"{words} {END}", NOTE + END)) == []
    assert _chords(midi(f"00 {_text(5, 'Am')} 00 {_text(3, 'G7')} {END}", NOTE + END)) == []


def test_bytes_that_are_no_text_are_no_chord() -> None:
    assert _chords(midi(f"00 ff 01 02 c3 28 00 {_text(1, 'Am')} {END}", NOTE + END)) == [(0.0, "Am")]
    assert _chords(midi(f"00 ff 01 00 00 ff 06 00 {END}", NOTE + END)) == []
