"""How Sphinx makes the site of these pages: `make docs`."""

import importlib.metadata
import re
from pathlib import Path
from typing import Any

project = "Ostinato"
author = "the Ostinato developers"
copyright = "the Ostinato developers, Apache-2.0"  # noqa: A001 -- the name that Sphinx reads
version = release = importlib.metadata.version("ostinato")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Ostinato"
html_favicon = "images/logo.svg"
html_show_sphinx = False
html_copy_source = False

# Headings have the anchors that GitHub gives them, so links work in both places.
myst_heading_anchors = 4
# Docstrings name code in single backticks.
default_role = "code"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", offer_pages_from_elsewhere)


def offer_pages_from_elsewhere(app: Any, docname: str, source: list[str]) -> None:
    """Pages that are not of the site, such as CONTRIBUTING.md, are files to download from it."""
    folder = (Path(app.srcdir) / docname).parent

    def download(link: re.Match[str]) -> str:
        is_elsewhere = not (folder / link[2]).resolve().is_relative_to(app.srcdir)
        return f"{{download}}`{link[1]} <{link[2]}>`" if is_elsewhere else link[0]

    source[0] = re.sub(r"\[([^\]`]+)\]\(([\w./-]+\.md)\)", download, source[0])
