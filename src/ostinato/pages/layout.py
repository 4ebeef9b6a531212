"""The layout of all our pages: one HTML document that needs nothing from outside and asks for nothing.

It contains no address, and its Content-Security-Policy lets a browser fetch
none, so it works from a disk, offline, and keeps what it shows to itself.

What `layout.css` gives to the bodies of pages:

| name                                    | is                                                     |
|-----------------------------------------|--------------------------------------------------------|
| `--paper`, `--panel`, `--line`          | colors: the page, a raised panel, thin lines           |
| `--ink`, `--muted`                      | colors: text, lesser text                              |
| `--accent`, `--second`, `--good`, `--bad` | colors: notes and first series, second series, verdicts |
| `header`, `section`, `footer`, `.lead`  | parts of a page; the sentence below its title          |
| `.panel`, `.toolbar`, `.muted`          | a raised box; a row of controls; lesser text           |
| `table`, `td.number`, `.scroll`         | tables; figures to the right; what may scroll sideways |
| `.command`                              | a line for the shell in `<pre>`, with a copy button    |
"""

import base64
import functools
import hashlib
from html import escape
from importlib import resources


def page(title: str, body: str, *, style: str = "", script: str = "", policy: str = "") -> str:
    """A whole HTML document, in light and dark, for wide screens and telephones.

    Args:
        title: plain text, for the browser's title bar.
        body: HTML made by our own code, which has escaped everything from elsewhere. Scripts in it do not run.
        style: more CSS, after that of the layout.
        script: JavaScript to run when the body is there; the only script that the browser lets run.
        policy: what else the browser lets the page do, as a Content-Security-Policy says it.

    Returns:
        The document, to be written as UTF-8.
    """
    policies = [f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {_source(script)}", policy]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{"; ".join(filter(None, policies))}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{resource("layout.css")}{style}</style>
</head>
<body>
<main>
{body}
</main>{f"{chr(10)}<script>{script}</script>" if script else ""}
</body>
</html>
"""


def _source(script: str) -> str:
    """What a policy calls this one script."""
    if not script:
        return "'none'"
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@functools.cache
def resource(name: str) -> str:
    """A style sheet or script that is in this folder."""
    return resources.files("ostinato.pages").joinpath(name).read_text(encoding="utf-8")
