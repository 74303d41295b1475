# SPDX-License-Identifier: GPL-2.0-only
"""Filesystems and mounts that tests make: the system calls, and loop images."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from landlock_bpf.compare import calls
from landlock_bpf.compare.calls import MNT_DETACH, check, libc, mount, umount

ROOM = 4096


def drop_caches() -> None:
    """Drop the directory entries and inodes that nobody uses."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("2")


def command(path: Path | str, number: int, argument: bytes = b"") -> None:
    """Give a command of ioctl(2) to a file that is open for reading; its argument has room for an answer."""
    opened = os.open(path, os.O_RDONLY)
    try:
        check(libc.ioctl(opened, ctypes.c_ulong(number), ctypes.create_string_buffer(argument, ROOM)))
    finally:
        os.close(opened)


def unshare(top: Path) -> None:
    """Take a mount namespace of one's own, with a tmpfs on top/mounted, where a root can go, and nothing on top/empty."""
    for name in ("empty", "mounted"):
        (top / name).mkdir()
    calls.unshare()
    mount("none", top / "mounted", "tmpfs")
    (top / "mounted" / "old").mkdir()


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
