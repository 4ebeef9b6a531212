import json
import subprocess
import sys
from pathlib import Path

import pytest

import ostinato
from ostinato.cli.compare import as_text
from ostinato.evaluation.comparison import compare
from ostinato.formats.tensorflow.tfrecord import record_writer
from ostinato.music.melody import Melody

PITCHES = (60, 62, 64, 65, 67, 69, 71, 72)


def ostinato_compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ostinato", "compare", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def tune(first: int, num_notes: int = 40) -> Melody:
    """Quarters on all notes of a scale, in an order of its own for each `first`."""
    step = (1, 3, 5, 7)[first % 4]
    return Melody([event for note in range(num_notes) for event in (PITCHES[(first + note * step) % 8], -2, -2, -2)])


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """The flags for three sets; among the generated melodies are some that no data set would take."""
    sets = {
        "generated": [tune(5), tune(7, num_notes=2), Melody([60, -2, -2, -1, *[-2] * 60, 60, -2, -2, -2])],
        "human": [tune(first) for first in range(5)],
        "training": [tune(0), tune(1)],
    }
    for name, melodies in sets.items():
        (tmp_path / name).mkdir()
        for number, melody in enumerate(melodies):
            ostinato.write_midi(melody.to_note_sequence(), tmp_path / name / f"{number}.mid")
    return [f"--{name}={tmp_path / name}" for name in sets]


def test_compare(folders: list[str], tmp_path: Path) -> None:
    done = ostinato_compare(*folders, f"--json={tmp_path}/new/found.json", f"--html={tmp_path}/found.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if not line.startswith(" ")][-2:] == [
        f"{tmp_path}/new/found.json: all figures",
        f"{tmp_path}/found.html: a page with tables and pictures",
    ]
    found = json.loads((tmp_path / "new" / "found.json").read_bytes())
    # The short one is there, and the one with four bars of silence is one melody.
    assert found["sets"]["generated"]["melodies"] == 3
    assert found["sets"]["generated"]["median_steps"] == 68
    assert found["cut_steps"] == 68
    assert found["sets"]["human"]["median_steps"] == 68
    assert found["sets"]["human, whole"]["median_steps"] == 160
    assert found["sources"]["training"] == {
        "source": str(tmp_path / "training"),
        "files": 2,
        "read": 2,
        "tunes": 2,
        "tracks": 2,
        "melodies": 2,
        "off_grid": {"notes": 80, "triplets": 0, "swing": 0, "other": 0},
        "not_read": {},
        "left_out": [],
        "without_melody": [],
        "skipped": [],
        "remarks": [],
    }
    page = (tmp_path / "found.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "Made by" in page


def test_uncut_and_again(folders: list[str], tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    outputs = []
    for _ in range(2):
        done = ostinato_compare(*folders, "--nocut", "--seed=3", f"--json={path}")
        assert done.returncode == 0
        outputs.append((done.stdout, path.read_bytes()))
    assert outputs[0] == outputs[1]
    assert json.loads(path.read_bytes())["cut_steps"] is None


def test_what_cannot_be_read_is_named(folders: list[str], tmp_path: Path) -> None:
    (tmp_path / "generated" / "bad.mid").write_text("no music")
    ostinato.write_midi(tune(0, num_notes=4).to_note_sequence(), tmp_path / "human" / "short.mid")
    done = ostinato_compare(*folders, f"--json={tmp_path}/found.json")
    assert done.returncode == 0
    assert "bad.mid: not a MIDI file" in done.stderr
    assert "1 melody shorter than 7 bars" in done.stderr
    sources = json.loads((tmp_path / "found.json").read_bytes())["sources"]
    assert [each["file"] for each in sources["generated"]["skipped"]] == ["bad.mid"]
    assert sources["human"]["without_melody"] == ["short.mid"]


def test_note_sequences(folders: list[str], tmp_path: Path) -> None:
    path = tmp_path / "generated.tfrecord"
    with record_writer(path) as writer:
        for first in (5, 6):
            writer.write(tune(first).to_note_sequence().SerializeToString())
    done = ostinato_compare(f"--generated={path}", *folders[1:])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"--generated": "none"}, 1, "none"),
        ({"--seed": "-1"}, 2, "--seed must be at least 0, not -1"),
        ({"--cut": "perhaps"}, 2, "--cut takes true or false"),
        ({"--human": "training"}, 2, "--human is --training"),
        ({"--json": "human"}, 2, "human is a folder; choose another file"),
        ({"--json": "a", "--html": "a"}, 2, "--json and --html are both a; give two files"),
        ({"--training": "human/0.mid", "--json": "human/0.mid"}, 2, "read, and would be overwritten"),
    ],
)
def test_bad_usage(
    folders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = {"--generated": "generated", "--human": "human", "--training": "training", **change}
    done = ostinato_compare(*[f"{flag}={value}" for flag, value in flags.items()])
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_all_three_sets_are_needed() -> None:
    done = ostinato_compare("--generated=a", "--human=b")
    assert done.returncode == 2
    assert "--training" in done.stderr


def test_text() -> None:
    made = [("a.mid", Melody([60, 62, 64, 62] * 2, steps_per_bar=4)), ("b.mid", Melody([60, 60, 60, 60] * 2))]
    human = [(f"{start}.mid", Melody(range(start, start + 12), steps_per_bar=4)) for start in range(60, 64)]
    lines = as_text(compare(made, human, [("t.mid", Melody([60, 62, 64]))])).splitlines()
    assert lines[0] == "Sets"
    (row,) = [line for line in lines if line.startswith("  mean interval [")]
    # a's seven intervals are all of 2 semitones but the one to its second half, of 2 as well; b's are of none.
    assert row.split()[-4:] == ["1.00", "1.00", "+0.00", "1.00"]
    # a has 2 pairs of the training melody, the chromatic scales none.
    (row,) = [line for line in lines if line.startswith("  longest copied run, maximum: no longer")]
    assert row.split()[-4:] == ["2.00", "0.00", "not", "met"]
    assert not [line for line in lines if line != line.rstrip()]


def test_the_human_tunes_are_read_as_the_flags_say(folders: list[str]) -> None:
    done = ostinato_compare(*folders, "--tracks=99")
    assert done.returncode == 1
    assert "human: no melody in " in done.stderr
    assert "that were not chosen (--tracks)" in done.stderr
