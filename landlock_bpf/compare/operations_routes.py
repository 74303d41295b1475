# SPDX-License-Identifier: GPL-2.0-only
"""Routes to a denied file that are not its name, and what changes mounts."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf.compare import calls, programs, uring
from landlock_bpf.compare.operation import AROUND, READ, UNSAID, Table
from landlock_bpf.compare.operations_reading import expect_text
from landlock_bpf.compare.scene import BESIDE, ELSEWHERE, INSIDE, READ_ONLY, Scene

if TYPE_CHECKING:
    from landlock_bpf.compare.stage import Stage

TABLE = Table("routes")
MOUNTS = Table("mounts")
# include/uapi/linux/openat2.h, include/uapi/asm-generic/unistd.h, include/uapi/linux/sched.h
SYS_OPENAT2, SYS_FSOPEN, RESOLVE_BENEATH = 437, 430, 8
CLONE_NEWUSER = 0x10000000
_OTHER_NAME = "Hooks on the file itself see through it; what goes by the words of a path must find the same file by them."


def _read(path: Path | str, at: int | None = None) -> None:
    expect_text(os.open(path, os.O_RDONLY, dir_fd=at))


@TABLE.at(INSIDE, need=AROUND, why="Landlock walks up from the file that was found; words in a path count for none of them.")
def by_dots(folder: Path, scene: Scene) -> None:
    """open(2) by a path with dots in it."""
    _read(f"{scene.work}//beside/../secret/./file")


@TABLE.at(INSIDE, need=AROUND, also=(BESIDE,), why=_OTHER_NAME)
def by_symlink(folder: Path, scene: Scene) -> None:
    """open(2) by a symbolic link that was made beside."""
    (scene.at(BESIDE) / "new").symlink_to(folder / "file")
    _read(scene.at(BESIDE) / "new")


@contextlib.contextmanager
def _linked(folder: Path, outside: Stage) -> Iterator[None]:
    os.link(folder / "file", outside.scene.at(BESIDE) / "hard")
    yield


@TABLE.at(
    INSIDE,
    need=AROUND,
    also=(BESIDE,),
    prepare=_linked,
    why="A file with two names lies in two directories, and the path decides; 2017's hooks have an inode: all names count.",
)
def by_hard_link(_folder: Path, scene: Scene) -> None:
    """open(2) by a hard link that somebody outside made beside."""
    _read(scene.at(BESIDE) / "hard")


@TABLE.at(INSIDE, need=AROUND, why="O_PATH is asked nowhere; the descriptor is opened anew, which is an open as any.")
def by_o_path(folder: Path, _scene: Scene) -> None:
    """open(2) with O_PATH, then by /proc/self/fd."""
    _read(f"/proc/self/fd/{os.open(folder / 'file', os.O_PATH)}")


@TABLE.at(INSIDE, need=AROUND, why="As from any directory; the walk up begins at the file.")
def by_openat2(_folder: Path, scene: Scene) -> None:
    """openat2(2) with RESOLVE_BENEATH."""
    how = (ctypes.c_uint64 * 3)(os.O_RDONLY, 0, RESOLVE_BENEATH)
    at = os.open(scene.work, os.O_PATH)
    expect_text(calls.system_call(SYS_OPENAT2, at, b"secret/file", how, ctypes.c_size_t(ctypes.sizeof(how))))


@TABLE.at(INSIDE, need=AROUND, why="The new root shortens the path, not the walk: Landlock and our engine go on above it.")
def by_chroot(folder: Path, _scene: Scene) -> None:
    """chroot(2) to the denied directory, then open(2)."""
    os.chroot(folder)
    _read("/file")


@TABLE.at(
    INSIDE,
    need=AROUND,
    why="It needs the right to trace the other process, and leads to the same file by its mount tree, where no mask lies.",
)
def by_root_of_outsider(folder: Path, scene: Scene) -> None:
    """open(2) by /proc/PID/root of a process outside."""
    _read(f"/proc/{scene.outsider}/root{folder}/file")


@contextlib.contextmanager
def _handle(folder: Path, outside: Stage) -> Iterator[None]:
    (outside.scene.at(ELSEWHERE) / "handle").write_bytes(calls.name_to_handle_at(folder / "file"))
    yield


@TABLE.at(INSIDE, need=AROUND, prepare=_handle, why="A handle names the file itself; there is no path, and masks are on paths.")
def by_handle(folder: Path, scene: Scene) -> None:
    """open_by_handle_at(2) with a handle that was taken outside."""
    mount = os.open(scene.work, os.O_RDONLY | os.O_DIRECTORY)
    handle = (scene.at(ELSEWHERE) / "handle").read_bytes()
    expect_text(calls.open_by_handle_at(mount, handle, os.O_RDONLY))


@TABLE.at(INSIDE, need=AROUND, why="The ring opens without open(2): hooks see that as any open, filters do not.")
def by_ring(folder: Path, _scene: Scene) -> None:
    """IORING_OP_OPENAT: open through io_uring."""
    expect_text(uring.openat(folder / "file"))


@TABLE.at(
    INSIDE,
    need=AROUND,
    why="A thread of the kernel's opens for us; it has our credentials, and is our task's, so all rules hold.",
)
def by_worker_of_ring(folder: Path, _scene: Scene) -> None:
    """IORING_OP_OPENAT with IOSQE_ASYNC: have a worker of io_uring open it."""
    expect_text(uring.openat(folder / "file", in_worker=True))


@TABLE.at(
    INSIDE,
    need=AROUND,
    why="A mount from before shows the tree at another path: whoever goes by inodes or filesystems still knows it.",
)
def by_bind_mount(_folder: Path, scene: Scene) -> None:
    """open(2) by a bind mount of the tree that was there before."""
    _read(scene.bound / "file")


@MOUNTS.at(
    INSIDE,
    need=AROUND,
    also=(BESIDE,),
    why="Under Landlock and us mounts cannot be changed at all; others must have thought of it.",
)
def bind_and_read(folder: Path, scene: Scene) -> None:
    """mount(2) with MS_BIND the denied directory elsewhere, and read there."""
    calls.unshare_mounts()
    calls.mount(folder, scene.at(BESIDE) / "full", flags=calls.MS_BIND)
    _read(scene.at(BESIDE) / "full" / "file")


@MOUNTS.at(
    INSIDE,
    need=AROUND,
    why="A detached copy of the tree is no mount yet, so rules on mounting are not asked; the walk up ends in nothing.",
)
def clone_tree_and_read(folder: Path, _scene: Scene) -> None:
    """open_tree(2) with OPEN_TREE_CLONE, and openat(2) from there."""
    _read("file", at=calls.open_tree(folder, calls.OPEN_TREE_CLONE))


@MOUNTS.at(INSIDE, need=AROUND, why="A mask is a mount: who may unmount takes it off, unless the namespace is another user's.")
def unmount_and_read(folder: Path, scene: Scene) -> None:
    """umount2(2) whatever lies on the denied directory, then read."""
    calls.unshare_mounts()
    try:
        calls.umount(scene.secret, calls.MNT_DETACH)
    except OSError as error:
        if error.errno != errno.EINVAL:  # nothing lies on it
            raise
    _read(folder / "file")


@MOUNTS.at(
    INSIDE, need=AROUND, why="Outside nothing lies on the tree; it takes a right over that namespace, or the right to trace."
)
def enter_namespace_and_read(folder: Path, scene: Scene) -> None:
    """setns(2) to the mount namespace of a process outside, then read."""
    calls.check(calls.libc.setns(os.pidfd_open(scene.outsider), calls.CLONE_NEWNS))
    _read(folder / "file")


@MOUNTS.at(
    READ_ONLY, need=AROUND, why="A read-only mount is so until it is mounted anew; who has rules on files does not mind."
)
def remount_and_write(folder: Path, scene: Scene) -> None:
    """mount(2) with MS_REMOUNT to be writable, then write."""
    calls.unshare_mounts()
    try:
        calls.mount("none", scene.ro, flags=calls.MS_REMOUNT | calls.MS_BIND)
    except OSError as error:
        if error.errno != errno.EINVAL:  # it is no mount
            raise
    os.close(os.open(folder / "file", os.O_WRONLY | os.O_TRUNC))


@MOUNTS.at(
    BESIDE,
    need=UNSAID,
    why="Landlock refuses every mount change, for paths would mean something else; so do we, unless a rule allows it.",
)
def mount(folder: Path, _scene: Scene) -> None:
    """mount(2) a tmpfs."""
    calls.unshare_mounts()
    calls.mount("none", folder / "folder", "tmpfs")


@MOUNTS.at(ELSEWHERE, need=UNSAID, why="To make a filesystem mounts nothing yet, so Landlock lets it pass; filters refuse it.")
def open_filesystem(_folder: Path, _scene: Scene) -> None:
    """fsopen(2) a tmpfs, which is mounted nowhere."""
    calls.system_call(SYS_FSOPEN, b"tmpfs", 0)


@MOUNTS.at(ELSEWHERE, need=UNSAID, why="It changes what every path means: Landlock and we refuse it.")
def pivot_root(_folder: Path, scene: Scene) -> None:
    """pivot_root(2) in a mount namespace of one's own."""
    calls.unshare_mounts()
    calls.pivot_root(scene.bound, scene.bound / "deep")


@MOUNTS.at(
    INSIDE,
    BESIDE,
    need=READ,
    why="It changes what paths mean, and takes CAP_SYS_CHROOT alone; TOMOYO, 2017's rules and ours ask about the directory.",
)
def chroot(folder: Path, _scene: Scene) -> None:
    """chroot(2)."""
    os.chroot(folder / "full")


@MOUNTS.at(
    ELSEWHERE, need=UNSAID, why="In a user namespace everyone has all capabilities; what one is confined by comes along."
)
def new_user_namespace(_folder: Path, _scene: Scene) -> None:
    """unshare(2) with CLONE_NEWUSER."""
    programs.in_child(lambda: calls.check(calls.libc.unshare(CLONE_NEWUSER)))
