"""What commands show on a terminal: progress with rate and time to go, and tables."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def progress(items: Iterable[T] | None = None, *, total: int | None = None, unit: str, **options: Any) -> Any:
    """A tqdm bar over `items`, or one to `update()` by hand; silent when stderr is no terminal.

    Args:
        items: what to go through, if anything.
        total: how many there are, if known.
        unit: what one is called, for the rate.
        options: further options of tqdm.
    """
    from tqdm import tqdm

    # Its watching thread would keep worker processes from being forked, and they would have to import everything anew.
    tqdm.monitor_interval = 0
    return tqdm(items, total=total, unit=" " + unit, disable=not sys.stderr.isatty(), dynamic_ncols=True, **options)


_FEWEST = 8  # characters that are left of words


def terminal_width() -> int:
    """How many characters a line of the terminal holds; 80 where there is none."""
    return shutil.get_terminal_size().columns


def wrapped(text: str, *, indent: str = "", width: int) -> str:
    """Text in lines of this many characters at most, those after the first a little further in."""
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False)


def text_table(rows: Sequence[Sequence[str]], *, words: int = 1, width: int | None = None) -> str:
    """Rows of text with their columns under each other: words to the left, figures to the right.

    Args:
        rows: each with as many cells.
        words: how many of the first columns are words.
        width: of a line at most, in characters; words are cut for it, those of the last such column first, down to 8,
            and then the lines. None cuts nothing.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for column in reversed(range(words)):
        over = 0 if width is None else sum(widths) + 2 * (len(widths) - 1) - width
        widths[column] = max(min(widths[column], _FEWEST), widths[column] - max(over, 0))
    rows = [[_cut(cell, size) for cell, size in zip(row, widths, strict=True)] for row in rows]
    lines = [
        "  ".join(
            cell.rjust(size) if column >= words else cell.ljust(size)
            for column, (cell, size) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines if width is None else [_cut(line, width) for line in lines])


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"
