# SPDX-License-Identifier: GPL-2.0-only
"""Operations that read files and directories, or ask about them."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from landlock_bpf.compare import calls
from landlock_bpf.compare.operation import READ, Table
from landlock_bpf.compare.scene import ATTRIBUTE, BENEATH, BESIDE, INSIDE, READ_ONLY, TEXT, Scene

TABLE = Table("reading")
SYS_FILE_GETATTR = 468  # include/uapi/asm-generic/unistd.h
IN_CREATE = 0x100


def expect_text(fd: int) -> None:
    """Read from a descriptor, and close it; ENOENT unless it is the file that was put there."""
    try:
        if os.read(fd, len(TEXT)) != TEXT.encode():
            raise FileNotFoundError(errno.ENOENT, "another file stands there")
    finally:
        os.close(fd)


@TABLE.at(
    INSIDE,
    BENEATH,
    BESIDE,
    READ_ONLY,
    need=READ,
    why="All but seccomp know the right to read; Landlock's rules only add rights, so nothing is taken from an allowed tree.",
)
def read(folder: Path, _scene: Scene) -> None:
    """open(2) a file and read it."""
    expect_text(os.open(folder / "file", os.O_RDONLY))


@TABLE.at(
    INSIDE,
    BENEATH,
    BESIDE,
    READ_ONLY,
    need=READ,
    why="As with files: who can deny reading beneath an allowed tree can deny listing there.",
)
def list_directory(folder: Path, _scene: Scene) -> None:
    """open(2) a directory and list it."""
    if "file" not in os.listdir(folder):
        raise FileNotFoundError(errno.ENOENT, "it is empty")


@TABLE.at(
    INSIDE,
    BENEATH,
    BESIDE,
    need=READ,
    why="Landlock and AppArmor have no right for stat(2), TOMOYO has; a mask hides the name, our engine asks inode_getattr.",
)
def stat(folder: Path, _scene: Scene) -> None:
    """stat(2) a file: size, owner, mode, times."""
    os.stat(folder / "file")


@TABLE.at(
    INSIDE,
    BESIDE,
    need=READ,
    why="access(2) asks the modes alone, which path rules leave as they are; the hook inode_permission tells it apart.",
)
def access(folder: Path, _scene: Scene) -> None:
    """access(2): ask whether a file may be read."""
    calls.check(calls.libc.faccessat(calls.AT_FDCWD, os.fsencode(folder / "file"), os.R_OK, 0))


@TABLE.at(
    INSIDE,
    BESIDE,
    need=READ,
    why="Landlock, AppArmor and TOMOYO have no right for it; this rule program lets links be read: they lead to its trees.",
)
def readlink(folder: Path, _scene: Scene) -> None:
    """readlink(2)."""
    os.readlink(folder / "link")


@TABLE.at(
    INSIDE,
    BESIDE,
    need=READ,
    why="Landlock, AppArmor and TOMOYO have no right for extended attributes; a mask hides them with the file.",
)
def getxattr(folder: Path, _scene: Scene) -> None:
    """getxattr(2): read an extended attribute."""
    os.getxattr(folder / "file", ATTRIBUTE)


@TABLE.at(
    INSIDE,
    need=READ,
    why="Landlock, AppArmor and TOMOYO have no right for extended attributes, whose names alone tell of a file.",
)
def listxattr(folder: Path, _scene: Scene) -> None:
    """listxattr(2): list the extended attributes."""
    os.listxattr(folder / "file")


@TABLE.at(
    INSIDE,
    need=READ,
    why="The system call is new, and Landlock has no right for the flags it reads.",
    lacks="file_getattr(2) came with Linux 6.17",
)
def file_getattr(folder: Path, _scene: Scene) -> None:
    """file_getattr(2): read flags, as lsattr(1) shows them."""
    found = ctypes.create_string_buffer(24)  # struct file_attr
    name = os.fsencode(folder / "file")
    calls.system_call(SYS_FILE_GETATTR, calls.AT_FDCWD, name, found, ctypes.c_size_t(len(found)), 0)


@TABLE.at(
    INSIDE,
    BESIDE,
    need=READ,
    why="Going into a directory opens nothing: Landlock, AppArmor and TOMOYO are not asked; hooks on each component are.",
)
def chdir(folder: Path, _scene: Scene) -> None:
    """chdir(2) into a directory."""
    os.chdir(folder / "full")


@TABLE.at(INSIDE, need=READ, why="It tells of the file system, not of the file: 2017's rules alone were asked.")
def statfs(folder: Path, _scene: Scene) -> None:
    """statfs(2) by a file's path."""
    os.statvfs(folder / "file")


@TABLE.at(
    INSIDE,
    need=READ,
    why="A watch opens nothing, it asks the inode for reading: 2017's rules see that, our policies have no action for it.",
)
def inotify_watch(folder: Path, _scene: Scene) -> None:
    """inotify_add_watch(2) on a directory."""
    made = calls.check(calls.libc.inotify_init1(os.O_CLOEXEC))
    calls.check(calls.libc.inotify_add_watch(made, os.fsencode(folder / "full"), IN_CREATE))
