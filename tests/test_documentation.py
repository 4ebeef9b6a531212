"""What the documents tell users to type works."""

import importlib.machinery
import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import symusic

import ostinato

PROJECT = Path(__file__).parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
README = (PROJECT / "README.md").read_text(encoding="utf-8")
# `make test` is what runs this test; the demo has a test of its own; pip would install what is installed.
NOT_RUN_HERE = {"make", "pip"}


def _blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)


def _commands() -> Iterator[list[str]]:
    for block in _blocks("sh"):
        for line in block.splitlines():
            words = shlex.split(line)
            if words[0] not in NOT_RUN_HERE:
                yield words


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the README takes for granted: MIDI files, a primer, a bundle."""
    folder = tmp_path_factory.mktemp("readme")
    tunes = sorted((PROJECT / "data" / "aird" / "midi").glob("*.mid"))[:40]
    (folder / "midi").mkdir()
    for tune in tunes:
        shutil.copy(tune, folder / "midi")
    ostinato.write_midi(ostinato.Melody([60, -2, 62, -2, 64, -2, -2, -1] * 4).to_note_sequence(), folder / "primer.mid")
    shutil.copy(PROJECT / "tests" / "golden" / "gold_attention.mag", folder / "attention_rnn.mag")
    return folder


def test_every_readme_command_runs_in_its_order(workplace: Path) -> None:
    commands = list(_commands())
    assert len(commands) >= 15
    for command in commands:
        if command == ["ostinato", "studio"]:
            _runs_until_interrupted([*command, "--port=0", "--no_open"], workplace)
            continue
        # The words are run as they stand, but for how long they train, which would take minutes.
        quick = [re.sub(r"num_training_steps=\d+", "num_training_steps=2", word) for word in command]
        if "learn" in quick:
            quick.append("--num_training_steps=2")
        program = SCRIPTS / quick[0]
        assert program.exists(), f"{quick[0]} is not installed beside {sys.executable}"
        done = subprocess.run([program, *quick[1:]], cwd=workplace, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    made = sorted((workplace / "generated").glob("*.mid"))
    assert len(made) == 60
    for path in made:
        # Another library's reader, so that our own mistakes cannot hide each other.
        score: Any = symusic.Score(path)
        notes = [note for track in score.tracks for note in track.notes]
        assert len({note.pitch for note in notes}) > 1, path
    assert (workplace / "melodies.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def _runs_until_interrupted(command: list[str], folder: Path) -> None:
    """A command that serves says where, and ends well with Ctrl-C."""
    with subprocess.Popen(
        [SCRIPTS / command[0], *command[1:]],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as server:
        assert server.stdout is not None
        try:
            said = server.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+/", said)
            assert found, said
            with urllib.request.urlopen(found[0], timeout=20) as page:
                assert page.status == 200
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=20) == 0
        finally:
            server.kill()


def test_the_demo_plays_the_model_that_comes_along(tmp_path: Path) -> None:
    _run_script("demo", tmp_path, {})
    assert len(list((tmp_path / "generated").glob("*.mid"))) == 10
    assert (tmp_path / "generated" / "melodies.html").is_file()


def test_the_road_goes_all_the_way(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "data" / "aird", tmp_path / "data" / "aird")
    _run_script("road", tmp_path, {"num_training_steps=400": "num_training_steps=2"})
    assert len(list((tmp_path / "road" / "generated").glob("*.mid"))) == 10


def _run_script(name: str, folder: Path, changes: dict[str, str]) -> None:
    """Run one of scripts/ with `folder` as the project."""
    script = (PROJECT / "scripts" / name).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in script
        script = script.replace(old, new)
    (folder / "scripts").mkdir()
    (folder / "scripts" / name).write_text(script, encoding="utf-8")
    environment = os.environ | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["sh", f"scripts/{name}"], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_python_of_a_page_runs(workplace: Path, page: str) -> None:
    programs = _blocks("python", (PROJECT / page).read_text(encoding="utf-8"))
    assert programs
    for program in programs:
        subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=workplace, check=True)
    assert (workplace / "new.mid").read_bytes().startswith(b"MThd")


def test_the_command_reference_is_fresh() -> None:
    loader = importlib.machinery.SourceFileLoader("write_reference", str(PROJECT / "scripts" / "write_reference"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    written = (PROJECT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == module.reference(), "run scripts/write_reference"


PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted(PROJECT.glob("docs/*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_that_is_named_is_there(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    named = re.findall(r"`([\w.-]+/[\w./-]*|\w+\.(?:md|toml))`", text)
    assert len(named) > 15
    missing = {path for path in named if not (PROJECT / path).exists()}
    assert not missing, f"{page} names what is not there: {', '.join(sorted(missing))}"


def test_the_tree_shows_every_folder_of_the_package() -> None:
    (tree,) = _blocks("text", (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    shown: list[Path] = []
    above: dict[int, Path] = {}  # the folders on the way, by how far in they stand
    for line in tree.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        above[depth] = above[depth - 1] / name if depth else PROJECT / name
        shown.append(above[depth])
    assert [path for path in shown if not path.exists()] == []
    folders = {path.parent for path in (PROJECT / "src" / "ostinato").glob("*/__init__.py")}
    assert folders - set(shown) == set()
