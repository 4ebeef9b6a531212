"""A newcomer who types what a page says into a plain shell, line by line in a fresh clone, sees every line work."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import symusic

import documents

PROJECT = Path(__file__).parent.parent
README = PROJECT / "README.md"
TUTORIAL = PROJECT / "docs" / "tutorial.md"
GUIDES = sorted((PROJECT / "docs" / "guides").glob("*.md"))
# All that is typed otherwise than the pages have it: shorter trainings, thirty tunes in place of 300, servers that take
# any free port and open no browser.
QUICKER = {
    "--num_training_steps=2000": "--num_training_steps=2",
    "--num_training_steps=500": "--num_training_steps=2",
    "learn data/songs/midi --output=songs.mag --minutes=5": "learn data/songs/midi --output=songs.mag "
    "--num_training_steps=2",
    "learn data/songs/midi --output=my.mag": "learn data/songs/midi --output=my.mag --num_training_steps=2",
    "learn data/songs/midi --output=my-songs.mag": "learn data/songs/midi --output=my-songs.mag --num_training_steps=2",
    "learn scores --output=scores.mag": "learn scores --output=scores.mag --num_training_steps=2",
    "--input=data/aird/midi": "--input=tests/golden/aird/corpora",
    "--human=data/aird/midi": "--human=tests/golden/aird/corpora",
}
SERVER = "ostinato studio"


class Shell:
    """A bash that knows nothing but HOME, PATH and how this machine's pip is set up."""

    def __init__(self, home: Path, folder: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        # Each package that is asked for is here already (see `clone`): nothing is fetched, or pip says what is not.
        # The second setting means what --no-build-isolation does: pip counts 0 as "no isolation".
        environment |= {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
        environment |= {"HOME": str(home), "PATH": f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin"}
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()

    def type(self, line: str) -> None:
        """Type a line of a page and see that it works: that it ends well, or serves a page."""
        for old, new in QUICKER.items():
            line = line.replace(old, new)
        if line.startswith(SERVER):
            self.serve(f"{line} --port=0 --no_open")
        else:
            for _ in self._printed_by(line):
                pass

    def serve(self, line: str) -> None:
        """Start what serves a page, fetch the page, and end it as Ctrl-C does."""
        # Job control is what an interactive shell has: without it no background job hears Ctrl-C.
        printed = self._printed_by(f"set -m; PYTHONUNBUFFERED=1 {line} & set +m; echo PID $!; wait $!")
        server = next(int(said.removeprefix("PID ")) for said in printed if said.startswith("PID "))
        patience = threading.Timer(120, os.kill, (server, signal.SIGKILL))
        patience.start()
        try:
            address = next(found[0] for said in printed if (found := re.search(r"http://[a-z0-9.]+:\d+/", said)))
            with urllib.request.urlopen(address, timeout=20) as page:
                assert page.status == 200
            os.kill(server, signal.SIGINT)
            # Python may lose one that comes while it tidies up; a person presses Ctrl-C again.
            again = threading.Timer(20, os.kill, (server, signal.SIGINT))
            again.start()
            for _ in printed:
                pass
            again.cancel()
        finally:
            patience.cancel()

    def _printed_by(self, line: str) -> Iterator[str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\nstatus=$?; echo; echo END $status\n")
        self._process.stdin.flush()
        printed = ""
        while not (said := self._process.stdout.readline()).startswith("END "):
            assert said, f"the shell has ended: {line}\n{printed}"
            printed += said
            yield said
        assert said == "END 0\n", f"{line}\n{printed}"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The project without what git ignores, and the environment that `make demo` makes first.

    What the running environment has counts as installed in it, so that PyTorch is not fetched for minutes. Ostinato
    is not there until a line installs it.
    """
    folder = tmp_path / "ostinato"
    ignored = [line.strip("/") for line in (PROJECT / ".gitignore").read_text(encoding="utf-8").splitlines()]
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns(".git", *ignored))
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder / ".venv")}))
    for older in packages.glob("setuptools*"):  # Python 3.11 brings one; PyTorch needs a newer, which is here as well
        shutil.rmtree(older)
    here = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "here.pth").write_text("\n".join(here), encoding="utf-8")
    (folder / ".venv" / "bin" / "tensorboard").symlink_to(Path(sysconfig.get_path("scripts")) / "tensorboard")
    return folder


def lines_of(page: Path) -> list[str]:
    """What a page gives to type, in its order."""
    return [line for block in documents.blocks("sh", page) for line in block.splitlines()]


def test_every_change_is_to_something_that_a_page_has() -> None:
    lines = [line for page in (README, TUTORIAL, *GUIDES) for line in lines_of(page)]
    assert [old for old in QUICKER if not any(old in line for line in lines)] == []


@pytest.mark.slow
def test_the_readme(clone: Path, tmp_path: Path) -> None:
    assert "`tensorboard --logdir=road`" in README.read_text(encoding="utf-8")
    with Shell(tmp_path, clone) as shell:
        for line in lines_of(README):
            shell.type(line)
        shell.serve("tensorboard --logdir=road --port=0")
        for program in documents.blocks("python", README):
            shell.type(f"python -W error - <<'END'\n{program}END")
    made = [*clone.glob("generated/*.mid"), *clone.glob("road/generated/*.mid"), clone / "new.mid"]
    assert len(made) == 10 + 5 * 10 + 4 + 10 + 10 + 10 + 1
    for path in made:
        # Another library's reader, so that our own mistakes cannot hide each other.
        score: Any = symusic.Score(path)
        assert len({note.pitch for track in score.tracks for note in track.notes}) > 1, path


@pytest.mark.slow
def test_the_tutorial(clone: Path, tmp_path: Path) -> None:
    lines = lines_of(TUTORIAL)
    assert len(lines) >= 8
    with Shell(tmp_path, clone) as shell:
        for line in lines:
            shell.type(line)
    for page in ("generated/melodies.html", "generated/jigs.html", "songs.html", "generated/songs.html"):
        assert (clone / page).is_file()


@pytest.mark.slow
def test_the_guides(clone: Path, tmp_path: Path) -> None:
    """Whoever opens a guide has done the tutorial, and has the music that the guide is about."""
    with Shell(tmp_path, clone) as shell:
        shell.type("make demo")
        shell.type(". .venv/bin/activate")
        shell.type("pip install -e '.[train,studio]' -c constraints.txt")
        shell.type("ostinato generate --musicxml --num_bars=8 --num_outputs=6 --output_dir=scores")
        shell.type("cp generated/*_01.mid tune.mid")
        for page in GUIDES:
            for line in lines_of(page):
                shell.type(line)
