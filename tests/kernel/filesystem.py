# SPDX-License-Identifier: GPL-2.0-only
"""Filesystems and mounts that tests make: the system calls, and loop images."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from landlock_bpf.compare.calls import MNT_DETACH, mount, umount


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
