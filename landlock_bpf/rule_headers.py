# SPDX-License-Identifier: GPL-2.0-only
"""The headers of 2017 that rule sources include: ours alone, for a rule must not depend on what a host has installed."""

from __future__ import annotations

import functools
from pathlib import Path

from landlock_bpf import compiler

FOLDER = "include-2017"


def folder() -> Path:
    """The folder of the headers."""
    return compiler.source_dir() / FOLDER


@functools.cache
def names() -> tuple[str, ...]:
    """Name all headers, as they are written after #include."""
    return tuple(sorted(str(path.relative_to(folder())) for path in folder().rglob("*.h")))


def read(name: str) -> str:
    """Read one of names()."""
    return (folder() / name).read_text()
