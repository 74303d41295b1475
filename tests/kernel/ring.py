# SPDX-License-Identifier: GPL-2.0-only
"""A ring of io_uring whose entries a thread of the kernel's takes by itself, beside the process that made it."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
from pathlib import Path

import deadline

from landlock_bpf.compare import calls, uring

# include/uapi/linux/io_uring.h
SETUP_SQPOLL, NEED_WAKEUP, ENTER_WAKEUP = 2, 1, 2
ENTRIES, IDLE_MILLISECONDS = 2, 60000
_PARAMS = struct.Struct("=10I 8IQ 8IQ")
_ENTRY = struct.Struct("=BBHiQQIIQ24x")
_DONE = struct.Struct("=QiI")


class Ring:
    """A ring with such a thread; it takes one entry."""

    def __init__(self) -> None:
        asked = struct.pack("=5I", 0, 0, SETUP_SQPOLL, 0, IDLE_MILLISECONDS)
        params = ctypes.create_string_buffer(asked, _PARAMS.size)
        self.fd = calls.system_call(uring.SYS_SETUP, ENTRIES, params)
        found = _PARAMS.unpack(params)
        entries, completions = found[0], found[1]
        self._tail, self._flags, self._array = found[10 + 1], found[10 + 4], found[10 + 6]
        self._done_tail, self._done = found[19 + 1], found[19 + 5]
        self._both = mmap.mmap(self.fd, max(self._array + 4 * entries, self._done + _DONE.size * completions))
        self._entries = mmap.mmap(self.fd, _ENTRY.size * entries, offset=uring.OFFSET_OF_SQES)

    def openat(self, path: Path) -> int:
        """Have a file opened to be read."""
        name = ctypes.create_string_buffer(os.fsencode(path))
        words = uring.OP_OPENAT, 0, 0, calls.AT_FDCWD, 0, ctypes.addressof(name), 0, os.O_RDONLY, 1
        _ENTRY.pack_into(self._entries, 0, *words)
        self._write(self._array, 0)
        self._write(self._tail, 1)
        if self._read(self._flags) & NEED_WAKEUP:
            calls.system_call(uring.SYS_ENTER, self.fd, 0, 0, ENTER_WAKEUP, None, ctypes.c_size_t(0))
        deadline.until(lambda: self._read(self._done_tail) == 1, "the thread has taken the entry")
        _, result, _ = _DONE.unpack_from(self._both, self._done)
        if result < 0:
            raise OSError(-result, errno.errorcode[-result], str(path))
        return int(result)

    def _read(self, at: int) -> int:
        return int(struct.unpack_from("=I", self._both, at)[0])

    def _write(self, at: int, value: int) -> None:
        struct.pack_into("=I", self._both, at, value)
