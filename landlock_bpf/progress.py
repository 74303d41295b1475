# SPDX-License-Identifier: GPL-2.0-only
"""How far a run has come: a bar on a terminal, nothing in a pipe."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator

Tell = Callable[[str], None]
WIDTH = 30
_CLEAR = "\r\033[K"


@contextlib.contextmanager
def bar(steps: int) -> Iterator[Tell]:
    """Show a bar of so many steps on the standard error, until the end of the block.

    Each call of what the block gets begins a step, and tells what it is about.
    """
    if not sys.stderr.isatty():
        yield lambda words: None
        return
    begun, start = 0, time.monotonic()

    def tell(words: str) -> None:
        nonlocal begun
        done = WIDTH * min(begun, steps) // steps
        begun += 1
        minutes, seconds = divmod(int(time.monotonic() - start), 60)
        line = f"[{'#' * done:{WIDTH}}] {minutes}:{seconds:02} {words}"
        # A line that is wrapped could not be cleared.
        _write(line[: shutil.get_terminal_size().columns - 1])

    try:
        yield tell
    finally:
        _write("")


def _write(line: str) -> None:
    print(f"{_CLEAR}{line}", end="", file=sys.stderr, flush=True)
