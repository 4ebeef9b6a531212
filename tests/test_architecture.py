"""The road's direction, read off the imports, and what must stay light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "ostinato"

# What each part may import of the others; all may import themselves.
ROAD: dict[str, set[str]] = {"errors": set()}
ROAD["parallel"] = ROAD["memory"] = {"errors"}
ROAD["cluster"] = {"errors", "parallel"}
ROAD["formats"] = {"errors", "parallel", "memory"}
ROAD["music"] = {*ROAD["formats"], "formats"}
ROAD["encodings"] = {*ROAD["music"], "music"}
ROAD["config"] = {*ROAD["encodings"], "encodings"}
ROAD["dataset"] = ROAD["bundle"] = {*ROAD["config"], "config"}
ROAD["sound"] = {*ROAD["music"], "music"}
ROAD["shipped"] = {*ROAD["bundle"], "bundle"}
ROAD["training"] = ROAD["generation"] = {*ROAD["config"], "config", "dataset", "bundle"}
ROAD["evaluation"] = ROAD["live"] = {*ROAD["generation"], "generation"}
ROAD["pages"] = {*ROAD["evaluation"], "evaluation"}
ROAD["export"] = {*ROAD["bundle"], "bundle", "pages"}
ROAD["studio"] = {*ROAD["generation"], "generation", "pages", "sound", "shipped"}
ROAD["cli"] = {*ROAD["studio"], "studio", "pages", "training", "evaluation", "live", "export", "cluster"}
# Users ask a melody for its picture, or to write itself; the way back up is taken only then.
WHEN_CALLED = {
    ("music/melody.py", "ostinato.pages.piano_roll.notebook_html"),
    ("music/melody.py", "ostinato.front.write"),
}
HEAVY = {"torch", "numba", "tensorboard", "matplotlib"}
FRONT = {"__init__", "__main__", "front"}  # the names for users; they may point anywhere


def _imports(path: Path, *, when_loaded: bool = False) -> Iterator[str]:
    """The dotted names that a module imports, all of them or those that loading it needs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in _loaded(tree) if when_loaded else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _loaded(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is loaded: nothing inside functions or behind TYPE_CHECKING."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from (each for part in child.orelse for each in (part, *_loaded(part)))
        elif not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from _loaded(child)


def _circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first one again at the end; none if there is no circle."""
    done: set[str] = set()
    way: list[str] = []

    def follow(module: str) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return []
        way.append(module)
        found = next(filter(None, map(follow, sorted(imports.get(module, ())))), [])
        way.pop()
        done.add(module)
        return found

    return next(filter(None, map(follow, sorted(imports))), [])


def _part(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


MODULES = sorted(path for path in SOURCE.rglob("*.py") if not path.name.endswith("_pb2.py"))
GENERATED = {
    ".".join(("ostinato", *path.relative_to(SOURCE).with_suffix("").parts)) for path in SOURCE.rglob("*_pb2.py")
}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_one_way(path: Path) -> None:
    part = _part(path)
    if part in FRONT:
        return
    allowed = {*ROAD[part], part}
    for name in _imports(path):
        if name.startswith("ostinato."):
            if (path.relative_to(SOURCE).as_posix(), name) in WHEN_CALLED:
                continue
            imported = name.split(".")[1]
            assert imported in allowed or (part == "cli" and imported == "__version__"), f"{part} imports {imported}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    names = {
        ".".join(("ostinato", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in MODULES
    }
    imports = {
        # A name is a module, or stands in one: what it imports of a package is the package.
        module: {
            name if name in names else name.rpartition(".")[0]
            for name in _imports(path, when_loaded=True)
            if name.startswith("ostinato.")
        }
        for module, path in names.items()
    }
    assert {name for found in imports.values() for name in found} <= {*names, *GENERATED}
    assert _circle(imports) == []


def test_a_circle_is_found() -> None:
    assert _circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": {"b"}}) == ["b", "c", "d", "b"]
    assert _circle({"a": {"a"}}) == ["a", "a"]
    program = """
import x
if TYPE_CHECKING:
    import y
else:
    import z
class A:
    import w
    def f(self):
        import v
try:
    import u
except ImportError:
    pass
"""
    found = [each.names[0].name for each in _loaded(ast.parse(program)) if isinstance(each, ast.Import)]
    assert found == ["x", "z", "w", "u"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_pytorch_lives_in_one_folder(path: Path) -> None:
    if _part(path) != "training":
        assert not {name.split(".")[0] for name in _imports(path)} & HEAVY


@pytest.mark.parametrize(
    "program",
    [
        "import ostinato",
        "from ostinato.cli.main import main; main(['--help'])",
        "from ostinato.cli.main import main\ntry: main(['generate', '--help'])\nexcept SystemExit: pass",
        "import ostinato.generation.model, ostinato.bundle, ostinato.music.extract",
    ],
)
def test_the_core_loads_no_training_library(program: str) -> None:
    check = f"import sys; loaded = {HEAVY} & set(sys.modules); assert not loaded, loaded"
    subprocess.run([sys.executable, "-c", f"{program}\n{check}"], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("arguments", "most", "never"),
    [
        (["--help"], 5, {"numpy", "google", "ostinato.config"}),
        (["generate", "--num_outputs=1", "--seed=0"], 38, {"ostinato.dataset", "ostinato.formats.tensorflow"}),
        (["generate", "--num_outputs=1", "--seed=0", "--key=Am"], 38, {"ostinato.dataset"}),
        (["convert", "--input_dir=none", "--output_file=none"], 19, {"google", "ostinato.music"}),
        (["models"], 28, {"ostinato.generation", "ostinato.dataset"}),
    ],
)
def test_what_a_command_loads(arguments: list[str], most: int, never: set[str], tmp_path: Path) -> None:
    program = (
        f"import sys\nfrom ostinato.cli.main import main\nmain({arguments})\n"
        f"loaded = {{name for name in sys.modules if name.split('.')[0] == 'ostinato'}}\n"
        f"assert len(loaded) <= {most}, sorted(loaded)\n"
        f"assert not {never} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL, cwd=tmp_path)


def test_tests_mirror_the_source() -> None:
    # Facts that hold no code of their own, and the packages' front doors.
    untested = {"errors.py"}
    for path in MODULES:
        place = path.relative_to(SOURCE)
        if path.name in {"__init__.py", "__main__.py"} or str(place) in untested:
            continue
        test = Path(__file__).parent / place.with_name(f"test_{place.name}")
        assert test.is_file(), f"{place} has no {test}"


def test_the_architecture_page_tells_the_same() -> None:
    page = (Path(__file__).parent.parent / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if " ← " in line]
    groups = [set(group.strip().split(", ")) for group in line.split(" ← ")]
    assert sorted(part for group in groups for part in group) == sorted(ROAD)
    before: set[str] = set()
    for group in groups:
        before |= group
        assert all(ROAD[part] <= before for part in group)
    assert "generation" not in ROAD["training"]
    assert "training" not in ROAD["generation"]
