# SPDX-License-Identifier: GPL-2.0-only
"""System calls that Python has no function for."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

from landlock_bpf import libc as c_library

# include/uapi/linux/mount.h
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MS_SHARED = 1, 32, 4096, 16384, 1 << 18, 1 << 20
MNT_DETACH = 2
OPEN_TREE_CLONE, AT_RECURSIVE = 1, 0x8000
MOVE_MOUNT_F_EMPTY_PATH = 4
CLONE_NEWNS = 0x20000
AT_FDCWD, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = -100, 0x400, 0x1000
RENAME_EXCHANGE = 2
# include/uapi/asm-generic/unistd.h; pivot_root is another on x86-64
SYS_OPEN_TREE, SYS_MOVE_MOUNT = 428, 429
SYS_PIVOT_ROOT = {"x86_64": 155}.get(os.uname().machine, 41)
PR_SET_PDEATHSIG = 1

libc = c_library.library()


def check(result: int, path: Path | str = "") -> int:
    """Raise what a function of libc left in errno."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return result


def system_call(number: int, *arguments: object) -> int:
    return check(libc.syscall(ctypes.c_long(number), *arguments))


def mount(source: Path | str, target: Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    words = [os.fsencode(source), os.fsencode(target), kind.encode() or None]
    check(libc.mount(*words, ctypes.c_ulong(flags), data.encode() or None), target)


def umount(target: Path, flags: int = 0) -> None:
    check(libc.umount2(os.fsencode(target), flags), target)


def unshare_mounts() -> None:
    """Go into a mount namespace of one's own."""
    check(libc.unshare(CLONE_NEWNS))


def unshare() -> None:
    """Go into a mount namespace of one's own, from which no change gets out."""
    unshare_mounts()
    mount("none", Path("/"), flags=MS_REC | MS_PRIVATE)


def open_tree(path: Path, flags: int) -> int:
    return check(libc.syscall(SYS_OPEN_TREE, AT_FDCWD, os.fsencode(path), flags), path)


def move_mount(detached: int, target: Path) -> None:
    words = detached, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH
    check(libc.syscall(SYS_MOVE_MOUNT, *words), target)


def pivot_root(new: Path, old: Path) -> None:
    check(libc.syscall(SYS_PIVOT_ROOT, os.fsencode(new), os.fsencode(old)), new)


class FileHandle(ctypes.Structure):
    """struct file_handle with room for the largest."""

    _fields_ = [("handle_bytes", ctypes.c_uint32), ("handle_type", ctypes.c_int32), ("f_handle", ctypes.c_uint8 * 128)]


def name_to_handle_at(path: Path) -> bytes:
    handle, mount_id = FileHandle(128), ctypes.c_int()
    check(libc.name_to_handle_at(AT_FDCWD, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount_id), 0), path)
    return bytes(handle)


def open_by_handle_at(mount: int, handle: bytes, flags: int) -> int:
    return check(libc.open_by_handle_at(mount, handle, flags))


def swap(old: Path | str, new: Path | str) -> None:
    """Exchange two names."""
    check(libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), RENAME_EXCHANGE), old)


def map_file(fd: int, protection: int) -> int:
    """mmap(2) a page of a file, and give its address; Python's own asks for more, fstat(2) first of all."""
    address: int = libc.mmap(None, mmap.PAGESIZE, protection, mmap.MAP_PRIVATE, fd, 0)
    if address == ctypes.c_void_p(-1).value:
        check(-1)
    return address


def end_with_parent() -> None:
    """Have this process killed when its parent ends."""
    check(libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0))
