"""What the documents tell users to type works."""

import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import documents
import ostinato

PROJECT = Path(__file__).parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what docs/guides/python.md takes for granted: a primer and a bundle."""
    folder = tmp_path_factory.mktemp("python")
    ostinato.write_midi(ostinato.Melody([60, -2, 62, -2, 64, -2, -2, -1] * 4).to_note_sequence(), folder / "primer.mid")
    shutil.copy(PROJECT / "tests" / "golden" / "gold_attention.mag", folder / "attention_rnn.mag")
    return folder


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


def test_the_python_of_the_guide_runs(workplace: Path) -> None:
    programs = documents.blocks("python", PROJECT / "docs" / "guides" / "python.md")
    assert programs
    for program in programs:
        subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=workplace, check=True)
    assert (workplace / "new.mid").read_bytes().startswith(b"MThd")


def test_every_name_of_the_package_is_in_the_reference() -> None:
    page = (PROJECT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\.\. auto\w+:: ostinato\.(\w+)$", page, flags=re.MULTILINE))
    assert set(ostinato.__all__) - {"NoteSequence", "__version__"} <= listed


def test_the_messages_of_the_troubleshooting_page_are_ours() -> None:
    """What a heading quotes between its dots is in the source, in one string."""
    page = (PROJECT / "docs" / "guides" / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^### `(.*)`$", page, flags=re.MULTILINE)
    assert len(quoted) > 12
    source = " ".join(path.read_text(encoding="utf-8") for path in (PROJECT / "src" / "ostinato").rglob("*.py"))
    source = re.sub(r'"\s+f?"', "", source)  # strings that go on over several lines
    for message in quoted:
        if message != "ostinato: command not found":  # the shell's
            for part in filter(None, (part.strip(" :") for part in message.split("…"))):
                assert part in source, f"no message says {part!r}"


@pytest.mark.slow
def test_the_site_is_made_without_a_warning(tmp_path: Path) -> None:
    sphinx = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    made = subprocess.run([*sphinx, "docs", tmp_path], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    assert (tmp_path / "tutorial.html").is_file()


def test_the_command_reference_is_fresh() -> None:
    loader = importlib.machinery.SourceFileLoader("write_reference", str(PROJECT / "scripts" / "write_reference"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    written = (PROJECT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert written == module.reference(), "run scripts/write_reference"


PAGES = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    *sorted(PROJECT.glob("docs/[!_]*/*.md")),
    *PROJECT.glob("docs/*.md"),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/explanation/architecture.md"])
def test_every_path_that_is_named_is_there(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    named = re.findall(r"`([\w.-]+/[\w./-]*|\w+\.(?:md|toml))`", text)
    assert len(named) > 15
    missing = {path for path in named if not (PROJECT / path).exists()}
    assert not missing, f"{page} names what is not there: {', '.join(sorted(missing))}"


def test_the_tree_shows_every_folder_of_the_package() -> None:
    (tree,) = documents.blocks("text", PROJECT / "docs" / "explanation" / "architecture.md")
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


def test_what_to_install_is_said_in_few_places() -> None:
    """So that little has to change when Ostinato is on an index."""
    told = {page.name for page in PAGES if "pip install" in page.read_text(encoding="utf-8")}
    assert told == {"README.md", "install.md", "tutorial.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_pip_is_told_to_install_is_there(page: Path) -> None:
    """Ostinato is on no index: what installs it or its extras names the clone."""
    assert not re.findall(r"pip install[^`\n]*ostinato", page.read_text(encoding="utf-8"))
