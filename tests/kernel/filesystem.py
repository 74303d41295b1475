# SPDX-License-Identifier: GPL-2.0-only
"""Filesystems and mounts that tests make: the system calls, and loop images."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from operation import check

# include/uapi/linux/mount.h
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MS_SHARED = 1, 32, 4096, 16384, 1 << 18, 1 << 20
MNT_DETACH = 2
OPEN_TREE_CLONE, AT_RECURSIVE = 1, 0x8000
MOVE_MOUNT_F_EMPTY_PATH = 4
CLONE_NEWNS = 0x20000
AT_FDCWD = -100
# include/uapi/asm-generic/unistd.h; pivot_root is another on x86-64
SYS_OPEN_TREE, SYS_MOVE_MOUNT = 428, 429
SYS_PIVOT_ROOT = {"x86_64": 155}.get(os.uname().machine, 41)

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: Path | str, target: Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    words = [os.fsencode(source), os.fsencode(target), kind.encode() or None]
    check(_libc.mount(*words, ctypes.c_ulong(flags), data.encode() or None), target)


def umount(target: Path, flags: int = 0) -> None:
    check(_libc.umount2(os.fsencode(target), flags), target)


def unshare() -> None:
    """Go into a mount namespace of one's own, from which no change gets out."""
    check(_libc.unshare(CLONE_NEWNS))
    mount("none", Path("/"), flags=MS_REC | MS_PRIVATE)


def open_tree(path: Path, flags: int) -> int:
    return check(_libc.syscall(SYS_OPEN_TREE, AT_FDCWD, os.fsencode(path), flags), path)


def move_mount(detached: int, target: Path) -> None:
    words = detached, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH
    check(_libc.syscall(SYS_MOVE_MOUNT, *words), target)


def pivot_root(new: Path, old: Path) -> None:
    check(_libc.syscall(SYS_PIVOT_ROOT, os.fsencode(new), os.fsencode(old)), new)


class FileHandle(ctypes.Structure):
    """struct file_handle with room for the largest."""

    _fields_ = [("handle_bytes", ctypes.c_uint32), ("handle_type", ctypes.c_int32), ("f_handle", ctypes.c_uint8 * 128)]


def name_to_handle_at(path: Path) -> bytes:
    handle, mount_id = FileHandle(128), ctypes.c_int()
    check(_libc.name_to_handle_at(AT_FDCWD, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount_id), 0), path)
    return bytes(handle)


def open_by_handle_at(mount: int, handle: bytes, flags: int) -> int:
    return check(_libc.open_by_handle_at(mount, handle, flags))


def drop_caches() -> None:
    """Drop the directory entries and inodes that nobody uses."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("2")


@contextlib.contextmanager
def mounted(source: Path | str, target: Path, kind: str = "", flags: int = 0, data: str = "") -> Iterator[Path]:
    """Keep something mounted while the block runs."""
    target.mkdir(exist_ok=True)
    mount(source, target, kind, flags, data)
    try:
        yield target
    finally:
        umount(target, MNT_DETACH)


@contextlib.contextmanager
def image(kind: str, folder: Path, megabytes: int = 128) -> Iterator[Path]:
    """Keep a new filesystem of a kind mounted from a loop image while the block runs."""
    disk, target = folder / f"{kind}.img", folder / kind
    with open(disk, "wb") as made:
        made.truncate(megabytes << 20)
    subprocess.run([f"mkfs.{kind}", "-q", disk], check=True)
    target.mkdir()
    subprocess.run(["mount", "-o", "loop", disk, target], check=True)
    try:
        yield target
    finally:
        subprocess.run(["umount", target], check=True)
