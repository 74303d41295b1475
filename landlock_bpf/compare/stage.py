# SPDX-License-Identifier: GPL-2.0-only
"""The stage: the tree really there, and who is outside of all mechanisms, for as long as the comparison runs.

The tree is on a tmpfs in a mount namespace of our own, so the kernel takes it away however we end.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from landlock_bpf.compare import calls, statements
from landlock_bpf.compare import scene as scenes
from landlock_bpf.compare.scene import ATTRIBUTE, PROGRAM, TEXT

URANDOM = os.makedev(1, 9)
CLOCK_REALTIME_COARSE = 5  # include/uapi/linux/time.h: the clock that file times are taken from
# What stays where it is, for rules are tied to it, or an inherited descriptor leads to it.
_FOLDERS = tuple(dict.fromkeys((scenes.WORK, scenes.SECRET, f"{scenes.SECRET}/deep", scenes.RO, *scenes.PLACES.values())))
_LEAKED = f"{scenes.SECRET}/leaked"

Snapshot = dict[str, tuple[int, ...]]


class Stage:
    """A scene that is there; a context manager, and only once in a process, whose mount namespace it changes."""

    def __init__(self, policy: Path) -> None:
        self._policy = policy.absolute()
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Stage:
        with contextlib.ExitStack() as undo:
            # What is mounted elsewhere meanwhile is seen here, and nothing of this there.
            point = Path(tempfile.mkdtemp(prefix="landlock-bpf-compare."))
            undo.callback(point.rmdir)
            calls.unshare()
            calls.mount("none", point, "tmpfs", data="mode=755")
            undo.callback(calls.umount, point, calls.MNT_DETACH)
            self._root = point
            for name in _FOLDERS:
                (point / name).mkdir(parents=True, exist_ok=True)
            (point / _LEAKED).write_text(TEXT)
            (point / scenes.BOUND).mkdir()
            calls.mount(point / scenes.SECRET, point / scenes.BOUND, flags=calls.MS_BIND)
            self._bound = str(point / scenes.BOUND)
            self._folders = {str(point / name): _keep(undo, os.open(point / name, os.O_PATH)) for name in _FOLDERS}
            lasting = {*self._folders, self._bound, str(point / _LEAKED)}
            parents = (str(point), *self._folders)
            self._kept = {folder: {path for path in lasting if os.path.dirname(path) == folder} for folder in parents}
            self.scene = self._populate(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _populate(self, undo: contextlib.ExitStack) -> scenes.Scene:
        """Open what members inherit, and have a process and sockets outside."""
        file = _keep(undo, os.open(self._root / _LEAKED, os.O_RDONLY))
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        undo.callback(self.channel.close)
        undo.callback(theirs.close)
        self._theirs = theirs
        sleeper = subprocess.Popen(
            ("sleep", "infinity"), pass_fds=(file,), preexec_fn=calls.end_with_parent, stdin=subprocess.DEVNULL
        )
        undo.callback(sleeper.wait)
        undo.callback(sleeper.kill)
        abstract = f"landlock-bpf-compare-{os.getpid()}"
        stream = undo.enter_context(socket.socket(socket.AF_UNIX))
        stream.bind(f"\0{abstract}")
        packets = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        packets.bind(f"\0{abstract}-packets")
        packets.setblocking(False)
        tcp = undo.enter_context(socket.socket())
        tcp.bind(("127.0.0.1", 0))
        udp = undo.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        for made in (stream, tcp):
            made.listen(1024)
        return scenes.Scene(
            root=self._root,
            policy=str(self._policy),
            statements=statements.of(statements.load(self._policy, self._root), self._root),
            outsider=sleeper.pid,
            abstract=abstract,
            tcp=tcp.getsockname()[1],
            udp=udp.getsockname()[1],
            channel=theirs.fileno(),
            folder=_keep(undo, os.open(self._root / scenes.SECRET, os.O_PATH)),
            file=file,
        )

    def renew(self, places: Iterable[str]) -> None:
        """Have the tree as it was at first, and fill the folders of places anew."""
        self._put_back()
        for folder, kept in self._kept.items():
            _clear(folder, kept)
        os.lseek(self.scene.file, 0, os.SEEK_SET)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._theirs.recv(1, socket.MSG_DONTWAIT)
        for place in places:
            populate(self.scene.at(place))

    def _put_back(self) -> None:
        """Move folders back that were renamed, and give them their mode; rules are tied to these very ones."""
        for right, fd in self._folders.items():
            found = os.readlink(f"/proc/self/fd/{fd}")
            if found != right:
                calls.swap(found, right) if os.path.exists(right) else os.rename(found, right)
            status = os.stat(right)
            if (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) != (0, 0, 0o755):
                os.chown(right, 0, 0)
                os.chmod(right, 0o755)

    def snapshot(self) -> Snapshot:
        """Tell of each file in the tree all that an operation may change, once a change from now on has a later time."""
        found: Snapshot = {}
        self._look(str(self._root), found)
        newest = max(status[-1] for status in found.values())
        while time.clock_gettime_ns(CLOCK_REALTIME_COARSE) <= newest:
            time.sleep(0.001)
        return found

    def _look(self, folder: str, found: Snapshot) -> None:
        found[folder] = _status(os.lstat(folder))
        for each in os.scandir(folder):
            if not each.is_dir(follow_symlinks=False):
                found[each.path] = _status(os.lstat(each.path))
            elif each.path != self._bound:  # another way to what is looked at anyway
                self._look(each.path, found)


def _keep(undo: contextlib.ExitStack, fd: int) -> int:
    undo.callback(os.close, fd)
    return fd


def _status(status: os.stat_result) -> tuple[int, ...]:
    times = status.st_mtime_ns, status.st_ctime_ns
    return status.st_mode, status.st_ino, status.st_nlink, status.st_uid, status.st_gid, status.st_size, *times


def populate(folder: Path) -> None:
    """Put something for each operation into a folder."""
    where = str(folder)  # joined as text: this is done thousands of times, and by slow guests
    for name in ("folder", "full"):
        os.mkdir(f"{where}/{name}")
    for name in ("file", "victim", "full/file"):
        _make(f"{where}/{name}", TEXT.encode(), 0o644)
    os.setxattr(f"{where}/file", ATTRIBUTE, b"x")
    os.symlink("file", f"{where}/link")
    os.mkfifo(f"{where}/fifo")
    os.mknod(f"{where}/device", stat.S_IFCHR | 0o666, URANDOM)
    _make(f"{where}/program", _program(), 0o755)
    _make(f"{where}/script", b"#!/bin/sh\nexit 0\n", 0o755)


def _make(path: str, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    os.write(fd, data)
    os.close(fd)


@functools.cache
def _program() -> bytes:
    return PROGRAM.read_bytes()


def _clear(folder: str, kept: set[str]) -> None:
    for each in os.scandir(folder):
        if each.path in kept:
            continue
        if each.is_dir(follow_symlinks=False):
            shutil.rmtree(each.path)
        else:
            os.unlink(each.path)
