# SPDX-License-Identifier: GPL-2.0-only
"""The type of the filesystem that a path leads to, as statfs(2) has it."""

from __future__ import annotations

import ctypes
import functools
import os
import sys

_ROOM = 256  # for struct statfs, which begins with f_type, a long


def magic(path: str | os.PathLike[str]) -> int | None:
    """Give the magic number of a filesystem (linux/magic.h); None where the path cannot be looked at."""
    buffer = ctypes.create_string_buffer(_ROOM)
    if _libc().statfs(os.fsencode(path), buffer):
        return None
    return int.from_bytes(buffer.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
