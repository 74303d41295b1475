# SPDX-License-Identifier: GPL-2.0-only
"""Somebody who walks through a small world of files and tries operations there: the system calls.

What prediction.py foretells, under the same names.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import gc
import mmap
import os
import stat
import struct
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from operation import ZERO, check

NOREPLACE, EXCHANGE = 1, 2
AT_EMPTY_PATH, AT_SYMLINK_FOLLOW = 0x1000, 0x400
TCGETS = 0x5401
NOWHERE = os.makedev(240, 0)  # a block device that is not there
TYPES = {"file": (stat.S_IFREG, 0), "fifo": (stat.S_IFIFO, 0), "sock": (stat.S_IFSOCK, 0)}
TYPES |= {"char": (stat.S_IFCHR, ZERO), "block": (stat.S_IFBLK, NOWHERE)}
# No open waits for the other end of a pipe.
ALWAYS = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_UNTRIED = 0x7FFFFFFF

_libc = ctypes.CDLL(None, use_errno=True)


class Operation(NamedTuple):
    """What is tried: on `path` beneath `at`, where @0 is the first held descriptor, @1 the second, and "" the root.

    truncate(2) and execve(2) begin at the root always.
    """

    act: str
    at: str
    path: str
    flags: int = 0
    at2: str = ""
    path2: str = ""
    word: str = ""
    flags2: int = 0


class Walker:
    """The root of a world is the root directory of its process, and its working directory."""

    def __init__(self, top: Path, held: Sequence[str]) -> None:
        self.held = [os.open(top / path, os.O_PATH | os.O_CLOEXEC) for path in held]
        self.root = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._proc = os.open("/proc/self/fd", os.O_PATH | os.O_CLOEXEC)

    def enter(self) -> None:
        os.fchdir(self.root)
        os.chroot(".")

    def outcome(self, operation: Operation) -> int:
        """Try an operation; the errno, 0 for success."""
        try:
            getattr(self, operation.act)(operation)
        except OSError as error:
            return error.errno or -1
        return 0

    def at(self, at: str) -> int:
        """Find where a relative path begins; leave() it after that."""
        if not at:
            return self.root
        return self.held[int(at[1:])] if at[0] == "@" else os.open(at, os.O_PATH | os.O_CLOEXEC)

    def leave(self, at: str, start: int) -> None:
        if at and at[0] != "@":
            os.close(start)

    def opened(self, operation: Operation, flags: int) -> int:
        """Open the path of an operation, or with none get where it would begin."""
        start = self.at(operation.at)
        try:
            if not operation.path:
                return os.dup(start)
            return os.open(operation.path, flags | ALWAYS, 0o700, dir_fd=start)
        finally:
            self.leave(operation.at, start)

    def open(self, operation: Operation) -> None:
        os.close(self.opened(operation, operation.flags))

    def reopen(self, operation: Operation) -> None:
        found = self.opened(operation, operation.flags | os.O_PATH)
        try:
            os.close(os.open(str(found), operation.flags2 | ALWAYS, 0o700, dir_fd=self._proc))
        finally:
            os.close(found)

    def ftruncate(self, operation: Operation) -> None:
        found = self.opened(operation, operation.flags)
        try:
            os.ftruncate(found, 8)
        finally:
            os.close(found)

    def ioctl(self, operation: Operation) -> None:
        found = self.opened(operation, operation.flags)
        try:
            fcntl.ioctl(found, TCGETS, bytes(64))
        finally:
            os.close(found)

    def truncate(self, operation: Operation) -> None:
        self._from(operation, lambda path, start: check(_libc.truncate(os.fsencode(path), ctypes.c_long(8))))

    def execute(self, operation: Operation) -> None:
        self._from(operation, lambda path, start: os.execve(path, [b"x"], {}))

    def stat(self, operation: Operation) -> None:
        self._from(operation, lambda path, start: os.stat(path, dir_fd=start, follow_symlinks=not operation.flags))

    def mkdir(self, operation: Operation) -> None:
        self._from(operation, lambda path, start: os.mkdir(path, 0o700, dir_fd=start))

    def mknod(self, operation: Operation) -> None:
        kind, device = TYPES[operation.word]
        self._from(operation, lambda path, start: os.mknod(path, kind | 0o700, device, dir_fd=start))

    def symlink(self, operation: Operation) -> None:
        self._from(operation, lambda path, start: os.symlink(operation.word, path, dir_fd=start))

    def unlink(self, operation: Operation) -> None:
        self._from(operation, lambda path, start: os.unlink(path, dir_fd=start))

    def rmdir(self, operation: Operation) -> None:
        self._from(operation, lambda path, start: os.rmdir(path, dir_fd=start))

    def link(self, operation: Operation) -> None:
        self._between(operation, _libc.linkat, AT_SYMLINK_FOLLOW if "follow" in operation.word else 0)

    def link_held(self, operation: Operation) -> None:
        self._connect(self.opened(operation, os.O_PATH), operation)

    def link_tmpfile(self, operation: Operation) -> None:
        self._connect(self.opened(operation, operation.flags), operation)

    def _connect(self, found: int, operation: Operation) -> None:
        try:
            start = self.at(operation.at2)
            try:
                check(_libc.linkat(found, b"", start, os.fsencode(operation.path2), AT_EMPTY_PATH))
            finally:
                self.leave(operation.at2, start)
        finally:
            os.close(found)

    def rename(self, operation: Operation) -> None:
        self._between(operation, _libc.renameat2, operation.flags)

    def _from(self, operation: Operation, act: Callable[[str, int], object]) -> None:
        start = self.at(operation.at)
        try:
            act(operation.path, start)
        finally:
            self.leave(operation.at, start)

    def _between(self, operation: Operation, act: Callable[..., int], flags: int) -> None:
        start = self.at(operation.at)
        try:
            start2 = self.at(operation.at2)
            try:
                check(act(start, os.fsencode(operation.path), start2, os.fsencode(operation.path2), flags))
            finally:
                self.leave(operation.at2, start2)
        finally:
            self.leave(operation.at, start)


class Way(NamedTuple):
    """What a walker does: in the world `top` it opens what it holds, does what comes before, confines itself, and tries."""

    top: Path
    held: Sequence[str]
    before: Sequence[Operation]
    confine: Callable[[], object]
    operations: Sequence[Operation]


def walk(way: Way) -> list[int]:
    """Go this way in a process of its own; gives the errnos, those of `before` left out."""
    with mmap.mmap(-1, 4 * len(way.operations) or 1) as shared:
        shared[: 4 * len(way.operations)] = array.array("i", [_UNTRIED] * len(way.operations)).tobytes()
        pid = os.fork()
        if pid == 0:
            try:
                _go(way, shared)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        found = array.array("i", shared[: 4 * len(way.operations)]).tolist()
    assert _UNTRIED not in found, f"{way.operations[found.index(_UNTRIED)]} never ended"
    return found


def _go(way: Way, found: mmap.mmap) -> None:
    gc.disable()  # it would touch, and so copy, all memory of the parent
    os.strerror(1)  # which may look for translations, but once
    os.umask(0)
    walker = Walker(way.top, way.held)
    here = os.open("/", os.O_PATH)
    walker.enter()
    for operation in way.before:
        walker.outcome(operation)
    os.fchdir(here)
    os.chroot(".")
    way.confine()
    walker.enter()
    for number, operation in enumerate(way.operations):
        struct.pack_into("i", found, 4 * number, walker.outcome(operation))


def listing(top: Path, depth: int = 0) -> dict[str, str]:
    """Give all that is in a world with its kind, as World.places() does."""
    kinds = {stat.S_IFDIR: "dir", stat.S_IFLNK: "link", **{kind: name for name, (kind, _) in TYPES.items()}}
    found = {} if depth else {".": "dir"}
    for name in os.listdir(top):
        kind = found[name] = kinds[stat.S_IFMT(os.lstat(top / name).st_mode)]
        if kind == "dir" and depth < 6:
            found |= {f"{name}/{path}": each for path, each in listing(top / name, depth + 1).items()}
    return found
