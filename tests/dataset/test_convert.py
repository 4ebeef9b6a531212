import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ostinato.dataset.convert import (
    SOURCE_FORMATS,
    NothingConvertedError,
    convert_contents,
    convert_files,
    convert_folder,
    find_files,
    read_music,
)
from ostinato.dataset.report import Remarked, Skipped, endings
from ostinato.errors import DataError, FormatError
from ostinato.formats import Remark
from ostinato.formats.midi.events import MAX_FILE_BYTES
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.scores.musicxml import MAX_XML_BYTES
from ostinato.formats.tensorflow.tfrecord import read_records

# One track, one note: middle C for a quarter note.
TUNE = bytes.fromhex("4d546864 00000006 0000 0001 01e0 4d54726b 0000000d 00 90 3c 64 83 60 80 3c 00 00 ff 2f 00")


CASES = Path(__file__).parent.parent / "cases"


def sequences(path: Path) -> list[NoteSequence]:
    return [NoteSequence.FromString(record) for record in read_records(path)]


@pytest.fixture
def tunes(tmp_path: Path) -> Path:
    folder = tmp_path / "tunes"
    (folder / "deep" / "er").mkdir(parents=True)
    for name in ("b.mid", "A.MIDI", "é.Mid", "deep/a.mid", "deep/er/z.midi"):
        (folder / name).write_bytes(TUNE)
    (folder / "notes.txt").write_text("no music")
    return folder


def test_whole_golden_folder(golden: Path, tmp_path: Path) -> None:
    """Every record that Magenta writes is written, byte for byte, in the order of the paths."""
    output = tmp_path / "out.tfrecord"
    report = convert_folder(golden / "corpora", output, recursive=True, processes=2)
    found = {sequence.filename: sequence for sequence in sequences(output)}
    expected = {sequence.filename: sequence for sequence in sequences(golden / "notesequences.tfrecord")}
    assert list(found) == sorted(found)
    assert {name: found[name] for name in expected} == expected
    assert report.records == report.converted == len(found)
    assert report.files == len(found) + len(report.skipped)


def test_names_ids_and_order(tunes: Path, tmp_path: Path) -> None:
    report = convert_folder(tunes, tmp_path / "out", recursive=True)
    names = ["A.MIDI", "b.mid", "deep/a.mid", "deep/er/z.midi", "é.Mid"]
    found = sequences(tmp_path / "out")
    assert [sequence.filename for sequence in found] == names
    assert {sequence.collection_name for sequence in found} == {"tunes"}
    assert [sequence.id for sequence in found] == [
        "/id/midi/tunes/" + hashlib.sha1(name.encode()).hexdigest() for name in names
    ]
    assert (report.files, report.converted, report.records, report.skipped) == (5, 5, 5, [])


@pytest.mark.parametrize("processes", [1, 2, None])
def test_any_number_of_processes_gives_the_same_file(tunes: Path, tmp_path: Path, processes: int | None) -> None:
    for number in range(100):
        (tunes / f"{number:03}.mid").write_bytes(TUNE[: 21 - number % 3] if number % 10 == 0 else TUNE)
    convert_folder(tunes, tmp_path / "one", recursive=True, processes=1)
    report = convert_folder(tunes, tmp_path / "some", recursive=True, processes=processes)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "some").read_bytes()
    assert (report.files, report.converted, len(report.skipped)) == (105, 95, 10)


def test_without_recursive_only_the_folder_itself(tunes: Path) -> None:
    assert find_files(tunes, recursive=False) == ["A.MIDI", "b.mid", "é.Mid"]


def test_links_are_followed_but_not_in_circles(tunes: Path, tmp_path: Path) -> None:
    (tunes / "deep" / "circle").symlink_to(tunes)
    other = tmp_path / "other"
    other.mkdir()
    (other / "linked.mid").write_bytes(TUNE)
    (tunes / "link").symlink_to(other)
    (tunes / "broken.mid").symlink_to(tmp_path / "none")
    names = find_files(tunes, recursive=True)
    assert names == ["A.MIDI", "b.mid", "broken.mid", "deep/a.mid", "deep/er/z.midi", "link/linked.mid", "é.Mid"]
    report = convert_folder(tunes, tmp_path / "out", recursive=True)
    assert report.skipped == [Skipped("broken.mid", "cannot be read: No such file or directory")]


