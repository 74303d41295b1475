# SPDX-License-Identifier: GPL-2.0-only
"""The type of a filesystem, as statfs(2) has it."""

from __future__ import annotations

import ctypes
import os
import sys

from landlock_bpf import libc

# include/uapi/linux/magic.h
CGROUP2_SUPER_MAGIC, BPF_FS_MAGIC = 0x63677270, 0xCAFE4A11
_ROOM = 256  # for struct statfs, which begins with f_type, a long


def magic(place: int | str | os.PathLike[str]) -> int | None:
    """Give the magic number (linux/magic.h) of the filesystem of a path or an open descriptor, an O_PATH one too.

    None where it cannot be looked at.
    """
    buffer = ctypes.create_string_buffer(_ROOM)
    functions = libc.library()
    failed = functions.fstatfs(place, buffer) if isinstance(place, int) else functions.statfs(os.fsencode(place), buffer)
    return None if failed else int.from_bytes(buffer.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) & 0xFFFFFFFF
