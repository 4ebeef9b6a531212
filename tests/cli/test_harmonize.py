"""`ostinato harmonize`, as a user meets it."""

from pathlib import Path

import pytest

from ostinato.cli.main import main
from ostinato.front import extract_melodies, read

TUNE = b"""X:1
T:A plain tune
M:4/4
L:1/4
K:C
G | CEGE | GBdB | CEGE | c3 |]

X:2
K:G
G4|
"""


@pytest.fixture(name="tune")
def _tune(tmp_path: Path) -> Path:
    path = tmp_path / "tune.abc"
    path.write_bytes(TUNE)
    return path


def test_the_chords_are_shown(tune: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["harmonize", str(tune)]) == 0
    first, shown = capsys.readouterr().out.splitlines()
    assert first == f"{tune}: the first of 2 tunes"
    # The upbeat has none.
    assert shown.startswith("C major  C | G")
    assert len(shown.split("|")) == 4


@pytest.mark.parametrize("ending", ["mid", "abc", "musicxml"])
def test_each_way_is_written(tune: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--alternatives=2", "--chords_per_bar=2", "--accompaniment=bass"]
    assert main(["harmonize", str(tune), f"--output={tune.parent}/new.{ending}", *flags]) == 0
    written = sorted(path.name for path in tune.parent.iterdir())
    assert written == [f"new_1.{ending}", f"new_2.{ending}", "tune.abc"]
    melodies = [extract_melodies(read(tune.parent / name))[0] for name in written[:2]]
    assert melodies[0].chords[0] == (16, "C")
    assert melodies[0].chords != melodies[1].chords
    assert str(tune.parent / f"new_2.{ending}") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (["--alternatives=11"], 2, "alternatives must be 1 to 10, not 11"),
        (["--chords_per_bar=0"], 2, "chords_per_bar must be 1 or 2, not 0"),
        (["--key=H"], 2, "there is no key 'H'"),
        (["--accompaniment=block"], 2, "is played in --output, which is missing"),
        (["--output=new.txt"], 2, "a melody is written as .mid, .abc, .musicxml and .wav, not as .txt"),
        (["--track=5"], 1, "there is no melody in track 5"),
    ],
)
def test_what_cannot_be(tune: Path, flags: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["harmonize", str(tune), *flags]) == code
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
