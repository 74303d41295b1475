# SPDX-License-Identifier: GPL-2.0-only
"""Tricks by rarer system calls: each works without a policy, and is refused under one that denies `secret`."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import operation
import pytest
import rule
from member import Member

from landlock_bpf import action_table
from landlock_bpf.compare import calls, programs

AT_EMPTY_PATH = calls.AT_EMPTY_PATH
# include/uapi/asm-generic/unistd.h
SYS_FACCESSAT2, SYS_FCHMODAT2 = 439, 452
# include/uapi/linux/fanotify.h
FAN_NONBLOCK, FAN_MARK_ADD, FAN_MARK_FILESYSTEM, FAN_OPEN = 2, 1, 0x100, 0x20
_EVENT = struct.Struct("=IBBHQii")
TRIES = 400


@pytest.fixture
def top(tree: Path) -> Path:
    """Two folders with names of one length, each with a file deep in it that says where it is, and a link to that."""
    for name in ("secret", "public"):
        (tree / name / "inner" / "folder").mkdir(parents=True)
        (tree / name / "inner" / "file").write_text(name)
        (tree / name / "inner" / "link").symlink_to("file")
    return tree


@pytest.fixture
def deny(top: Path, attach: rule.Attach) -> Callable[[], object]:
    """Put the policy in force: all is denied beneath `secret`, all else is allowed."""
    return lambda: attach(
        rule.make(action_table.EVERY, rule.allow("/", action_table.EVERY), rule.deny(top / "secret", action_table.EVERY))
    )


_held: dict[str, int] = {}


def hold(top: Path) -> None:
    """Hold what is denied later, without any right."""
    for name in ("file", "folder", "link"):
        _held[name] = os.open(top / "secret" / "inner" / name, os.O_PATH | os.O_NOFOLLOW)


def fchmodat2() -> None:
    calls.system_call(SYS_FCHMODAT2, _held["file"], b"", 0o600, AT_EMPTY_PATH)


def fchownat() -> None:
    calls.check(calls.libc.fchownat(_held["file"], b"", 0, 0, AT_EMPTY_PATH))


def utimensat() -> None:
    calls.check(calls.libc.utimensat(_held["file"], b"", None, AT_EMPTY_PATH))


def statx() -> None:
    calls.check(calls.libc.statx(_held["file"], b"", AT_EMPTY_PATH, 0x7FF, bytes(256)))


def faccessat2() -> None:
    calls.system_call(SYS_FACCESSAT2, _held["file"], b"", os.R_OK, AT_EMPTY_PATH)


def readlinkat() -> None:
    calls.check(calls.libc.readlinkat(_held["link"], b"", bytes(64), 64))


def fchdir() -> None:
    os.fchdir(_held["folder"])
    os.chdir("/")


def chroot() -> None:
    programs.in_child(lambda: os.chroot(f"/proc/self/fd/{_held['folder']}"))


def reopen() -> None:
    operation.touch(f"/proc/self/fd/{_held['file']}", os.O_RDONLY)


def create_in() -> None:
    os.close(os.open("made", os.O_WRONLY | os.O_CREAT, dir_fd=_held["folder"]))


def clone_mount() -> None:
    """Open it through a mount of our own, which is nowhere."""
    made = calls.system_call(calls.SYS_OPEN_TREE, _held["folder"], b"", calls.OPEN_TREE_CLONE | AT_EMPTY_PATH)
    try:
        operation.touch(f"/proc/self/fd/{made}", os.O_RDONLY)
    finally:
        os.close(made)


WITHOUT_RIGHTS = (
    fchmodat2, fchownat, utimensat, statx, faccessat2, readlinkat, fchdir, chroot, reopen, create_in, clone_mount,
)  # fmt: skip


def test_without_rights(top: Path, inside: Member, deny: Callable[[], object]) -> None:
    """A descriptor by O_PATH gives no right to anything."""
    inside.ask(hold, top)
    assert {act: inside.errno(act) for act in WITHOUT_RIGHTS} == dict.fromkeys(WITHOUT_RIGHTS, 0)
    deny()
    assert {act: inside.errno(act) for act in WITHOUT_RIGHTS} == dict.fromkeys(WITHOUT_RIGHTS, errno.EACCES)


def open_while_its_path_changes(top: Path) -> set[bytes]:
    """Open a path that another thread writes to all the while; gives what was read."""
    paths = [os.fsencode(top / name / "inner" / "file") for name in ("public", "secret")]
    path = ctypes.create_string_buffer(paths[0])
    found: set[bytes] = set()
    going = True

    def change() -> None:
        number = 0
        while going:
            number += 1
            ctypes.memmove(path, paths[number % 2], len(paths[0]))

    thread = threading.Thread(target=change)
    thread.start()
    for _ in range(TRIES):
        opened = calls.libc.open(path, os.O_RDONLY)
        if opened >= 0:
            found.add(os.read(opened, 64))
            os.close(opened)
    going = False
    thread.join()
    return found


def test_path_that_changes_meanwhile(top: Path, inside: Member, deny: Callable[[], object]) -> None:
    """What is decided on is what is opened: nobody reads the path a second time."""
    assert inside.ask(open_while_its_path_changes, top) == {b"public", b"secret"}
    deny()
    assert inside.ask(open_while_its_path_changes, top) == {b"public"}


def watch(top: Path) -> None:
    """Have all opens on a filesystem told, with a descriptor for each."""
    _held["watch"] = calls.check(calls.libc.fanotify_init(FAN_NONBLOCK, os.O_RDONLY))
    mark = ctypes.c_uint(FAN_MARK_ADD | FAN_MARK_FILESYSTEM)
    calls.check(calls.libc.fanotify_mark(_held["watch"], mark, ctypes.c_uint64(FAN_OPEN), calls.AT_FDCWD, os.fsencode(top)))


def told() -> set[bytes]:
    """Read from all files that were opened."""
    found = set()
    while True:
        try:
            events = os.read(_held["watch"], 4096)
        except BlockingIOError:
            return found
        except PermissionError:
            continue  # for one whose descriptor was refused
        while events:
            length, _, _, _, _, opened, _ = _EVENT.unpack_from(events)
            events = events[length:]
            if opened >= 0:
                found.add(os.pread(opened, 64, 0))
                os.close(opened)


@pytest.fixture
def outsider() -> Iterator[Member]:
    with Member() as started:
        yield started


def test_descriptors_that_fanotify_gives(top: Path, inside: Member, outsider: Member, deny: Callable[[], object]) -> None:
    """They are opened in the name of who watches."""
    inside.ask(watch, top / "public")

    def seen() -> set[bytes]:
        for name in ("public", "secret"):
            outsider.ask(operation.touch, top / name / "inner" / "file", os.O_RDONLY)
        return inside.ask(told) & {b"public", b"secret"}

    assert seen() == {b"public", b"secret"}
    deny()
    assert seen() == {b"public"}


def account(top: Path) -> None:
    """Have the kernel write a line there for each process that ends."""
    calls.check(calls.libc.acct(os.fsencode(top / "secret/inner/file")))
    calls.check(calls.libc.acct(None))


def swap_to(top: Path) -> None:
    calls.check(calls.libc.swapon(os.fsencode(top / "secret/inner/file"), 0))


def dump_core(top: Path) -> None:
    """Have a child dump its memory to where we are."""
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        os.kill(os.getpid(), signal.SIGQUIT)
        os._exit(0)
    if not os.WCOREDUMP(os.waitpid(pid, 0)[1]):
        raise PermissionError(errno.EACCES, "no core was dumped")


WRITTEN_BY_THE_KERNEL = (account, swap_to, dump_core)


def test_files_that_the_kernel_writes(top: Path, inside: Member, deny: Callable[[], object]) -> None:
    """Who has the kernel write a file must be allowed to write it."""
    inside.ask(os.chdir, top / "secret/inner")
    before = [inside.errno(act, top) for act in WRITTEN_BY_THE_KERNEL]
    assert before == [0, errno.EINVAL, 0]  # no swap space, but it was opened
    deny()
    assert [inside.errno(act, top) for act in WRITTEN_BY_THE_KERNEL] == [errno.EACCES] * 3
    inside.ask(os.chdir, "/")
