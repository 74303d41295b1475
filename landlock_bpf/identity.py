# SPDX-License-Identifier: GPL-2.0-only
"""The identity of objects: the kernel's own names of them, and which of these stay the same. Values; see identifier.py."""

from __future__ import annotations

import stat
import struct
from typing import NamedTuple

# struct object as bytes is the name of an object everywhere in user space: it is hashed, compared and written, never read.
OBJECT = struct.Struct("=QQII")
NOTHING = bytes(OBJECT.size)
DEVICE = slice(16, 20)  # of an object
NAMED = struct.Struct(f"=II{OBJECT.size}s{OBJECT.size}s{OBJECT.size}sQII")

BTRFS_SUPER_MAGIC = 0x9123683E
OVERLAYFS_SUPER_MAGIC = 0x794C7630

# Filesystems whose inode numbers and generations are those of the disk, or whose inodes never leave memory
# (include/uapi/linux/magic.h). Each other one is tried: see resolution.py.
STABLE = {
    0xEF53: "ext4",
    0x58465342: "xfs",
    BTRFS_SUPER_MAGIC: "btrfs",
    0xF2F52010: "f2fs",
    0x01021994: "tmpfs",
    0x858458F6: "ramfs",
    0x73717368: "squashfs",
    0xE0F5E1E2: "erofs",
    OVERLAYFS_SUPER_MAGIC: "overlayfs",  # named by the inode beneath
    0x63677270: "cgroup2",
    0x62656572: "sysfs",
    0x1CD1: "devpts",
}


class Named(NamedTuple):
    """struct named of abi.h: what the kernel calls an object; `object`, `beneath` and `upper` are struct object as bytes."""

    fd: int
    mode: int
    object: bytes
    beneath: bytes
    upper: bytes
    magic: int
    known: int
    exportable: int

    @property
    def device(self) -> int:
        """super_block.s_dev, the kernel's form, not st_dev."""
        return int(OBJECT.unpack(self.object)[2])

    @property
    def directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def link(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def refusal(self) -> str:
        """Say why no rule can be tied to it; empty where one can, as far as this tells."""
        if self.known and self.magic != OVERLAYFS_SUPER_MAGIC and self.object != NOTHING:
            return ""  # nearly all
        if not self.known or self.object == NOTHING:
            kind = STABLE.get(self.magic, f"a filesystem of type {self.magic:#x}")
            return f"is on {kind}, whose layout in this kernel is not known"
        overlay = self.magic == OVERLAYFS_SUPER_MAGIC
        if overlay and not self.directory and self.upper == NOTHING and not self.exportable:
            return "is on overlayfs over a filesystem without file handles: once written to, it is another object"
        return ""
