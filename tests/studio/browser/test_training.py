"""A model of one's own tunes, trained from the page."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright")
pytest.importorskip("torch")
pytest.importorskip("tensorboard")

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, expect

from ostinato.bundle import load_bundle
from ostinato.studio.learning import Learner
from ostinato.studio.server import create_app, listen, make_server
from studio_page import NARROW, WIDE, StudioPage, visit
from studio_parts import small_models

MILLISECONDS = 90_000  # that PyTorch may take to begin, and to make a few steps, on a busy machine
AIRS = sorted((Path(__file__).parents[3] / "data" / "aird" / "midi").glob("**/*.mid"))[:8]

# `ostinato learn` of few steps, or one that goes on until it is cancelled if a tune is called so.
COMMAND = """
import subprocess, sys, time
from pathlib import Path
tunes, *flags = sys.argv[1:]
waits = Path(tunes, "wait.mid").exists() and "--dry_run" not in flags
if waits:
    (progress,) = (flag.partition("=")[2] for flag in flags if flag.startswith("--progress="))
    Path(progress).write_text('{"step": 0, "held_out": 0.9}\\n{"step": 5, "held_out": 0.7}\\n')
    time.sleep(600)
more = [] if "--dry_run" in flags else ["--num_training_steps=6"]
sys.exit(subprocess.call([sys.executable, "-m", "ostinato", "learn", tunes, *flags, *more]))
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio whose trainings are short."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "command.py").write_text(COMMAND)
    models = small_models(folder)
    learner = Learner(models, command=(sys.executable, str(folder / "command.py")))
    with listen("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        running = make_server(create_app(models, port=port, learner=learner))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]})
        thread.start()
        yield f"http://127.0.0.1:{port}/"
        running.should_exit = True
        thread.join(10)


def open_training(studio: StudioPage) -> None:
    studio.page.get_by_role("button", name="Learn from your tunes").click()
    expect(studio.page.get_by_role("dialog", name="Learn from your tunes")).to_be_visible()


def folder_of(path: Path, *names: str) -> Path:
    """A folder with eight airs, one of them again under each of some names, a text and a damaged file."""
    path.mkdir()
    for tune in AIRS:
        (path / tune.name).write_bytes(tune.read_bytes())
    for name in names:
        (path / name).write_bytes(AIRS[0].read_bytes())
    (path / "notes.txt").write_text("no music")
    (path / "broken.mid").write_bytes(b"MThd")
    return path


def expect_row(studio: StudioPage, head: str, text: str) -> None:
    row = studio.page.get_by_role("row").filter(has=studio.page.get_by_role("rowheader", name=head, exact=True))
    expect(row.get_by_role("cell")).to_have_text(text, timeout=MILLISECONDS)


def expect_no_hindrance(studio: StudioPage) -> None:
    found = Axe().run(studio.page).response["violations"]
    assert [each["help"] for each in found if each["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_folder_of_tunes_becomes_a_model_that_plays(browser: Browser, url: str, tmp_path: Path, width: int) -> None:
    context, studio = visit(browser, url, width, bypass_csp=True)  # for axe
    page = studio.page
    open_training(studio)
    page.locator("#tune-folder").set_input_files(folder_of(tmp_path / "airs"))
    expect_row(studio, "Files", "8 of 9 could be read")
    expect_row(studio, "Tunes in them", "8")
    expect_row(studio, "Not music", "1 other file")
    expect(page.get_by_role("table")).to_contain_text("broken.mid: ")
    expect(page.get_by_label("Name of the model")).to_be_focused()
    expect_no_hindrance(studio)
    page.get_by_label("Name of the model").fill(f"airs {width}")
    page.get_by_label("Minutes, at most").fill("1")
    page.get_by_role("button", name="Learn", exact=True).click()
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_focused()
    curve = page.get_by_role("img", name="at step 6")
    expect(page.locator("#training")).to_contain_text("is ready to play", timeout=MILLISECONDS)
    expect(curve).to_be_visible()
    expect_no_hindrance(studio)
    expect(page.get_by_label("Model", exact=True)).to_have_value(f"airs {width}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the model").click()
    assert download.value.suggested_filename == f"airs {width}.mag"
    (tmp_path / "saved.mag").write_bytes(Path(download.value.path()).read_bytes())
    assert load_bundle(tmp_path / "saved.mag").provenance["step"] in (0, 5, 6)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Play it").click()
    answer = studio.generate(Variations="1")
    assert answer["model"] == f"airs {width}"
    # It is there after a reload too, and nothing is asked for any more.
    studio.open()
    expect(page.get_by_label("Model", exact=True)).to_have_value(f"airs {width}")
    expect(page.locator("#training")).to_have_count(0)
    # The next visitor finds the place free.
    for path in ("learn", "tunes"):
        page.evaluate(
            """async (path) => fetch(`/api/${path}`, {
                method: "DELETE", headers: { "Ostinato-Client": localStorage["ostinato.browser"] }
            })""",
            path,
        )
    context.close()
    assert studio.complaints == []


def test_a_training_survives_a_reload_is_told_to_others_and_can_be_cancelled(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    context, studio = visit(browser, url)
    page = studio.page
    open_training(studio)
    page.locator("#tune-folder").set_input_files(folder_of(tmp_path / "airs", "wait.mid"))
    expect(page.get_by_role("table")).to_be_visible(timeout=MILLISECONDS)
    page.get_by_role("button", name="Learn", exact=True).click()
    falls = "Loss on tunes that it does not learn from: 0.900 at first, 0.700 at best, 0.700 at step 5"
    expect(page.get_by_role("img", name=falls)).to_be_visible()
    studio.open()
    expect(page.get_by_role("dialog", name="Learn from your tunes")).to_be_visible()
    expect(page.get_by_role("img", name=falls)).to_be_visible()

    others, other = visit(browser, url)
    expect(other.page.locator("#training")).to_have_count(0)
    open_training(other)
    expect(other.page.locator("#training")).to_contain_text("Another browser is training a model here, “my tunes”")
    expect(other.page.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)
    others.close()

    page.get_by_role("button", name="Cancel", exact=True).click()
    expect_row(studio, "Files", "9 of 10 could be read")
    page.get_by_role("button", name="Take them all out").click()
    expect(page.get_by_role("table")).to_have_count(0)
    page.get_by_role("button", name="Close", exact=True).click()
    assert "my tunes" not in page.get_by_label("Model", exact=True).inner_text()
    context.close()
    assert studio.complaints + other.complaints == []


def test_several_files_that_are_dropped_are_tunes(browser: Browser, url: str) -> None:
    context, studio = visit(browser, url)
    page = studio.page
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            for (const name of ["a.txt", "b.txt"]) dataTransfer.items.add(new File(["x"], name));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }"""
    )
    expect(page.locator("#training")).to_contain_text("There is no MIDI, MusicXML or ABC file among these")
    context.close()
    assert studio.complaints == []
