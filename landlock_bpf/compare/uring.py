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

from landlock_bpf.compare import calls

# include/uapi/asm-generic/unistd.h and include/uapi/linux/io_uring.h
SYS_SETUP, SYS_ENTER, SYS_REGISTER = 425, 426, 427
REGISTER_PERSONALITY = 9
OFFSET_OF_SQES = 0x10000000
OP_OPENAT, OP_WRITE, OP_URING_CMD = 18, 23, 46
OP_RENAMEAT, OP_UNLINKAT, OP_MKDIRAT, OP_SYMLINKAT, OP_LINKAT = 35, 36, 37, 38, 39
OP_SETXATTR, OP_GETXATTR = 42, 44
FLAG_ASYNC = 1 << 4
ENTER_GETEVENTS = 1
_PARAMS = struct.Struct("=10I 8IQ 8IQ")
_SQE = struct.Struct("=BBHiQQIIQ24x")
_PERSONALITY, _ADDR3 = 42, 48  # offsets in an entry
_CQE = struct.Struct("=QiI")


def openat(path: Path, *, in_worker: bool = False) -> int:
    """Open a file to be read; `in_worker`: never by the calling task itself, but by one that the kernel makes for it."""
    name = ctypes.create_string_buffer(os.fsencode(path))
    flags = FLAG_ASYNC if in_worker else 0
    with entry(OP_OPENAT, flags, 0, calls.AT_FDCWD, 0, ctypes.addressof(name), 0, os.O_RDONLY, 1) as submit:
        return submit()


def write(fd: int, data: bytes, *, in_worker: bool = False) -> int:
    """Write to an open file; `in_worker`: see openat()."""
    buffer = ctypes.create_string_buffer(data, len(data))
    flags = FLAG_ASYNC if in_worker else 0
    with entry(OP_WRITE, flags, 0, fd, 0, ctypes.addressof(buffer), len(data), 0, 1) as submit:
        return submit()


def rename(old: Path, new: Path) -> None:
    _with_two_paths(OP_RENAMEAT, old, new)


def link(old: Path, new: Path) -> None:
    _with_two_paths(OP_LINKAT, old, new)


def unlink(path: Path) -> None:
    name = ctypes.create_string_buffer(os.fsencode(path))
    with entry(OP_UNLINKAT, 0, 0, calls.AT_FDCWD, 0, ctypes.addressof(name), 0, 0, 1) as submit:
        submit()


def mkdir(path: Path) -> None:
    name = ctypes.create_string_buffer(os.fsencode(path))
    with entry(OP_MKDIRAT, 0, 0, calls.AT_FDCWD, 0, ctypes.addressof(name), 0o700, 0, 1) as submit:
        submit()


def symlink(target: str, path: Path) -> None:
    told, name = ctypes.create_string_buffer(target.encode()), ctypes.create_string_buffer(os.fsencode(path))
    with entry(OP_SYMLINKAT, 0, 0, calls.AT_FDCWD, ctypes.addressof(name), ctypes.addressof(told), 0, 0, 1) as submit:
        submit()


def setxattr(path: Path, attribute: str, value: bytes, *, before: Callable[[], object] | None = None) -> None:
    """Set an attribute; with the credentials from before `before` was called, if given."""
    _xattr(OP_SETXATTR, path, attribute, ctypes.create_string_buffer(value, len(value)), before)


def getxattr(path: Path, attribute: str) -> None:
    _xattr(OP_GETXATTR, path, attribute, ctypes.create_string_buffer(64))


def _with_two_paths(operation: int, old: Path, new: Path) -> None:
    first, second = ctypes.create_string_buffer(os.fsencode(old)), ctypes.create_string_buffer(os.fsencode(new))
    at = calls.AT_FDCWD & 0xFFFFFFFF
    with entry(operation, 0, 0, calls.AT_FDCWD, ctypes.addressof(second), ctypes.addressof(first), at, 0, 1) as submit:
        submit()


def _xattr(
    operation: int,
    path: Path,
    attribute: str,
    value: ctypes.Array[ctypes.c_char],
    before: Callable[[], object] | None = None,
) -> None:
    name, where = ctypes.create_string_buffer(attribute.encode()), ctypes.create_string_buffer(os.fsencode(path))
    words = operation, 0, 0, 0, ctypes.addressof(value), ctypes.addressof(name), len(value), 0, 1
    with entry(*words, third=ctypes.addressof(where), before=before) as submit:
        submit()


@contextlib.contextmanager
def entry(*words: int, third: int = 0, before: Callable[[], object] | None = None) -> Iterator[Callable[[], int]]:
    """Make a ring with one entry, its first words given, and addr3; what the block gets submits it and gives its result.

    With `before`, it is done with the credentials that we have now, after that has changed ours.
    """
    params = ctypes.create_string_buffer(_PARAMS.size)
    ring = calls.system_call(SYS_SETUP, 1, params)
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
            struct.pack_into("=Q", sqes, _ADDR3, third)
            if before:
                personality = calls.system_call(SYS_REGISTER, ring, REGISTER_PERSONALITY, None, 0)
                struct.pack_into("=H", sqes, _PERSONALITY, personality)
                before()
            struct.pack_into("=I", both, sq_array, 0)

            def submit() -> int:
                struct.pack_into("=I", both, sq_tail, 1)
                calls.system_call(SYS_ENTER, ring, 1, 1, ENTER_GETEVENTS, None, ctypes.c_size_t(0))
                _, result, _ = _CQE.unpack_from(both, cqes)
                if result < 0:
                    raise OSError(-result, os.strerror(-result))
                return int(result)

            yield submit
    finally:
        os.close(ring)
