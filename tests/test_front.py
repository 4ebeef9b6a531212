"""What `import ostinato` offers, as its users meet it."""

import io
import os
import re
import subprocess
import sys
import warnings
import wave
from pathlib import Path
from typing import Any

import pytest

import documents
import ostinato
from note_sequences import add, sequence
from ostinato.errors import DataError, SettingsError
from ostinato.formats import Remark
from ostinato.formats.scores.abc_writer import sheets_to_abc
from ostinato.formats.scores.musicxml_writer import sheet_to_musicxml
from ostinato.music.keys import parse_key
from ostinato.music.notation import notate

PROJECT = Path(__file__).parent.parent
MELODY = ostinato.Melody.from_notes("D4:2 F#4:2 A4:2 d5:6 | C#5:6 A4:6", "6/8")
BOOK = b"X:1\nL:1/4\nK:C\nCDEF|\nX:2\nL:1/4\nK:C\nGABc|\n"


def test_every_name_is_there_and_documented() -> None:
    page = (PROJECT / "docs" / "guides" / "python.md").read_text(encoding="utf-8")
    code = "\n".join(documents.blocks("python", PROJECT / "docs" / "guides" / "python.md"))
    for name in ostinato.__all__:
        assert getattr(ostinato, name) is not None
        assert name in dir(ostinato)
        assert re.search(rf"\b{name}\b", page), f"docs/guides/python.md says nothing about {name}"
        if name not in ("MelodyList", "__version__"):  # which is what others give, and a text
            assert re.search(rf"\bostinato\.{name}\b", code), f"docs/guides/python.md has no example of {name}"


def test_importing_loads_nothing() -> None:
    program = "import sys, ostinato; loaded = [n for n in sys.modules if n.startswith('ostinato.')]; assert not loaded"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_any_music_is_read_from_anywhere(tmp_path: Path) -> None:
    for name in ("tune.mid", "tune.abc", "tune.musicxml"):
        MELODY.write(tmp_path / name, key="D")
        data = (tmp_path / name).read_bytes()
        for source in (tmp_path / name, str(tmp_path / name), data, io.BytesIO(data), MELODY.to_note_sequence()):
            assert ostinato.extract_melodies(ostinato.read(source)) == [MELODY]
    assert ostinato.extract_melodies(ostinato.read(MELODY.to_pretty_midi())) == [MELODY]


def test_midi_is_read_from_anywhere(tmp_path: Path) -> None:
    MELODY.write(tmp_path / "tune.mid")
    data = (tmp_path / "tune.mid").read_bytes()
    for source in (tmp_path / "tune.mid", data, io.BytesIO(data), MELODY.to_note_sequence()):
        assert ostinato.extract_melodies(ostinato.read_midi(source)) == [MELODY]
    with pytest.raises(ostinato.OstinatoError, match="the bytes: "):
        ostinato.read_midi(BOOK)


def test_a_book_is_read_a_tune_at_a_time() -> None:
    assert [note.pitch for note in ostinato.read(BOOK, tune=2).notes] == [67, 69, 71, 72]
    with pytest.raises(DataError, match="the bytes: there are 2 tunes in it; choose one: tune=1 is the first"):
        ostinato.read(BOOK)
    with pytest.raises(DataError, match="there is no tune=3; count from 1 to 2"):
        ostinato.read(BOOK, tune=3)


