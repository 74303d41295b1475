# SPDX-License-Identifier: GPL-2.0-only
"""Operations through io_uring, by raw system calls."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from operation import check

# include/uapi/asm-generic/unistd.h and include/uapi/linux/io_uring.h
SYS_SETUP, SYS_ENTER = 425, 426
OFFSET_OF_SQES = 0x10000000
OP_OPENAT, OP_URING_CMD = 18, 46
FLAG_ASYNC = 1 << 4
ENTER_GETEVENTS = 1
_PARAMS = struct.Struct("=10I 8IQ 8IQ")
_SQE = struct.Struct("=BBHiQQIIQ24x")
_CQE = struct.Struct("=QiI")

_libc = ctypes.CDLL(None, use_errno=True)


def openat(path: Path, *, in_worker: bool = False) -> int:
    """Open a file to be read; `in_worker`: never by the calling task itself, but by one that the kernel makes for it."""
    name = ctypes.create_string_buffer(os.fsencode(path))
    flags = FLAG_ASYNC if in_worker else 0
    with entry(OP_OPENAT, flags, 0, -100, 0, ctypes.addressof(name), 0, os.O_RDONLY, 1) as submit:
        return submit()


@contextlib.contextmanager
def entry(*words: int) -> Iterator[Callable[[], int]]:
    """Make a ring with one entry, its first words given; what the block gets submits it and gives its result."""
    params = ctypes.create_string_buffer(_PARAMS.size)
    ring = check(_libc.syscall(SYS_SETUP, 1, params))
    try:
        fields = _PARAMS.unpack(params)
        entries, completions = fields[0], fields[1]
        sq_tail, sq_array = fields[10 + 1], fields[10 + 6]
        cqes = fields[19 + 5]
        with (
            mmap.mmap(ring, max(sq_array + 4 * entries, cqes + _CQE.size * completions)) as both,
            mmap.mmap(ring, _SQE.size * entries, offset=OFFSET_OF_SQES) as sqes,
        ):
            _SQE.pack_into(sqes, 0, *words)
            struct.pack_into("=I", both, sq_array, 0)

            def submit() -> int:
                struct.pack_into("=I", both, sq_tail, 1)
                check(_libc.syscall(SYS_ENTER, ring, 1, 1, ENTER_GETEVENTS, None, ctypes.c_size_t(0)))
                _, result, _ = _CQE.unpack_from(both, cqes)
                if result < 0:
                    raise OSError(-result, os.strerror(-result))
                return int(result)

            yield submit
    finally:
        os.close(ring)
