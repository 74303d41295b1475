# SPDX-License-Identifier: GPL-2.0-only
"""System calls on paths, by which hooks are made to ask: mounts, names, inodes and their attributes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import operation
from operation import check

from landlock_bpf.compare import calls

XATTR, ACL = b"trusted.test", b"system.posix_acl_access"
# struct posix_acl_xattr_header and entries: rw for the owner, r for uid 1, a mask, r for the others
ACL_VALUE = struct.pack("<I" + "HHI" * 5, 2, 1, 6, 2**32 - 1, 2, 4, 1, 4, 4, 2**32 - 1, 16, 4, 2**32 - 1, 32, 4, 2**32 - 1)
# include/uapi/asm-generic/unistd.h
SYS_FILE_GETATTR, SYS_FILE_SETATTR = 468, 469

_libc = ctypes.CDLL(None, use_errno=True)


# Mounts: each in a mount namespace of the process's own.


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[Path]:
    """Go where mounts are nobody else's."""
    calls.unshare()
    yield folder


@contextlib.contextmanager
def with_mount(folder: Path) -> Iterator[Path]:
    """Have a filesystem on `to`, and a directory of it on `from`."""
    calls.unshare()
    calls.mount("none", folder / "to", "tmpfs", data="mode=731")
    (folder / "to" / "part").mkdir(mode=0o732)
    calls.mount(folder / "to" / "part", folder / "from", flags=calls.MS_BIND)
    yield folder


@contextlib.contextmanager
def with_tree(folder: Path) -> Iterator[tuple[int, Path]]:
    """Have a detached mount."""
    calls.unshare()
    yield calls.open_tree(folder / "from", calls.OPEN_TREE_CLONE), folder / "to"


def mount(folder: Path) -> None:
    calls.mount("none", folder / "to", "tmpfs")


def remount(folder: Path) -> None:
    calls.mount("none", folder / "from", flags=calls.MS_REMOUNT)


def umount(folder: Path) -> None:
    calls.umount(folder / "to", calls.MNT_DETACH)


def pivot_root(folder: Path) -> None:
    calls.pivot_root(folder / "to", folder / "to" / "part")


def move_mount(where: tuple[int, Path]) -> None:
    calls.move_mount(*where)


# Names.


def statfs(folder: Path) -> None:
    os.statvfs(folder / "from" / "file")


def create(folder: Path) -> None:
    operation.touch(folder / "from" / "new", os.O_CREAT | os.O_EXCL | os.O_WRONLY)


def mknod_file(folder: Path) -> None:
    os.mknod(folder / "from" / "new", stat.S_IFREG | 0o600)


def link(folder: Path) -> None:
    os.link(folder / "from" / "file", folder / "to" / "new")


def unlink(folder: Path) -> None:
    os.unlink(folder / "from" / "file")


def symlink(folder: Path) -> None:
    os.symlink("file", folder / "from" / "new")


def mkdir(folder: Path) -> None:
    os.mkdir(folder / "from" / "new")


def rmdir(folder: Path) -> None:
    os.rmdir(folder / "from" / "folder")


def mknod(folder: Path) -> None:
    os.mkfifo(folder / "from" / "new")


def rename(folder: Path) -> None:
    os.rename(folder / "from" / "file", folder / "to" / "new")


def rename_over(folder: Path) -> None:
    os.rename(folder / "from" / "file", folder / "to" / "file")


def readlink(folder: Path) -> None:
    os.readlink(folder / "from" / "link")


def follow_link(folder: Path) -> None:
    os.stat(folder / "from" / "link")


# Inodes.


def chdir(folder: Path) -> None:
    os.chdir(folder / "from")


def open_to_read(folder: Path) -> None:
    operation.touch(folder / "from" / "file", os.O_RDONLY)


def open_to_write(folder: Path) -> None:
    operation.touch(folder / "from" / "file", os.O_WRONLY)


