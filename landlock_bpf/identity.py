# SPDX-License-Identifier: GPL-2.0-only
"""The identity of objects: the kernel's own names of them, and which of these stay the same. Values; see identifier.py."""

from __future__ import annotations

import functools
import itertools
import stat
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

# struct object as bytes is the name of an object everywhere in user space: it is hashed, compared and written, never read.
OBJECT = struct.Struct("=QQII")
NOTHING = bytes(OBJECT.size)
DEVICE = slice(16, 20)  # of an object
NAMED = struct.Struct(f"=II{OBJECT.size}s{OBJECT.size}s{OBJECT.size}sQII")
# The same in words of 32 bits, of which columns are read: which of a record's has what; of 64 bits, the magic.
_WORDS, _FD, _MODE, _DEVICE, _KNOWN, _MAGIC = NAMED.size // 4, 0, 1, 6, 22, 10
_OBJECT_OF = struct.Struct(f"=8x{OBJECT.size}s{NAMED.size - 8 - OBJECT.size}x")

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


_PLAIN = STABLE.keys() - {OVERLAYFS_SUPER_MAGIC}


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


class Alike(NamedTuple):
    """Objects that are all of one type (S_IFMT of their modes), and their devices: of none is there anything else to tell."""

    type: int
    objects: list[bytes]
    devices: set[bytes]

    @property
    def directories(self) -> bool:
        return stat.S_ISDIR(self.type)


def devices(objects: bytes, size: int = OBJECT.size) -> set[bytes]:
    """Give the devices of objects that stand one after another, each at the beginning of so many bytes."""
    return _devices(memoryview(objects).cast("I")[DEVICE.start // 4 :: size // 4])


def inos(objects: bytes, size: int = OBJECT.size) -> list[int]:
    """Give the inode numbers of such objects."""
    return memoryview(objects).cast("Q")[:: size // 8].tolist()


def _devices(words: memoryview) -> set[bytes]:
    return {device.to_bytes(4, sys.byteorder) for device in set(words.tolist())}


class Names(Mapping[int, Named]):
    """What the kernel calls the objects behind descriptors, by descriptor: records of struct named, one after another."""

    def __init__(self, records: bytes) -> None:
        self._records = records
        self._words = memoryview(records).cast("I")

    @classmethod
    def of(cls, named: Iterable[Named]) -> Names:
        """Make them of values."""
        return cls(b"".join(NAMED.pack(*each) for each in named))

    @functools.cached_property
    def _named(self) -> dict[int, Named]:
        return {each[0]: Named._make(each) for each in NAMED.iter_unpack(self._records)}

    def __getitem__(self, fd: int) -> Named:
        return self._named[fd]

    def __iter__(self) -> Iterator[int]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    @property
    def all_known(self) -> bool:
        """Whether the layout of each filesystem was given."""
        return 0 not in self._words[_KNOWN::_WORDS].tolist()

    def alike(self, fds: Sequence[int]) -> Alike | None:
        """Give the objects of descriptors, opened in this order; None where one of them needs a closer look.

        They are of one type, none is a link, and their filesystems are among those whose names last and that do not stack.
        """
        records = self._of(fds)
        if records is None:
            return None
        words, long = memoryview(records).cast("I"), memoryview(records).cast("Q")
        types = {stat.S_IFMT(mode) for mode in set(words[_MODE::_WORDS].tolist())}
        magics, known = set(long[_MAGIC :: _WORDS // 2].tolist()), words[_KNOWN::_WORDS].tolist()
        if len(types) != 1 or stat.S_IFLNK in types or 0 in known or not magics <= _PLAIN:
            return None
        objects = list(itertools.chain.from_iterable(_OBJECT_OF.iter_unpack(records)))
        return None if NOTHING in objects else Alike(types.pop(), objects, _devices(words[_DEVICE::_WORDS]))

    def _of(self, fds: Sequence[int]) -> bytes | None:
        """Give the records of some descriptors alone, if they are in the order of these."""
        every, size = self._words[_FD::_WORDS].tolist(), NAMED.size
        start = every.index(fds[0]) if fds[0] in every else 0
        if every[start : start + len(fds)] == fds:
            return self._records[start * size : (start + len(fds)) * size]
        # Others of ours are open among them.
        wanted = set(fds)
        places = [place for place, fd in enumerate(every) if fd in wanted]
        if [every[place] for place in places] != fds:
            return None
        return b"".join(self._records[place * size : (place + 1) * size] for place in places)
