# SPDX-License-Identifier: GPL-2.0-only
"""Every route to a denied object: each leads there without a policy, and none does under it. The names are the catalogue's."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import filesystem
import operation
import pytest
import rule
from member import Member

from landlock_bpf import action_table
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls, uring

# include/uapi/linux/openat2.h
SYS_OPENAT2 = 437
RESOLVE_BENEATH = 8
AT_EMPTY_PATH = 0x1000
_libc = ctypes.CDLL(None, use_errno=True)


class OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def _open(path: Path | str, flags: int = os.O_RDONLY, at: int | None = None) -> None:
    os.close(os.open(path, flags, dir_fd=at))


def by_name(top: Path) -> None:
    _open(top / "secret/inner/file")


def by_dots(top: Path) -> None:
    _open(f"{top}//beside/../secret/./inner/file")


def by_symlink_made_before(top: Path) -> None:
    _open(top / "link/inner/file")


def by_symlink_made_after(top: Path) -> None:
    (top / "beside/link").symlink_to(top / "secret/inner/file")
    _open(top / "beside/link")


def by_chdir(top: Path) -> None:
    os.chdir(top / "secret/inner")
    try:
        _open("file")
    finally:
        os.chdir("/")


def by_fchdir(top: Path) -> None:
    folder = os.open(top / "secret/inner", os.O_PATH)
    os.fchdir(folder)
    os.close(folder)
    try:
        _open("file")
    finally:
        os.chdir("/")


def by_cwd_of_a_process(top: Path) -> None:
    os.chdir(top / "secret/inner")
    try:
        _open(f"/proc/{os.getpid()}/cwd/file")
    finally:
        os.chdir("/")


def by_root_of_a_process(top: Path) -> None:
    _open(f"/proc/{os.getpid()}/root{top}/secret/inner/file")


def by_chroot(top: Path) -> None:
    root = os.open("/", os.O_PATH)
    os.chroot(top / "secret/inner")
    try:
        _open("/file")
    finally:
        os.fchdir(root)
        os.chroot(".")
        os.chdir("/")
        os.close(root)


def by_o_path_then_openat(top: Path) -> None:
    folder = os.open(top / "secret/inner", os.O_PATH)
    try:
        _open("file", at=folder)
    finally:
        os.close(folder)


def by_o_path_then_proc(top: Path) -> None:
    path = os.open(top / "secret/inner/file", os.O_PATH)
    try:
        _open(f"/proc/self/fd/{path}")
    finally:
        os.close(path)


def by_openat2(top: Path) -> None:
    folder = os.open(top, os.O_PATH)
    how = OpenHow(os.O_RDONLY, 0, RESOLVE_BENEATH)
    try:
        words = folder, b"secret/inner/file", ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how))
        os.close(operation.check(_libc.syscall(SYS_OPENAT2, *words)))
    finally:
        os.close(folder)


def by_file_handle(top: Path) -> None:
    mount = os.open(top, os.O_RDONLY)
    try:
        os.close(calls.open_by_handle_at(mount, calls.name_to_handle_at(top / "secret/inner/file"), os.O_RDONLY))
    finally:
        os.close(mount)


def by_io_uring(top: Path) -> None:
    os.close(uring.openat(top / "secret/inner/file"))


def by_worker_of_io_uring(top: Path) -> None:
    os.close(uring.openat(top / "secret/inner/file", in_worker=True))


def by_bind_mount_of_it(top: Path) -> None:
    _open(top / "bound/inner/file")


def by_bind_mount_beneath_it(top: Path) -> None:
    _open(top / "bound-inner/file")


def by_bind_mount_of_the_file(top: Path) -> None:
    _open(top / "bound-file")


def by_bind_mount_of_all(top: Path) -> None:
    _open(top / "bound-top/secret/inner/file")


def by_mount_namespace(top: Path) -> None:
    operation.check(_libc.unshare(calls.CLONE_NEWNS))
    _open(top / "secret/inner/file")


def by_detached_clone(top: Path) -> None:
    mount = calls.open_tree(top / "secret", calls.OPEN_TREE_CLONE)
    try:
        _open("inner/file", at=mount)
    finally:
        os.close(mount)


def by_detached_clone_of_all(top: Path) -> None:
    mount = calls.open_tree(top, calls.OPEN_TREE_CLONE | calls.AT_RECURSIVE)
    try:
        _open("secret/inner/file", at=mount)
    finally:
        os.close(mount)


ROUTES = (
    by_name,
    by_dots,
    by_symlink_made_before,
    by_symlink_made_after,
    by_chdir,
    by_fchdir,
    by_cwd_of_a_process,
    by_root_of_a_process,
    by_chroot,
    by_o_path_then_openat,
    by_o_path_then_proc,
    by_openat2,
    by_file_handle,
    by_io_uring,
    by_worker_of_io_uring,
    by_bind_mount_of_it,
    by_bind_mount_beneath_it,
    by_bind_mount_of_the_file,
    by_bind_mount_of_all,
    by_mount_namespace,
    by_detached_clone,
    by_detached_clone_of_all,
)


@pytest.fixture
def top(tree: Path) -> Iterator[Path]:
    """Hold top/secret with a file deep in it, and mounts of all that, on a tmpfs of the test's own.

    The rule is not on the directory that the file is in: where a walk would end early it would not be met.
    """
    top = tree / "top"
    with filesystem.mounted("none", top, "tmpfs"):
        (top / "secret/inner").mkdir(parents=True)
        (top / "secret/inner/file").write_text("text")
        for name in ("beside", "bound", "bound-inner", "bound-top"):
            (top / name).mkdir()
        (top / "bound-file").touch()
        (top / "link").symlink_to("secret")
        bound = {"bound": "secret", "bound-inner": "secret/inner", "bound-file": "secret/inner/file", "bound-top": "."}
        for name, source in bound.items():
            calls.mount(top / source, top / name, flags=calls.MS_BIND)
        yield top
        for name in bound:
            calls.umount(top / name)


def test_every_route(top: Path, cgroup: Path, attach: rule.Attach) -> None:
    """One member and one domain for all rows: that saves a slow guest minutes."""
    with Member(cgroup) as free:
        assert {row.__name__: free.errno(row, top) for row in ROUTES} == dict.fromkeys(_names(), 0)
    (top / "beside/link").unlink()
    attach(rule.make(action_table.ALL, rule.allow("/", action_table.ALL), rule.deny(top / "secret", action_table.ALL)))
    with Member(cgroup) as bound:
        assert {row.__name__: bound.errno(row, top) for row in ROUTES} == dict.fromkeys(_names(), errno.EACCES)
        # Its twin is allowed, by the mount of all as well.
        assert bound.errno(_open, top / "beside") == 0
        assert bound.errno(_open, top / "bound-top/beside") == 0


def _names() -> Iterator[str]:
    return (row.__name__ for row in ROUTES)


def test_denied_file_by_hard_link(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """A rule on a file holds under all names of the file; those made later, too, which gain nothing by it."""
    (tree / "file").write_text("")
    os.link(tree / "file", tree / "before")
    read = Action.READ_FILE
    attach(rule.make(read, rule.deny(tree / "file", read), default="allow"))
    assert inside.errno(os.link, tree / "file", tree / "after") == 0
    for name in ("file", "before", "after"):
        assert inside.errno(_open, tree / name) == errno.EACCES


MOVES = ((os.link, "absent"), (os.rename, "absent"), (os.rename, "other"), (operation.swap, "other"))


@pytest.mark.parametrize("act, target", MOVES, ids=["link", "rename", "rename_over", "exchange"])
def test_moved_out_of_a_denied_folder(
    act: Callable[[Path, Path], None], target: str, tree: Path, inside: Member, attach: rule.Attach
) -> None:
    """What lies beneath a denial does not get out from under it, though refer is allowed everywhere."""
    for name in ("secret", "beside", "public"):
        (tree / name).mkdir()
        (tree / name / "file").write_text("")
        (tree / name / "other").write_text("")
    refer, read = Action.REFER, Action.READ_FILE
    attach(rule.make(read | refer, rule.allow("/", read | refer), rule.deny(tree / "secret", read)))
    assert inside.errno(act, tree / "secret/file", tree / "public" / target) == errno.EXDEV
    assert inside.errno(act, tree / "beside/file", tree / "public" / target) == 0
    assert inside.errno(act, tree / "secret/file", tree / "secret" / target) == 0


_fds: dict[str, int] = {}


def hold(path: Path) -> None:
    _fds["held"] = os.open(path, os.O_RDWR)


def receive(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(str(path))
        _, (fd,), _, _ = socket.recv_fds(made, 1, 1)
        _fds["held"] = fd


def use() -> bytes:
    return os.pread(_fds["held"], 4, 0)


def reopen() -> None:
    _open(f"/proc/self/fd/{_fds['held']}")


@pytest.mark.parametrize("way", ["inherited", "received"])
def test_descriptors_from_outside_stay_usable(way: str, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """As upstream; but to open the file anew is an access of its own."""
    path = tree / "file"
    path.write_text("text")
    if way == "inherited":
        inside.ask(hold, path)
    attach(rule.make(Action.READ_FILE, rule.deny(path, Action.READ_FILE), default="allow"))
    if way == "received":
        with socket.socket(socket.AF_UNIX) as listening, path.open("r+b") as opened:
            listening.bind(str(tree / "socket"))
            listening.listen()
            inside.begin(receive, tree / "socket")
            accepted, _ = listening.accept()
            with accepted:
                socket.send_fds(accepted, [b"x"], [opened.fileno()])
            inside.end()
    assert inside.ask(use) == b"text"
    assert inside.errno(reopen) == errno.EACCES


def link_tmpfile(source: Path, target: Path) -> None:
    made = os.open(source, os.O_WRONLY | os.O_TMPFILE, 0o600)
    try:
        words = calls.AT_FDCWD, f"/proc/self/fd/{made}".encode(), calls.AT_FDCWD, os.fsencode(target), 0x400
        operation.check(_libc.linkat(*words))
    finally:
        os.close(made)


def test_tmpfile_linked_into_a_denied_folder(tree: Path, inside: Member, attach: rule.Attach) -> None:
    for name in ("secret/inner", "public/inner"):
        (tree / name).mkdir(parents=True)
    attach(rule.make(action_table.ALL, rule.allow("/", action_table.ALL), rule.deny(tree / "secret", Action.MAKE_REG)))
    assert inside.errno(link_tmpfile, tree / "public", tree / "public/inner/made") == 0
    assert inside.errno(link_tmpfile, tree / "public", tree / "secret/inner/made") == errno.EACCES
