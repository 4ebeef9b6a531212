"""Where the golden files are: what the real Magenta makes of real files.

A small set stands in this project. A large one, whose MIDI files are third
parties' and so are not here, is read from the folder named by OSTINATO_GOLDEN.
"""

import gzip
import json
import os
from pathlib import Path
from typing import Any

SMALL = Path(__file__).parent / "golden" / "aird"


def sets() -> list[Path]:
    """The golden sets at hand: the small one, and the large one where OSTINATO_GOLDEN names it.

    Raises:
        FileNotFoundError: if OSTINATO_GOLDEN names no golden folder; a comparison asked for must not pass unmade.
    """
    large = large_set()
    return [SMALL] if large is None else [SMALL, large]


def large_set() -> Path | None:
    """The large golden set, or None where OSTINATO_GOLDEN is not set."""
    named = os.environ.get("OSTINATO_GOLDEN")
    if not named:
        return None
    folder = Path(named) / "public"
    if not (folder / "summary.json").is_file():
        raise FileNotFoundError(f"OSTINATO_GOLDEN={named}: no golden set in {folder}")
    return folder


def json_lines(path: Path) -> list[Any]:
    """The JSON values of a gzipped file, one a line."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
