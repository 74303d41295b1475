# SPDX-License-Identifier: GPL-2.0-only
"""A mutation switches one mechanism off, and names the tests that must each fail then: without any it would not be missed."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
# What a mechanism may be in, and what is found beside it.
_COPIED = ("bpf", "landlock_bpf", "policies")


@dataclasses.dataclass(frozen=True)
class Change:
    """One place of a source, and what is to stand there instead."""

    file: str
    old: str
    new: str


@dataclasses.dataclass(frozen=True)
class Mutation:
    """A mechanism, by a name: what switches it off, and tests (pytest's ids), each of which fails then.

    given: what must be otherwise for it to be needed at all, as memory that cannot be had; with that alone they pass.
    """

    name: str
    off: tuple[Change, ...]
    tests: tuple[str, ...]
    given: tuple[Change, ...] = ()

    @property
    def in_guest(self) -> tuple[str, ...]:
        """Those of its tests that need a kernel."""
        return tuple(test for test in self.tests if test.startswith("tests/kernel/"))

    @property
    def on_host(self) -> tuple[str, ...]:
        return tuple(test for test in self.tests if test not in self.in_guest)


def of_decision(name: str, old: str, new: str, test: str = "test_all_small_walks") -> Mutation:
    """Make one of the decision alone, whose tests need no kernel."""
    return Mutation(name, (Change("bpf/decide.h", old, new),), (f"tests/build/test_decide.py::{test}",))


def of_engine(name: str, file: str, old: str, new: str, *tests: str, given: tuple[Change, ...] = ()) -> Mutation:
    """Make one of the engine, whose tests need a kernel."""
    return of_places(name, (Change(f"bpf/{file}", old, new),), *tests, given=given)


def of_places(name: str, off: tuple[Change, ...], *tests: str, given: tuple[Change, ...] = ()) -> Mutation:
    """Make one of the engine that takes changes in several places."""
    return Mutation(name, off, tuple(f"tests/kernel/{test}" for test in tests), given)


def of_control(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    """Make one of the control side; the engine is the same."""
    return Mutation(name, (Change(f"landlock_bpf/{file}", old, new),), tuple(f"tests/{test}" for test in tests))


def apply(changes: Iterable[Change], folder: Path) -> dict[str, str]:
    """Copy the sources into a folder with changes made, and give the environment in which Python finds them.

    Raises ValueError where the text of one is not there once, as it must be.
    """
    for name in _COPIED:
        shutil.copytree(ROOT / name, folder / name)  # with the times that Python's caches go by
    for change in changes:
        text = (folder / change.file).read_text()
        if text.count(change.old) != 1:
            raise ValueError(f"{change.old!r} is {text.count(change.old)} times in {change.file}")
        (folder / change.file).write_text(text.replace(change.old, change.new))
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
