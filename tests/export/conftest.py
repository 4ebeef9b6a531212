"""A browser for exported models."""

import os
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="make test installs it")

from playwright.sync_api import Browser, sync_playwright

from export_models import SECONDS
from studio_page import CHROMIUM


@pytest.fixture(scope="module")  # two at once cannot be, and the studio's tests have their own
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        assert not os.environ.get("OSTINATO_WHOLE_INSTALL"), "install Chromium: apt-get install chromium"
        pytest.skip("there is no Chromium here")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=SECONDS * 1000)
        yield chromium
        chromium.close()
