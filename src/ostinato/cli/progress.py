"""Progress with rate and time to go, on a terminal only."""

import sys
from collections.abc import Iterable
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
