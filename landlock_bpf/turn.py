# SPDX-License-Identifier: GPL-2.0-only
"""A command's turn at the engine: nobody else has the lock, and what killed commands left has been swept up."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from landlock_bpf import approach, domain, engine, errors, installation, record, sweep

Turn = tuple[engine.Engine, list[domain.Slot]]


@contextlib.contextmanager
def loaded() -> Iterator[Turn]:
    """Give the engine, loaded if it is not yet, and the domains in force."""
    with _without_collector(), record.locked(), installation.load() as live:
        record.guard(live)
        approach.tell(live)
        yield live, sweep.sweep(live)


@contextlib.contextmanager
def changing() -> Iterator[Turn]:
    """As loaded(), for commands that change a domain: without an engine there is none, and none is loaded to say so."""
    with find_engine(), loaded() as turn:
        yield turn


@contextlib.contextmanager
def found() -> Iterator[Turn]:
    """As loaded(), for commands that have nothing to do where no engine is loaded."""
    with _without_collector(), record.locked(), find_engine() as live:
        yield live, sweep.sweep(live)


def find_engine() -> engine.Engine:
    """Find the engine; NotFoundError where it is not loaded."""
    live = engine.find()
    if live is None:
        raise errors.NotFoundError("no domain is in force: the engine is not loaded; `run` and `attach` load it")
    return live


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Do without Python's collector of garbage: nothing of ten thousand rules is any, and it would look at all of them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
