# SPDX-License-Identifier: GPL-2.0-only
"""How far a run has come: a bar on a terminal, nothing in a pipe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Tell = Callable[[str], None]


@contextlib.contextmanager
def bar(steps: int) -> Iterator[Tell]:
    """Show a bar of so many steps on the standard error; each call tells what the next one is about."""
    if not sys.stderr.isatty():
        yield lambda words: None
        return
    import rich.console  # slow to load, and not needed in a pipe
    import rich.progress

    bar, time = rich.progress.BarColumn(), rich.progress.TimeElapsedColumn()
    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(bar, time, "{task.description}", console=console, transient=True) as shown:
        task = shown.add_task("", total=steps)
        yield lambda words: shown.update(task, advance=1, description=words)