def open_to_append(folder: Path) -> None:
    operation.touch(folder / "from" / "file", os.O_WRONLY | os.O_APPEND)


def open_to_update(folder: Path) -> None:
    operation.touch(folder / "from" / "file", os.O_RDWR)


def open_dir(folder: Path) -> None:
    operation.touch(folder / "from", os.O_RDONLY | os.O_DIRECTORY)


def truncate(folder: Path) -> None:
    check(_libc.truncate(os.fsencode(folder / "from" / "file"), ctypes.c_long(1)))


def chmod(folder: Path) -> None:
    os.chmod(folder / "from" / "file", 0o600)


def chown(folder: Path) -> None:
    os.chown(folder / "from" / "file", 1, 1)


def utime(folder: Path) -> None:
    os.utime(folder / "from" / "file", (1, 1))


def getattr_(folder: Path) -> None:
    os.stat(folder / "from" / "file")


def set_named(path: Path, name: bytes, value: bytes) -> None:
    check(_libc.setxattr(os.fsencode(path), name, value, ctypes.c_size_t(len(value)), 0), path)


@contextlib.contextmanager
def with_named(folder: Path, name: bytes, value: bytes) -> Iterator[Path]:
    """Have an attribute on the file."""
    set_named(folder / "from" / "file", name, value)
    yield folder


def with_xattr(folder: Path) -> contextlib.AbstractContextManager[Path]:
    return with_named(folder, XATTR, b"value")


def with_acl(folder: Path) -> contextlib.AbstractContextManager[Path]:
    return with_named(folder, ACL, ACL_VALUE)


def setxattr(folder: Path) -> None:
    set_named(folder / "from" / "file", XATTR, b"value")


def getxattr(folder: Path) -> None:
    os.getxattr(folder / "from" / "file", XATTR)


def listxattr(folder: Path) -> None:
    os.listxattr(folder / "from" / "file")


def removexattr(folder: Path) -> None:
    os.removexattr(folder / "from" / "file", XATTR)


def set_acl(folder: Path) -> None:
    set_named(folder / "from" / "file", ACL, ACL_VALUE)


def get_acl(folder: Path) -> None:
    os.getxattr(folder / "from" / "file", ACL)


def remove_acl(folder: Path) -> None:
    os.removexattr(folder / "from" / "file", ACL)


@contextlib.contextmanager
def without_xattrs(folder: Path) -> Iterator[Path]:
    """Have a filesystem on `from` that leaves attributes named security.* to the LSMs."""
    calls.unshare()
    calls.mount("none", folder / "from", "ramfs")
    (folder / "from" / "file").touch(0o737)
    yield folder


def setsecurity(folder: Path) -> None:
    set_named(folder / "from" / "file", b"security.test", b"value")


class FileAttr(ctypes.Structure):
    """struct file_attr (include/uapi/linux/fs.h)."""

    _fields_ = [
        ("fa_xflags", ctypes.c_uint64),
        ("fa_extsize", ctypes.c_uint32),
        ("fa_nextents", ctypes.c_uint32),
        ("fa_projid", ctypes.c_uint32),
        ("fa_cowextsize", ctypes.c_uint32),
    ]


def _file_attr(path: Path, number: int, attributes: FileAttr) -> None:
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    check(_libc.syscall(number, calls.AT_FDCWD, os.fsencode(path), ctypes.byref(attributes), size, 0))


def set_flags(path: Path, flags: int) -> None:
    """Set the attributes of a file by file_setattr(2); FS_XFLAG_*."""
    _file_attr(path, SYS_FILE_SETATTR, FileAttr(fa_xflags=flags))


def get_flags(path: Path) -> None:
    _file_attr(path, SYS_FILE_GETATTR, FileAttr())


def file_getattr(folder: Path) -> None:
    get_flags(folder / "from" / "file")


def file_setattr(folder: Path) -> None:
    set_flags(folder / "from" / "file", 0x40)  # FS_XFLAG_NOATIME
