# SPDX-License-Identifier: GPL-2.0-only
"""Paths as people write them: made absolute without a look at the filesystem; what no path can be; where one leads."""

from __future__ import annotations

import os

# PATH_MAX without the NUL at its end (limits.h): the longest path that a system call takes.
LONGEST = 4095


def tidy(path: str) -> str:
    """Drop empty and "." steps; ".." stays, because only the file system knows where it leads past a symbolic link."""
    if not path.startswith("/"):
        return path
    return "/" + "/".join(step for step in path.split("/") if step not in ("", "."))


def absolute(path: str) -> str:
    """Tidy a path that counts from the working directory if it is relative; OSError where that is gone."""
    return tidy(path if path.startswith("/") else os.path.join(os.getcwd(), path))


def flaw(path: str) -> tuple[str, str] | None:
    """Say why no object can have an absolute path, and the remedy."""
    if "\0" in path:
        return "has a NUL in it", "no path on Linux can; remove it"
    try:
        length = len(os.fsencode(path))
    except UnicodeEncodeError:
        return "has half of a UTF-16 pair in it", "write the character itself"
    if length > LONGEST:
        return f"is longer than the {LONGEST} bytes of a path", "name a directory above it"
    return None


def is_at(path: str, status: os.stat_result) -> bool:
    """Whether a path leads to what is open: what was removed, is hidden by a mount, or never had a path has none such."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return os.path.samestat(found, status)
