# SPDX-License-Identifier: GPL-2.0-only
"""A FUSE filesystem with one file, `file`, that stands for another one: its server reads that, or passes it through."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from landlock_bpf.compare import calls

# include/uapi/linux/fuse.h
LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 18, 25, 26
INIT_EXT, PASSTHROUGH = 1 << 30, 1 << 5  # the latter in flags2
FOPEN_DIRECT_IO, FOPEN_PASSTHROUGH = 1, 1 << 7
DEV_IOC_BACKING_OPEN = 0x4010E501
_REQUEST = struct.Struct("=IIQQ")  # length, operation, number, node; 16 bytes more are of no use
_HEADER = 40
_ANSWER = struct.Struct("=IiQ")
_ROOT, _FILE = 1, 2


class Server:
    """Serves requests in a thread. `by_path`: pass the file through by a descriptor that gives no right to it."""

    def __init__(self, target: Path, *, by_path: bool) -> None:
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        self._target = target
        self._by_path = by_path
        self._size = 4
        self.asked = 0  # requests that came
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            INIT: self._init,
            LOOKUP: lambda node, said: struct.pack("=4Q2I", _FILE, 1, 0, 0, 0, 0) + self._attributes(_FILE),
            GETATTR: lambda node, said: struct.pack("=QII", 0, 0, 0) + self._attributes(node),
            OPEN: self._open,
            READ: self._read,
            RELEASE: lambda node, said: b"",
            FLUSH: lambda node, said: b"",
        }

    def mount(self, place: Path) -> None:
        calls.mount("fuse", place, "fuse", 0, f"fd={self.fd},rootmode=40000,user_id=0,group_id=0")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # ENODEV: it is unmounted
            while True:
                request = os.read(self.fd, 1 << 17)
                _, operation, number, node = _REQUEST.unpack_from(request)
                self.asked += 1
                if operation == FORGET:
                    continue
                error, answer = 0, b""
                try:
                    answer = self._answers[operation](node, request[_HEADER:])
                except OSError as raised:
                    error = -(raised.errno or errno.EIO)
                except KeyError:
                    error = -errno.ENOSYS
                os.write(self.fd, _ANSWER.pack(_ANSWER.size + len(answer), error, number) + answer)

    def _init(self, node: int, said: bytes) -> bytes:
        stacked = 1  # filesystems beneath this one
        return struct.pack("=4I2H2I2H2I24x", 7, 40, 65536, INIT_EXT, 16, 12, 65536, 1, 16, 0, PASSTHROUGH, stacked)

    def _attributes(self, node: int) -> bytes:
        mode, size = (0o40755, 0) if node == _ROOT else (0o100644, self._size)
        return struct.pack("=6Q10I", node, size, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _open(self, node: int, said: bytes) -> bytes:
        if not self._by_path:
            return struct.pack("=QIi", 1, FOPEN_DIRECT_IO, 0)
        backing = os.open(self._target, os.O_PATH)
        asked = struct.pack("=iIQ", backing, 0, 0)
        return struct.pack("=QIi", 1, FOPEN_PASSTHROUGH, calls.check(calls.libc.ioctl(self.fd, DEV_IOC_BACKING_OPEN, asked)))

    def _read(self, node: int, said: bytes) -> bytes:
        _, offset, size = struct.unpack_from("=QQI", said)
        return self._target.read_bytes()[offset : offset + size]


_held: list[Server] = []


def hold(place: Path, target: Path) -> int:
    """Mount such a filesystem, served by this process to its end, and open its file; the descriptor."""
    _held.append(Server(target, by_path=False))
    _held[-1].mount(place)
    return os.open(place / "file", os.O_RDONLY)


def requests() -> int:
    """Count the requests to servers of what this process holds."""
    return sum(server.asked for server in _held)


def read_by(place: Path, target: Path, *, by_path: bool) -> bytes:
    """Mount such a filesystem, served by this process to its end, and read its file."""
    Server(target, by_path=by_path).mount(place)
    return (place / "file").read_bytes()
