# SPDX-License-Identifier: GPL-2.0-only
"""Rule programs do what they did in 2017: the behaviour that the tests of Landlock's patch series v5 to v7 looked for."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import fcntl
import functools
import mmap
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import deadline
import file_call
import operation
import path_call
import pytest
import rule
import trial

from landlock_bpf import controller
from landlock_bpf.compare import calls, programs

URANDOM = Path("/dev/urandom")
ZERO = Path("/dev/zero")
_SHARED, _PRIVATE = mmap.MAP_SHARED, mmap.MAP_PRIVATE
_R, _RW, _RX = mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_WRITE, mmap.PROT_READ | mmap.PROT_EXEC
_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass
class Place:
    """What a process has before it is confined: a folder, and what it opened."""

    folder: Path
    read_only: int = -1
    write_only: int = -1
    both: int = -1
    mapped: int = 0
    fifo: int = -1
    terminal: int = -1
    null: int = -1
    sockets: tuple[int, ...] = ()
    event: int = -1
    memory: int = -1


@contextlib.contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Make a folder with something for each try, in a mount namespace of the process's own, and open some of it."""
    operation.populate(folder)
    file = folder / "file"
    operation.check(_libc.setxattr(os.fsencode(file), path_call.XATTR, b"value", ctypes.c_size_t(5), 0))
    calls.unshare()
    for name in ("mounted", "root"):
        (folder / name).mkdir()
        calls.mount("none", folder / name, "tmpfs")
    (folder / "root" / "old").mkdir()
    here = Place(
        folder,
        os.open(file, os.O_RDONLY),
        os.open(file, os.O_WRONLY),
        os.open(file, os.O_RDWR),
        fifo=os.open(folder / "fifo", os.O_RDWR),
        terminal=pty.openpty()[1],
        null=os.open(os.devnull, os.O_RDWR),
        sockets=tuple(each.detach() for each in socket.socketpair()),
        event=os.eventfd(0),
        memory=os.memfd_create("memory"),
    )
    here.mapped = file_call.map_file(here.both, _R, _SHARED)
    yield here


@dataclasses.dataclass(frozen=True)
class Row:
    """What is tried: its errno under the rule, and without."""

    run: Callable[[Place], object]
    denied: int = 0
    alone: int = 0

    def __str__(self) -> str:
        return self.run.__name__


def confined(rows: tuple[Row, ...], tree: Path, cgroup: Path) -> dict[Row, int]:
    """Try all rows in a process that was there, and had its files, before it came into a control group with rules."""
    found = trial.run(functools.partial(place, tree / "place"), [row.run for row in rows], functools.partial(join, cgroup))
    return dict(zip(rows, found))


def join(cgroup: Path, pid: int) -> None:
    (cgroup / "cgroup.procs").write_text(str(pid))


by_loader = pytest.mark.parametrize("loader", rule.LOADERS)


def touch(name: str, flags: int) -> Callable[[Place], None]:
    """Make a try that opens something in the folder."""

    def run(here: Place) -> None:
        operation.touch(here.folder / name, flags)

    return run


def named(name: str, run: Callable[[Place], object], denied: int = 0, alone: int = 0) -> Row:
    """Make a row of a function that has no name of its own."""

    def named(here: Place) -> object:
        return run(here)

    named.__name__ = name
    return Row(named, denied, alone)


def mapping(descriptor: str, protection: int, flags: int) -> Callable[[Place], object]:
    return lambda here: file_call.map_file(getattr(here, descriptor), protection, flags)


def write(descriptor: str) -> Callable[[Place], object]:
    return lambda here: os.write(getattr(here, descriptor), b"12345678")


def read(descriptor: str) -> Callable[[Place], object]:
    return lambda here: os.read(getattr(here, descriptor), 1)


_OPEN_RO, _OPEN_WO, _OPEN_RW, _DIR = os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_DIRECTORY
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY
_EPERM, _EBADF = errno.EPERM, errno.EBADF

# The tests of files, mounts and memory, whose rule denies all that has the bit WRITE.
NO_WRITE = (
    named("tmpfile", touch("folder", os.O_TMPFILE | os.O_RDWR), _EPERM),
    named("open_read", touch("file", _OPEN_RO)),
    named("open_write", touch("file", _OPEN_WO), _EPERM),
    named("open_update", touch("file", _OPEN_RW), _EPERM),
    named("create", touch("new", _NEW), _EPERM),
    named("write_to_read_only", write("read_only"), _EBADF, _EBADF),
    named("read_from_read_only", read("read_only")),
    named("write_to_both", write("both"), _EPERM),
    named("read_from_both", read("both")),
    named("write_to_write_only", write("write_only"), _EPERM),
    named("read_from_write_only", read("write_only"), _EBADF, _EBADF),
    named("unlink", lambda here: os.unlink(here.folder / "file"), _EPERM),
    named("rmdir", lambda here: os.rmdir(here.folder / "folder"), _EPERM),
    named("bind", lambda here: calls.mount(here.folder / "other", here.folder / "folder", flags=calls.MS_BIND), _EPERM),
    named("umount", lambda here: calls.umount(here.folder / "mounted"), _EPERM),
    named("map_shared_to_read", mapping("both", _R, _SHARED)),
    named("protect_shared_to_write", lambda here: file_call.protect(here.mapped, _RW), _EPERM),
    named("map_shared_to_write", mapping("both", _RW, _SHARED), _EPERM),
    named("map_private_to_write", mapping("both", _RW, _PRIVATE)),
    named("close", lambda here: os.close(here.both)),
)


