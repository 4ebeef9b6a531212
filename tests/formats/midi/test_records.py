"""Whole records, by hand and by what Magenta makes of real files."""

import hashlib
import json
import random
from pathlib import Path

import golden_files
from midi_files import END, midi
from ostinato.errors import FormatError
from ostinato.formats.midi.records import Identity, note_sequence_records
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
        assert found[name] == sequence.SerializeToString(deterministic=True), name
    hashes = {line["file"]: line["proto_sha256"] for line in golden_files.json_lines(golden / "notesequences.jsonl.gz")}
    for name, digest in hashes.items():
        record_or_error = found[name]
        assert isinstance(record_or_error, bytes)
        assert hashlib.sha256(record_or_error).hexdigest() == digest, name


def test_a_file_reads_the_same_alone_and_among_others(golden: Path) -> None:
    _, files, identities = read_golden(golden)
    together = note_sequence_records(files, identities)
    for file, identity, record in zip(files, identities, together, strict=True):
        (alone,) = note_sequence_records([file], [identity])
        assert str(alone) == str(record)


# Files that Magenta skips, and that are read here; see the table in records.
READ_ON_PURPOSE = {
    "keysig_flats9.mid",
    "keysig_mode255.mid",
    "leading_junk.mid",
    "ntrks_more_than_present.mid",
    "riff_rmid.mid",
    "tempo_zero.mid",
    "timesig_denominator_2e40.mid",
    "timesig_numerator_zero.mid",
    "track_len_too_long.mid",
    "unknown_chunk_before_track.mid",
}


def test_bad_input_as_magenta_takes_it(golden_public: Path) -> None:
    folder = golden_public / "bad_inputs"
    read_on_purpose = set()
    for case in json.loads((folder / "midi_results.json").read_text()):
        (record,) = note_sequence_records([(folder / "midi" / case["file"]).read_bytes()])
        if case["result"] != "converted":
            if isinstance(record, bytes):
                read_on_purpose.add(case["file"])
            continue
        assert isinstance(record, bytes), case["file"]
        sequence = NoteSequence.FromString(record)
        assert [
            [note.pitch, note.velocity, note.start_time, note.end_time, note.instrument, note.program, note.is_drum]
            for note in sequence.notes
        ] == case["note_list"], case["file"]
        assert sequence.total_time == case["total_time"]
        assert sequence.ticks_per_quarter == case["tpq"]
        assert [[tempo.time, tempo.qpm] for tempo in sequence.tempos] == case["tempos"]
        metres = [[metre.time, metre.numerator, metre.denominator] for metre in sequence.time_signatures]
        assert metres == case["time_signatures"]
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
    (record,) = note_sequence_records([data], [Identity("i", "f", "c")])
    half = "000000000000e03f"
    assert record == bytes.fromhex(
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
        for record in note_sequence_records(batch):
            check_sound(record)
            converted += isinstance(record, bytes)
    assert 40 < converted < 400


def check_sound(record: bytes | FormatError) -> None:
    """Whatever was read must be a canonical NoteSequence with possible notes."""
    if isinstance(record, FormatError):
        assert str(record)
        return
    sequence = NoteSequence.FromString(record)
    assert sequence.SerializeToString(deterministic=True) == record
    for note in sequence.notes:
        assert 0 <= note.pitch < 128
        assert 0 < note.velocity < 128
        assert 0 <= note.start_time < note.end_time <= sequence.total_time
