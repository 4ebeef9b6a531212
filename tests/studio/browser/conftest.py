"""A server of the studio in a process of its own, and a browser that visits it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="make test installs it")

from playwright.sync_api import Browser, sync_playwright

from studio_page import CHROMIUM, NARROW, WIDE, StudioPage, visit
from studio_parts import small_bundles


# Not longer than a module: the browser's event loop must not run while other tests start their own.
@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a studio is served, with a model beside the built-in ones that foretells the end of tunes: "finite"."""
    finite = small_bundles(tmp_path_factory.mktemp("models"))["finite"]
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "ostinato",
            "studio",
            "--port=0",
            "--noopen",
            f"--bundle_file={finite}",
            "--config=ostinato",
            "--allow_host=music.test",
        ],
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            found = re.search(r"http://\S+/", line)
            assert found, f"the studio says {line!r}"
            yield found[0]
        finally:
            server.terminate()
            server.wait(timeout=10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    if CHROMIUM is None:
        assert not os.environ.get("OSTINATO_WHOLE_INSTALL"), "install Chromium: apt-get install chromium"
        pytest.skip("there is no Chromium here")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--host-resolver-rules=MAP music.test 127.0.0.1"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def modules(browser: Browser, url: str) -> Iterator[StudioPage]:
    """One visit for all tests of a file that run functions of the page's modules and change nothing of the page."""
    context, studio = visit(browser, url)
    yield studio
    context.close()


@pytest.fixture
def wide(browser: Browser, url: str) -> Iterator[StudioPage]:
    """A visit with a mouse and a window of 1280 pixels; it ends without complaints of the browser's."""
    context, studio = visit(browser, url, WIDE)
    yield studio
    context.close()
    assert studio.complaints == []


@pytest.fixture(params=[WIDE, NARROW])
def studio(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[StudioPage]:
    """The same, and one with a finger on a screen of 390 pixels."""
    context, studio = visit(browser, url, request.param)
    yield studio
    context.close()
    assert studio.complaints == []


@pytest.fixture
def touched(browser: Browser, url: str) -> Iterator[StudioPage]:
    """A visit with a finger alone."""
    context, studio = visit(browser, url, NARROW)
    yield studio
    context.close()
    assert studio.complaints == []