@by_loader
def test_no_write(tree: Path, cgroup: Path, attach: rule.Attach, loader: str) -> None:
    attach(rules=rule.programs("no_write", loader=loader))
    assert confined(NO_WRITE, tree, cgroup) == {row: row.denied for row in NO_WRITE}


NO_OPEN = (
    named("open_dir", touch("", _DIR), _EPERM),
    named("open_dir_in_child", lambda here: programs.in_child(lambda: touch("", _DIR)(here)), _EPERM),
    named("receive", lambda here: file_call.receive(here.both), _EPERM),
    named("map_opened_before", mapping("both", _RW, _SHARED)),
    named("read_opened_before", read("both")),
    named("stat", lambda here: os.stat(here.folder / "file")),
    named("chdir", lambda here: os.chdir(here.folder)),
)


@by_loader
def test_no_open(tree: Path, cgroup: Path, attach: rule.Attach, loader: str) -> None:
    attach(rules=rule.programs("no_open", loader=loader))
    assert confined(NO_OPEN, tree, cgroup) == {row: row.denied for row in NO_OPEN}


def execute(here: Place) -> None:
    if status := subprocess.call([operation.STATIC_PROGRAM, "true"], close_fds=False):
        raise OSError(status, "it ran, and failed")


def send(here: Place) -> None:
    with socket.socket(fileno=os.dup(here.sockets[0])) as sender:
        sender.send(b"x")


def write_all(here: Place) -> None:
    os.writev(here.sockets[0], [b"x", b"y"])


def bind_mount(here: Place) -> None:
    calls.mount(here.folder / "other", here.folder / "folder", flags=calls.MS_BIND)


def remount(here: Place) -> None:
    calls.mount("none", here.folder / "mounted", flags=calls.MS_REMOUNT | calls.MS_RDONLY)


def shared_zero(here: Place) -> None:
    with file_call.opened(ZERO, os.O_RDWR) as fd:
        file_call.map_file(fd, _RW, _SHARED)


def on_file(function: Callable[..., object], *arguments: object, name: str = "file") -> Callable[[Place], object]:
    return lambda here: function(here.folder / name, *arguments)


def setxattr(path: Path) -> None:
    path_call.set_named(path, path_call.XATTR, b"value")


def truncate(path: Path) -> None:
    operation.check(_libc.truncate(os.fsencode(path), ctypes.c_long(1)))


def access(path: Path, mode: int) -> None:
    operation.check(_libc.access(os.fsencode(path), mode))


