"""What the documents give to type."""

import re
from pathlib import Path


def blocks(language: str, page: Path) -> list[str]:
    """The fenced blocks of a page that are marked as being in `language`."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