def test_bad_files_are_named_with_their_reason(tunes: Path, tmp_path: Path) -> None:
    (tunes / "a_cut.mid").write_bytes(TUNE[:24])
    (tunes / "c_text.mid").write_text("no music")
    (tunes / "d_large.mid").write_bytes(TUNE + bytes(MAX_FILE_BYTES))
    report = convert_folder(tunes, tmp_path / "out")
    assert [skipped.filename for skipped in report.skipped] == ["a_cut.mid", "c_text.mid", "d_large.mid"]
    assert "cut off in a track, at byte 14" in report.skipped[0].reason
    assert "not a MIDI file" in report.skipped[1].reason
    assert "is too large" in report.skipped[2].reason
    assert len(sequences(tmp_path / "out")) == 3


def test_a_book_gives_many_records_and_names_the_tunes_it_cannot(tunes: Path, tmp_path: Path) -> None:
    (tunes / "book.abc").write_text("X:1\nK:C\nABc\n\nX:2\nK:C\nz4\n\nX:5\nK:G\nABc\n")
    (tunes / "empty.ABC").write_text("no tune")
    report = convert_folder(tunes, tmp_path / "out")
    assert [sequence.reference_number for sequence in sequences(tmp_path / "out")] == [0, 0, 1, 5, 0]
    assert (report.files, report.converted, report.records) == (5, 4, 5)
    book, empty = report.skipped
    assert (book.filename, empty.filename) == ("book.abc", "empty.ABC")
    assert book.reason.startswith("tune X:2: line 5: ")
    assert empty.reason.startswith("no tune in it")
    assert (book.is_tune, empty.is_tune) == (True, False)
    told = report.to_json("tunes")
    assert (told["files"], told["read"], told["tunes"]) == (5, 4, 5)
    assert [(one["count"], one["what"]) for one in told["left_out"]] == [
        (1, "file that is not MIDI, MusicXML or ABC: 1 .txt"),
        (1, "file that cannot be read"),
        (1, "tune that cannot be read"),
    ]


def test_files_that_are_no_music_are_counted_by_their_ending(tunes: Path, tmp_path: Path) -> None:
    for name in ("a.txt", "b.TXT", "song.mscz", "LICENSE", ".DS_Store"):
        (tunes / name).write_text("words")
    report = convert_folder(tunes, tmp_path / "out")
    assert report.not_read == {".txt": 3, ".mscz": 1, "": 1, ".ds_store": 1}
    assert endings(report.not_read) == "3 .txt, 1 without an extension, 1 .ds_store, 1 .mscz"
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a.txt").write_text("words")
    with pytest.raises(DataError, match=r"or \.abc; there are 1 \.txt; --recursive"):
        convert_folder(tmp_path / "words", tmp_path / "out")


def test_nothing_converted_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "x.mid").write_text("no music")
    (tmp_path / "out").write_bytes(b"earlier")
    with pytest.raises(
        NothingConvertedError, match=r"its only file could not be converted, .* x\.mid: not a MIDI file"
    ) as caught:
        convert_folder(folder, tmp_path / "out")
    assert caught.value.report.files == 1
    assert (tmp_path / "out").read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "out"]