# The table of what the sample of 2017 did to a shell, line by line.
READ_ONLY = (
    named("list", on_file(os.listdir, name="folder")),
    named("read", touch("file", _OPEN_RO)),
    named("read_dir", touch("folder", _DIR)),
    named("chdir", on_file(os.chdir, name="folder")),
    Row(execute),
    named("stat", on_file(os.stat)),
    named("readlink", on_file(os.readlink, name="link")),
    named("statvfs", on_file(os.statvfs)),
    named("getxattr", on_file(os.getxattr, path_call.XATTR)),
    named("map_to_read", mapping("both", _R, _SHARED)),
    named("map_to_execute", mapping("both", _RX, _PRIVATE)),
    named("map_private", mapping("both", _RW, _PRIVATE)),
    named("write_terminal", write("terminal")),
    named("write_null", write("null")),
    named("write_fifo", write("fifo")),
    named("write_pipe", lambda here: os.write(os.pipe()[1], b"x")),
    named("open_null", lambda here: operation.touch(os.devnull, _OPEN_WO)),
    named("open_fifo", touch("fifo", _OPEN_RW)),
    named("open_device", touch("device", _OPEN_WO)),
    named("open_write", touch("file", _OPEN_WO), _EPERM),
    named("open_update", touch("file", _OPEN_RW), _EPERM),
    named("open_truncate", touch("file", _OPEN_WO | os.O_TRUNC), _EPERM),
    named("create", touch("new", _NEW), _EPERM),
    named("tmpfile", touch("folder", os.O_TMPFILE | os.O_RDWR), _EPERM),
    named("write_opened_before", write("write_only"), _EPERM),
    named("mkdir", on_file(os.mkdir, name="new"), _EPERM),
    named("mknod", on_file(os.mkfifo, name="new"), _EPERM),
    named("symlink", lambda here: os.symlink("file", here.folder / "new"), _EPERM),
    named("link", lambda here: os.link(here.folder / "file", here.folder / "new"), _EPERM),
    named("unlink", on_file(os.unlink), _EPERM),
    named("rmdir", on_file(os.rmdir, name="folder"), _EPERM),
    named("rename", lambda here: os.rename(here.folder / "file", here.folder / "new"), _EPERM),
    named("chmod", on_file(os.chmod, 0o600), _EPERM),
    named("chmod_dir", on_file(os.chmod, 0o700, name="folder"), _EPERM),
    named("chmod_device", on_file(os.chmod, 0o600, name="device")),
    named("chmod_fifo", on_file(os.chmod, 0o600, name="fifo")),
    named("chown", on_file(os.chown, 1, 1), _EPERM),
    named("utime", on_file(os.utime, (1, 1)), _EPERM),
    named("truncate", on_file(truncate), _EPERM),
    named("ftruncate", lambda here: os.ftruncate(here.both, 1), _EPERM),
    named("setxattr", on_file(setxattr), _EPERM),
    named("removexattr", on_file(os.removexattr, path_call.XATTR), _EPERM),
    named("mount", bind_mount, _EPERM),
    Row(remount, _EPERM),
    named("umount", lambda here: calls.umount(here.folder / "mounted"), _EPERM),
    named("pivot_root", lambda here: calls.pivot_root(here.folder / "root", here.folder / "root" / "old"), _EPERM),
    named("map_shared", mapping("both", _RW, _SHARED), _EPERM),
    named("protect_shared", lambda here: file_call.protect(here.mapped, _RW), _EPERM),
    named("map_shared_device", shared_zero),
    named("access_file", on_file(access, os.W_OK), _EPERM),
    named("access_dir", on_file(access, os.W_OK, name="folder"), _EPERM),
    named("access_device", on_file(access, os.W_OK, name="device")),
    named("ioctl", lambda here: operation.ioctl(here.folder)),
    named("flock", lambda here: fcntl.flock(here.both, fcntl.LOCK_EX)),
    named("fcntl", lambda here: fcntl.fcntl(here.both, fcntl.F_GETFL)),
    named("write_socket", lambda here: os.write(here.sockets[0], b"x"), _EPERM),
    Row(write_all, _EPERM),
    Row(send),
    named("write_event", write("event"), _EPERM),
    named("write_memory", write("memory"), _EPERM),
    named("open_disk", touch("disk", _OPEN_WO), _EPERM),
)


@by_loader
def test_read_only(tree: Path, cgroup: Path, attach: rule.Attach, loader: str) -> None:
    attach(rules=rule.programs("read_only", loader=loader))
    assert confined(READ_ONLY, tree, cgroup) == {row: row.denied for row in READ_ONLY}


@pytest.mark.parametrize("rows", (NO_WRITE, NO_OPEN, READ_ONLY), ids=("no_write", "no_open", "read_only"))
def test_without_rules(rows: tuple[Row, ...], tree: Path) -> None:
    """Each in a process of its own, for some change what others find."""
    found = {row: trial.outcomes(functools.partial(place, tree / str(row)), [row.run])[0] for row in rows}
    assert found == {row: row.alone for row in rows}


def shell(script: str, folder: Path, loader: str) -> tuple[int, str]:
    """Run a script as `./landlock1 /bin/bash` ran a shell; the exit status and what it said."""
    words = ("run", "-r", rule.PROGRAMS / "read_only.c", "--loader", loader, "--", "/bin/bash", "-c", script)
    command = [sys.executable, "-m", "landlock_bpf", *map(str, words)]
    # Where no test came before, programs are to be loaded.
    seconds = 10 * deadline.SECONDS
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    return done.returncode, done.stdout + done.stderr


@by_loader
def test_shell(tree: Path, live: controller.Controller, loader: str) -> None:
    """What Landlock was first shown with."""
    (tree / "landlock1").write_text("")
    trace = Path("/sys/kernel/tracing/trace")
    trace.write_text("")
    status, said = shell(":> a; rm *; cat landlock1 | cat; echo hello >/dev/null; ls; exit 7", tree, loader)
    assert said == (
        "landlock1\n/bin/bash: line 1: a: Operation not permitted\nrm: cannot remove 'landlock1': Operation not permitted\n"
    )
    assert status == 7
    assert os.listdir(tree) == ["landlock1"]
    assert trace.read_text().count("read_only: denied") >= 2
