"""What commands show on a terminal: what they say on the way, progress, and tables; and how Ctrl-C stops them.

A log line, or a line that is said, never lands on a bar: the bar makes room for it.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

SHORT = 0.2  # seconds: what takes no longer needs no bar
_SPARKS = "▁▂▃▄▅▆▇█"
_FEWEST = 8  # characters that are left of words

_OURS = logging.getLogger("ostinato")


@contextlib.contextmanager
def told_at(level: str) -> Iterator[None]:
    """For the time of a block, write what is logged to stderr, and say no more than the level asks for.

    Args:
        level: of logging. Above INFO nothing is said on the way, and no bar is shown.
    """
    root, handler = logging.getLogger(), _Handler()
    before = root.level, _OURS.level
    root.addHandler(handler)
    root.setLevel(level)
    _OURS.setLevel(level)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        _OURS.setLevel(before[1])


class _Handler(logging.StreamHandler[Any]):
    """Writes lines to stderr, above the bars."""

    def emit(self, record: logging.LogRecord) -> None:
        with _above_bars():
            super().emit(record)


def _above_bars() -> contextlib.AbstractContextManager[object]:
    """For the time of a block, no bar is on the terminal."""
    if "tqdm" not in sys.modules:  # then there is none
        return contextlib.nullcontext()
    from tqdm import tqdm

    return tqdm.external_write_mode(file=sys.stderr)


def say(*lines: str) -> None:
    """Print what a command tells on the way. What it is asked for, such as a table, it prints."""
    if lines and not _is_quiet():
        with _above_bars():
            print(*lines, sep="\n", flush=True)


def _is_quiet() -> bool:
    return _OURS.level > logging.INFO


def shows_bars() -> bool:
    """Whether there is somebody to see how far the work is: a bar is costly to load."""
    return sys.stderr.isatty() and not _is_quiet()


def bar(*, total: int | None = None, unit: str, **options: Any) -> Any:
    """A tqdm bar to `update()` and `close()`; nothing is shown where nobody sees it.

    Args:
        total: how many there are, if known.
        unit: what one is called.
        options: further options of tqdm.
    """
    from tqdm import tqdm

    # Its watching thread would keep worker processes from being forked, and they would have to import everything anew.
    tqdm.monitor_interval = 0
    return tqdm(total=total, unit=" " + unit, disable=not shows_bars(), dynamic_ncols=True, **options)


@contextlib.contextmanager
def progress(unit: str, total: int | None = None, **options: Any) -> Iterator[Callable[[int], Any]]:
    """A bar for the time of a block, which ends at 100 %; gives what to call with how many more are done.

    Args:
        unit: what is counted.
        total: how many there are; where it turns out otherwise, what was done is all.
        options: further options of tqdm.
    """
    if not shows_bars():
        yield _nothing
        return
    with bar(total=total, unit=unit, **options) as shown:
        yield shown.update
        finish(shown)


@contextlib.contextmanager
def progress_of_files(name: str = "") -> Iterator[Callable[[int, int], None] | None]:
    """The same for work that tells itself how many files are done, and how many there are; None where nobody sees it.

    Args:
        name: what stands before the bar.
    """
    if not shows_bars():
        yield None
        return
    with bar(unit="files", desc=name, delay=SHORT) as shown:

        def show(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield show
        finish(shown)


def finish(shown: Any) -> None:
    """Let a bar end at 100 %."""
    shown.total = shown.n


def _nothing(done: int) -> None:
    pass


@dataclass(slots=True)
class Signals:
    """What came while the work went on: whether a stop was asked for, and the exit code that says so."""

    stop: threading.Event = field(default_factory=threading.Event)
    exit_code: int = 0


@contextlib.contextmanager
def stopped_by_signals(*, patient: bool) -> Iterator[Signals]:
    """For the time of a block, let Ctrl-C and SIGTERM ask for a stop; a second Ctrl-C ends it at once.

    Args:
        patient: pass over any second signal: torchrun sends its own after the terminal's.
    """
    signals = Signals()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if signals.stop.is_set() and number == signal.SIGINT and not patient:
            raise KeyboardInterrupt
        signals.stop.set()
        signals.exit_code = signals.exit_code or 128 + number  # as a shell tells it
        _OURS.info("stopping after this step")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """A curve in one line: the lowest value is the lowest block.

    Args:
        values: one or more numbers.
        width: of the curve in characters, at most; of more values some are left out, never the last.
    """
    count = min(len(values), width)
    shown = [values[round(len(values) * (place + 1) / count) - 1] for place in range(count)]
    low, span = min(shown), max(shown) - min(shown)
    return "".join(_SPARKS[round((value - low) / span * (len(_SPARKS) - 1)) if span else 0] for value in shown)


def terminal_width() -> int:
    """How many characters a line of the terminal holds; 80 where there is none."""
    # As shutil does it, whose loading takes longer than all of `ostinato --help`.
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):  # no stdout, a closed one, no terminal
        return 80


def room() -> int | None:
    """How wide what is printed may be; None where it goes into a pipe or a file, which hold any line."""
    return terminal_width() if sys.stdout.isatty() else None


def cut(line: str) -> str:
    """A line that the terminal holds without breaking it."""
    width = room()
    return line if width is None else _cut(line, width)


def wrapped(text: str, *, indent: str = "", width: int) -> str:
    """Text in lines of this many characters at most, those after the first a little further in."""
    import textwrap

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


def figures_table(rows: Sequence[Sequence[str]], width: int | None) -> str:
    """A table of a word and its figures; where it is too wide, several below each other with some columns each.

    Args:
        rows: each with as many cells.
        width: of a line at most; None keeps all columns beside each other.
    """
    sizes = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    blocks: list[list[int]] = [[]]
    for column in range(1, len(sizes)):
        taken = sizes[0] + sum(sizes[each] for each in [*blocks[-1], column]) - 2
        if width is not None and blocks[-1] and taken > width:
            blocks.append([])
        blocks[-1].append(column)
    return "\n\n".join(
        text_table([[row[0], *(row[column] for column in block)] for row in rows], width=width) for block in blocks
    )


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"