def test_missing_and_empty_folders(tunes: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        convert_folder(tmp_path / "none", tmp_path / "out")
    with pytest.raises(DataError, match="this is a file, not a folder"):
        convert_folder(tunes / "b.mid", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"ends in \.mid or .* or \.abc; --recursive"):
        convert_folder(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(DataError, match=r"ends in \.mid or .* or \.abc$"):
        convert_folder(tmp_path / "empty", tmp_path / "out", recursive=True)


def test_output_that_cannot_be_written(tunes: Path) -> None:
    with pytest.raises(NotADirectoryError) as refused:
        convert_folder(tunes, tunes / "b.mid" / "out")
    assert str(refused.value.filename).startswith(str(tunes / "b.mid"))


def test_progress_is_told(tunes: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    convert_folder(tunes, tmp_path / "out", progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_conversion_is_a_function_of_name_and_bytes(tunes: Path) -> None:
    names = ["b.mid", "none.mid", "deep/a.mid"]
    from_files = convert_files(str(tunes), "tunes", names)
    good, bad = convert_contents("tunes", [("b.mid", TUNE), ("x.MIDI", b"")])
    assert from_files[0] == good
    assert isinstance(from_files[1], FormatError)
    assert isinstance(bad, FormatError)
    assert convert_contents("tunes", []) == []


def test_a_name_that_is_no_text(tunes: Path, tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tunes) + b"/\xff.mid")).write_bytes(TUNE)
    except OSError:
        pytest.skip("this file system wants UTF-8")
    convert_folder(tunes, tmp_path / "out")
    assert sequences(tmp_path / "out")[-1].filename == "\ufffd.mid"


@pytest.mark.slow
def test_ctrl_c_leaves_no_half_file_and_no_process(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    long_tune = TUNE[:14] + b"MTrk" + (9 * 4000 + 4).to_bytes(4) + TUNE[22:31] * 4000 + TUNE[31:]
    (folder / "0.mid").write_bytes(long_tune)
    # So many that no machine is done before the signal comes.
    for number in range(1, 20_000):
        (folder / f"{number}.mid").hardlink_to(folder / "0.mid")
    command = [sys.executable, "-m", "ostinato", "convert", f"--input_dir={folder}", f"--output_file={tmp_path}/out/a"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    while not list((tmp_path / "out").glob(".*.tmp") if (tmp_path / "out").exists() else []):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) != 0
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(ProcessLookupError):  # noqa: PT012 -- on a busy machine they take a moment
        for _ in range(500):
            os.killpg(process.pid, 0)
            time.sleep(0.02)


@pytest.mark.parametrize(("name", "case"), json.loads((CASES / "midi.json").read_text()).items())
def test_damaged_and_oddly_named_midi_files(name: str, case: dict[str, Any], tmp_path: Path) -> None:
    """Their notes, as [pitch, start, length] in quarters; the folders are named after what ails the files."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / Path(name).name).write_bytes((CASES / name).read_bytes())
    report = convert_folder(tmp_path / "in", tmp_path / "out")
    (sequence,) = sequences(tmp_path / "out")
    quarters = sequence.tempos[0].qpm / 60
    found = [
        [note.pitch, note.start_time * quarters, (note.end_time - note.start_time) * quarters]
        for note in sequence.notes
    ]
    assert sorted(found) == [pytest.approx(note) for note in case["notes"]]
    names = {"midi_byte": ["malformed events"], "midi_cut": ["cut off"], "midi_names": []}
    assert [remarked.name for remarked in report.remarked] == names[Path(name).parent.name]


def test_a_file_without_notes_is_converted_and_named(tunes: Path, tmp_path: Path) -> None:
    (tunes / "c.mid").write_bytes(TUNE.replace(b"\x3c\x64", b"\x3c\x00"))
    report = convert_folder(tunes, tmp_path / "out")
    assert (report.files, report.converted, report.records, report.skipped) == (4, 4, 4, [])
    assert report.remarked == [Remarked("c.mid", "no notes", "there are no notes in it")]


def test_music_is_read_by_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "tune.bin"
    for data, pitches in (
        (TUNE, [[60]]),
        (b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + TUNE, [[60]]),
        (b"X:1\nT:a\nK:C\nCE|\n\nX:2\nT:b\nK:G\nF|\n", [[60, 64], [66]]),
        ((CASES / "xml_detail" / "clef.musicxml").read_bytes(), None),
        ((CASES / "mxl" / "no_container.mxl").read_bytes(), None),
    ):
        path.write_bytes(data)
        tunes = read_music(path)
        assert all(tune.filename == str(path) for tune in tunes)
        found = [[note.pitch for note in tune.notes] for tune in tunes]
        assert found == pitches if pitches else found[0]


def test_music_that_is_none_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("Dear Sir")
    with pytest.raises(FormatError, match=r"words\.txt: this is not a MIDI, MusicXML or ABC file"):
        read_music(path)
    with pytest.raises(DataError, match=r"none\.mid: cannot be read: No such file"):
        read_music(tmp_path / "none.mid")
    path = tmp_path / "cut.mid"
    path.write_bytes(b"MThd")
    with pytest.raises(FormatError, match=r"cut\.mid: "):
        read_music(path)


def test_a_tune_of_a_book_that_cannot_be_read_is_a_remark(tmp_path: Path) -> None:
    path = tmp_path / "book.abc"
    path.write_text("X:1\nT:a\nK:C\nCE|\n\nX:2\nT:b\nK:C\nz4|\n")
    with pytest.warns(Remark, match=r"tune X:2: .*; the other tunes are used"):
        assert len(read_music(path)) == 1


def test_a_score_is_as_large_as_its_reader_takes_it() -> None:
    assert SOURCE_FORMATS[".musicxml"].max_bytes == MAX_XML_BYTES
