# SPDX-License-Identifier: GPL-2.0-only
"""The identity of objects: the kernel's own names of them, and which of these stay the same. Values; see identifier.py."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import stat
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, overload

from landlock_bpf import abi

# struct object as bytes is the name of an object everywhere in user space: it is hashed, compared and written, hardly read.
OBJECT = struct.Struct("=QQII")
NOTHING = bytes(OBJECT.size)
DEVICE = slice(16, 20)  # of an object
NAMED = struct.Struct(f"=II{OBJECT.size}s{OBJECT.size}s{OBJECT.size}sQII")
# The same in words of 32 bits, of which columns are read: which of a record's has what; of 64 bits, the object and the magic.
_WORDS, _FD, _MODE, _DEVICE, _KNOWN = NAMED.size // 4, 0, 1, 6, 22
_LONGS, _OBJECT, _MAGIC = NAMED.size // 8, 1, 10
_OBJECT_LONGS = OBJECT.size // 8
_EACH = struct.Struct(f"{OBJECT.size}s")

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


def inode(object: bytes) -> int:
    """Give the number of an object's inode."""
    return int(OBJECT.unpack(object)[0])


def names_of(object: bytes) -> tuple[bytes, bytes]:
    """Give the names that rules may have for an object: as it was reached and, if that was through overlayfs, its own."""
    ino, subvol, dev, generation = OBJECT.unpack(object)
    return object, OBJECT.pack(ino, subvol & ~(1 << abi.Subvol.OVERLAY), dev, generation)


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


@dataclasses.dataclass(frozen=True)
class Objects(Sequence[bytes]):
    """Objects that stand one after another in one block of memory: there may be ten thousand."""

    block: bytes

    def __len__(self) -> int:
        return len(self.block) // OBJECT.size

    def __iter__(self) -> Iterator[bytes]:
        return itertools.chain.from_iterable(_EACH.iter_unpack(self.block))

    @overload
    def __getitem__(self, place: int) -> bytes: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[bytes, ...]: ...

    def __getitem__(self, place: int | slice) -> bytes | tuple[bytes, ...]:
        if isinstance(place, slice):
            return tuple(map(self.__getitem__, range(len(self))[place]))
        start = range(len(self))[place] * OBJECT.size
        return self.block[start : start + OBJECT.size]

    @classmethod
    def of(cls, objects: Iterable[bytes]) -> Objects:
        """Put objects together."""
        return objects if isinstance(objects, cls) else cls(b"".join(objects))

    @property
    def inos(self) -> list[int]:
        """Their inode numbers."""
        return memoryview(self.block).cast("Q")[::_OBJECT_LONGS].tolist()


class Alike(NamedTuple):
    """Objects that are all of one type (S_IFMT of their modes), and their devices: of none is there anything else to tell."""

    type: int
    objects: Objects
    devices: set[bytes]

    @property
    def directories(self) -> bool:
        return stat.S_ISDIR(self.type)


def _different(column: memoryview) -> set[int]:
    """Give the values of a column, each once. Mostly all are the same, and then no number is made of each."""
    values = column.tobytes()
    same = values == values[: column.itemsize] * len(column)
    return set((column[:1] if same else column).tolist())


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
        return 0 not in _different(self._words[_KNOWN::_WORDS])

    def alike(self, fds: Sequence[int]) -> Alike | None:
        """Give the objects of descriptors, opened in this order; None where one of them needs a closer look.

        They are of one type, none is a link, and their filesystems are among those whose names last and that do not stack.
        """
        records = self._of(fds)
        if records is None:
            return None
        words, longs = memoryview(records).cast("I"), memoryview(records).cast("Q")
        types = {stat.S_IFMT(mode) for mode in _different(words[_MODE::_WORDS])}
        magics, known = _different(longs[_MAGIC::_LONGS]), _different(words[_KNOWN::_WORDS])
        devices = _different(words[_DEVICE::_WORDS])
        # Nothing but NOTHING is on device 0.
        if len(types) != 1 or stat.S_IFLNK in types or 0 in known or 0 in devices or not magics <= _PLAIN:
            return None
        objects = memoryview(bytearray(OBJECT.size * len(fds))).cast("Q")
        for place in range(_OBJECT_LONGS):
            objects[place::_OBJECT_LONGS] = longs[_OBJECT + place :: _LONGS]
        named = {device.to_bytes(4, sys.byteorder) for device in devices}
        return Alike(types.pop(), Objects(objects.tobytes()), named)

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