def test_a_short_melody_and_a_top_line_are_melodies() -> None:
    notes = sequence((60, 0, 4), (64, 4, 8))
    add(notes, (48, 0, 4), (72, 0, 4), (74, 4, 8), instrument=1)
    expected = [[60, -2, -2, -2, 64, -2, -2, -2], [72, -2, -2, -2, 74, -2, -2, -2]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [list(melody) for melody in ostinato.extract_melodies(notes)] == expected


def test_no_melody_says_why() -> None:
    notes = sequence((60, 0, 4), (64, 4, 8))
    with pytest.warns(Remark, match=r"tune\.mid: there is no melody in it: 1 melody shorter than 7 bars \(min_bars\)"):
        assert ostinato.extract_melodies(notes, ostinato.ExtractionSettings()) == []
    with pytest.warns(Remark, match="1 drum track"):
        ostinato.extract_melodies(sequence((35, 0, 4), is_drum=True))
    with pytest.warns(Remark, match="it holds no notes"):
        ostinato.extract_melodies(ostinato.NoteSequence())


def test_models_have_names_that_load() -> None:
    names = ostinato.list_models()
    assert names[0] == "ostinato"
    assert repr(ostinato.load(names[-1])).startswith("<Model mono_rnn, layers of ")
    assert re.fullmatch(r"<Bundle of mono_rnn, [\d,]+ numbers in \d+ arrays>", repr(ostinato.load("mono_rnn").bundle))


def test_generate_needs_no_argument() -> None:
    (melody,) = ostinato.generate()
    assert (len(melody), melody.meter.time_signature) == (128, (4, 4))


def test_a_primer_is_a_melody_or_whatever_says_one(tmp_path: Path) -> None:
    MELODY.write(tmp_path / "tune.mid")
    # Of a book it is the first tune with a melody; a bar of 3/32 is no whole number of 16ths.
    (tmp_path / "book").write_bytes(b"X:1\nM:3/32\nL:1/32\nK:C\nCDE|\n\nX:2\nM:6/8\nK:D\nDFA d3|c3 A3|\n")
    primers: list[Any] = [
        *(MELODY, str(tmp_path / "tune.mid"), tmp_path / "tune.mid", tmp_path / "book", str(tmp_path / "book")),
        *(list(MELODY), "D4:2 F#4:2 A4:2 d5:6 C#5:6 A4:6"),
    ]
    made = [
        ostinato.generate(num_bars=3, primer=primer, meter="6/8", ending=False, seed=0, temperature=0.5)
        for primer in primers
    ]
    assert all(melodies[0][:24] == MELODY.events for melodies in made)
    assert all(melodies == made[0] for melodies in made)
    assert len(made[0][0]) == 36


def test_a_primer_that_is_none_is_told_in_one_line() -> None:
    refused: list[tuple[Any, str]] = [
        ("C4 H4", "note names: 'H4' at character 4"),
        ("none.mid", r"none\.mid: cannot be read"),
        (7, "a melody is a list of events"),
    ]
    for primer, message in refused:
        with pytest.raises(ostinato.OstinatoError, match=message) as error:
            ostinato.generate(primer=primer)
        assert "\n" not in str(error.value)


def test_the_ending_of_a_name_says_how_a_melody_is_written(tmp_path: Path) -> None:
    for name in ("a.mid", "a.abc", "a.musicxml", "a.XML", "a.wav"):
        ostinato.write(MELODY, tmp_path / name, qpm=60, key="D", title="A tune")
    sheet = notate(MELODY, qpm=60, key=parse_key("D"), title="A tune")
    assert (tmp_path / "a.abc").read_text(encoding="utf-8") == sheets_to_abc([sheet])
    assert (tmp_path / "a.musicxml").read_bytes() == (tmp_path / "a.XML").read_bytes() == sheet_to_musicxml(sheet)
    assert ostinato.read(tmp_path / "a.mid").tempos[0].qpm == 60
    with wave.open(str(tmp_path / "a.wav")) as sound:
        assert sound.getnframes() >= 6 * 44_100  # two bars of three quarters
    with pytest.raises(SettingsError, match=r"a\.mp3: a melody is written as \.mid, \.abc, .* not as \.mp3"):
        MELODY.write(tmp_path / "a.mp3")


PROGRAM = """
import io
from pathlib import Path
from typing import Iterator, assert_type

import ostinato

notes = ostinato.read("tune.mid")
assert_type(notes, ostinato.NoteSequence)
assert_type(ostinato.read_midi(io.BytesIO(b"")), ostinato.NoteSequence)
found = ostinato.extract_melodies(notes, ostinato.ExtractionSettings(min_bars=4))
assert_type(found, ostinato.MelodyList)
assert_type(found[0], ostinato.Melody)
assert_type(found[:2], ostinato.MelodyList)
model = ostinato.load("lieder")
assert_type(model, ostinato.Model)
made = model.generate(num_bars=8, primer="C4 D4:2", meter="6/8", key="D", seed=1)
assert_type(made, ostinato.MelodyList)
assert_type(ostinato.generate(primer=Path("tune.mid")), ostinato.MelodyList)
assert_type(model.stream(primer=[60], temperature=1.0), Iterator[int])
assert_type(ostinato.list_models(), list[str])
made[0].write("new.musicxml", qpm=90, key="D", title="New")
ostinato.write(ostinato.Melody([60], meter="3/4"), "new.mid")
ostinato.write_midi(made[0].to_note_sequence(90), "new.mid")
inputs, labels = ostinato.encode("ostinato", made[0])
model.generate(num_bar=8)  # E: Unexpected keyword argument "num_bar"
ostinato.generate(temperature="hot")  # E: incompatible type "str"
"""


def test_a_users_program_is_checked_strictly(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="make test installs it")
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache", "program.py"],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(PROJECT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = PROGRAM.splitlines()
    expected = {number: line.split("# E: ")[1] for number, line in enumerate(lines, 1) if "# E: " in line}
    errors = re.findall(r"^program\.py:(\d+): error: (.*)$", done.stdout, flags=re.MULTILINE)
    assert {int(line) for line, _ in errors} == expected.keys(), done.stdout + done.stderr
    assert all(expected[int(line)] in text for line, text in errors)


@pytest.mark.parametrize("ending", ["mid", "abc", "musicxml"])
def test_chords_are_written_and_read(ending: str, tmp_path: Path) -> None:
    melody = ostinato.Melody.from_notes("C4 D4 E4 F4 G4:8 E4:8", "4/4")
    chords = ((0, "C"), (8, "Dm7/G"), (16, "C"), (24, "A7"))
    melody = ostinato.Melody(melody.events, chords=chords)
    melody.write(tmp_path / f"new.{ending}", accompaniment="bass" if ending == "mid" else None)
    notes = ostinato.read(tmp_path / f"new.{ending}")
    first, *others = ostinato.extract_melodies(notes)
    assert (first.events, first.chords) == (melody.events, chords)
    assert len(others) == (1 if ending == "mid" else 0)


def test_an_accompaniment_needs_chords() -> None:
    with pytest.raises(SettingsError, match="the melody has none"):
        ostinato.Melody([60]).to_note_sequence(accompaniment="block")
    sequence = ostinato.Melody([60] * 4, chords=[(0, "C")]).to_note_sequence(velocity=100, accompaniment="block")
    assert [(note.instrument, note.pitch, note.velocity) for note in sequence.notes if note.instrument] == [
        (1, pitch, 60) for pitch in (48, 52, 55, 60)
    ]
