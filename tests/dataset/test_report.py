from collections import Counter

from ostinato.dataset.report import (
    LeftOut,
    Remarked,
    Skipped,
    chords_words,
    counted,
    endings,
    not_extracted,
    off_grid_words,
    report_json,
    unread,
)
from ostinato.encodings import BarEncoding
from ostinato.music.extract import ExtractionSettings, ExtractionStatistics
from ostinato.music.quantize import OffGrid


def test_one_is_singular_and_all_else_plural() -> None:
    assert [counted(number, "file") for number in (0, 1, 2, 1234)] == ["0 files", "1 file", "2 files", "1,234 files"]
    assert counted(3, "melody", "melodies") == "3 melodies"


def test_the_ending_that_most_files_have_comes_first() -> None:
    assert endings({".txt": 1, ".mscz": 3, "": 1}) == "3 .mscz, 1 without an extension, 1 .txt"


def test_files_and_tunes_are_counted_each_under_its_own_name() -> None:
    skipped = [Skipped("a.mid", "cut off"), *[Skipped("b.abc", "no note", is_tune=True)] * 18]
    assert [reason.text() for reason in unread(skipped, Counter({".txt": 2}))] == [
        "2 files that are not MIDI, MusicXML or ABC: 2 .txt",
        "1 file that cannot be read",
        "18 tunes that cannot be read",
    ]
    assert unread([], {}) == []


def test_what_is_off_the_grid_is_said_from_one_note_in_a_hundred_on() -> None:
    assert off_grid_words(OffGrid(200, 1, 0, 0)) == ""
    assert off_grid_words(OffGrid(200, 30, 6, 4)) == (
        "20% of the notes are off the grid of 16ths: 30 in triplets, 6 swung, 4 others "
        "(--max_offgrid leaves such melodies out)"
    )


def test_each_reason_has_the_flag_that_changes_it() -> None:
    statistics = ExtractionStatistics(polyphonic_tracks=1, too_short=2, truncated=1, other_tracks=3, mended_meters=1)
    settings = ExtractionSettings(min_bars=1, max_steps=64, tracks="likeliest", meter="auto")
    assert [reason.text() for reason in not_extracted(statistics, settings)] == [
        "3 tracks that were not chosen (--tracks=all takes every track)",
        "1 track read only up to where several notes start at once (--polyphony=line keeps the top line)",
        "2 melodies shorter than 1 bar (--min_bars)",
        "1 melody cut to 64 steps (--max_steps)",
        "1 tune read in a different meter than its file says (--meter=file keeps the file's meter)",
    ]
    assert LeftOut(1, "file", "files", "--flag").text(flag=False) == "1 file"


def test_the_report_as_json_names_all_there_is() -> None:
    told = report_json(
        source="tunes",
        files=3,
        not_read={".txt": 1},
        left_out=[LeftOut(2, "file without notes", "files without notes"), LeftOut(1, "a", "b", "--c")],
        skipped=[Skipped("b.abc", "no note", is_tune=True)],
        remarked=[Remarked("c.mid", "cut off", "it ends early")],
    )
    assert told == {
        "source": "tunes",
        "files": 3,
        "not_read": {".txt": 1},
        "left_out": [
            {"count": 2, "what": "files without notes", "flag": None},
            {"count": 1, "what": "a", "flag": "--c"},
        ],
        "skipped": [{"file": "b.abc", "kind": "tune", "reason": "no note"}],
        "remarks": [{"file": "c.mid", "name": "cut off", "text": "it ends early"}],
    }


def test_what_a_model_learns_of_chords() -> None:
    deaf, hearing = BarEncoding(), BarEncoding(tells_chords=True)
    assert chords_words(0, 9, deaf, "--from=X") == ""
    assert (
        chords_words(7, 9, deaf, "--from=X") == "7 of 9 melodies have chords (--from=X learns to fit melodies to them)"
    )
    assert chords_words(7, 9, hearing, "--from=X") == "7 of 9 melodies have chords"
    assert chords_words(0, 9, hearing, "--from=X").startswith("None of the melodies has chords")
