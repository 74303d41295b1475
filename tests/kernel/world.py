# SPDX-License-Identifier: GPL-2.0-only
"""A model of a small world of files: inodes, names and mounts, and how paths are looked up in it, as fs/namei.c does."""

from __future__ import annotations

import errno
import functools
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

import oracle

DIR, FILE, LINK, FIFO, SOCK, CHAR, BLOCK = "dir", "file", "link", "fifo", "sock", "char", "block"
MAXSYMLINKS = 40


def fail(number: int) -> NoReturn:
    raise OSError(number, "foretold")


class Inode:
    """A file of any kind. `rule` is what all layers say of it, `sealed` whether it has a denial or lies on the way to one."""

    __slots__ = ("dead", "executable", "kind", "links", "rule", "sealed", "target")

    def __init__(self, kind: str, target: str = "", *, executable: bool = False) -> None:
        self.kind = kind
        self.target = target
        self.executable = executable
        self.links = 1
        self.dead = False  # a directory that was removed
        self.rule: oracle.Rule | None = None
        self.sealed: set[int] = set()  # layers


class Dentry:
    """A name of an inode. It keeps its parent when it is removed, as the kernel's does."""

    __slots__ = ("children", "inode", "name", "parent")

    def __init__(self, parent: Dentry | None, name: str, inode: Inode) -> None:
        self.parent = parent
        self.name = name
        self.inode = inode
        self.children: dict[str, Dentry] = {}


class Mount:
    """A tree of dentries from `root`, on the dentry `point` of the mount `parent`."""

    __slots__ = ("parent", "point", "root")

    def __init__(self, root: Dentry, parent: Mount | None = None, point: Dentry | None = None) -> None:
        self.root = root
        self.parent = parent
        self.point = point


class Place(NamedTuple):
    """What a path leads to."""

    mount: Mount
    dentry: Dentry

    @property
    def inode(self) -> Inode:
        return self.dentry.inode

    @property
    def is_dir(self) -> bool:
        return self.dentry.inode.kind == DIR


class Last(NamedTuple):
    """Where a path leads but for its last component: "" for the root; with `slash` it must be a directory."""

    parent: Place
    name: str
    slash: bool

    @property
    def is_name(self) -> bool:
        return self.name not in ("", ".", "..")

    @property
    def child(self) -> Dentry | None:
        """The name in its directory, whatever is mounted there."""
        return self.parent.dentry.children.get(self.name)


class World:
    """All there is: a root, mounts, and descriptors that are held from the beginning."""

    def __init__(self) -> None:
        outside = Dentry(None, "", Inode(DIR))  # where the filesystem begins; a world is one directory of it
        self.root = Place(Mount(outside), Dentry(outside, "world", Inode(DIR)))
        self.mounts: dict[tuple[Mount, Dentry], Mount] = {}
        self.points: set[Dentry] = set()
        self.held: list[Place] = []
        self._links = 0

    def mount(self, point: Place, root: Dentry) -> None:
        """Mount a tree; Dentry(None, ...) is the root of a new filesystem."""
        self.mounts[point] = Mount(root, *point)
        self.points.add(point.dentry)

    # Lookup

    def start(self, at: str) -> Place:
        """Find where a relative path begins: at the root, at a held descriptor (@0, @1 ...), or at another path."""
        if not at:
            return self.root
        if at[0] == "@":
            return self.held[int(at[1:])]
        return self.find("", at)

    def find(self, at: str, path: str, *, follow: bool = True) -> Place:
        """Look up what there is."""
        start = self.start(at)
        self._links = 0
        return self._find(start, path, follow)

    def last(self, at: str, path: str) -> Last:
        """Look up all but the last component."""
        start = self.start(at)
        self._links = 0
        return self._last(start, path)

    def follow(self, last: Last, *, follow: bool) -> Place:
        """Go on from where last() ended."""
        return self._go(last, follow or last.slash)

    def beyond(self, last: Last, link: Dentry) -> Last:
        """Go on to where a symbolic link leads, but for its last component."""
        return self._last(last.parent, self._target(link))

    def _find(self, start: Place, path: str, follow: bool) -> Place:
        last = self._last(start, path)
        return self._go(last, follow or last.slash)

    def _last(self, start: Place, path: str) -> Last:
        if not path:
            fail(errno.ENOENT)
        place = self.root if path[0] == "/" else start
        *middle, name = _names(path)
        for each in middle:
            place = self._go(Last(place, each, True), True)
        if not place.is_dir:
            fail(errno.ENOTDIR)
        return Last(place, name, name != "" and path[-1] == "/")

    def _go(self, last: Last, follow: bool) -> Place:
        """Make one step, to a directory where `slash` says so."""
        if not last.parent.is_dir:
            fail(errno.ENOTDIR)
        if last.name in ("", "."):
            return last.parent
        if last.name == "..":
            return self._up(last.parent)
        child = last.child
        if child is None:
            fail(errno.ENOENT)
        place = self.cross(Place(last.parent.mount, child))
        if follow and place.inode.kind == LINK:
            place = self._find(last.parent, self._target(place.dentry), True)
        if last.slash and not place.is_dir:
            fail(errno.ENOTDIR)
        return place

    def _target(self, link: Dentry) -> str:
        self._links += 1
        if self._links > MAXSYMLINKS:
            fail(errno.ELOOP)
        return link.inode.target

    def cross(self, place: Place) -> Place:
        """Go to the root of what is mounted on top."""
        while mounted := self.mounts.get(place):
            place = Place(mounted, mounted.root)
        return place

    def _up(self, place: Place) -> Place:
        if place == self.root:
            return place
        mount, dentry = place
        while dentry is mount.root:
            if mount.parent is None:
                return Place(mount, dentry)
            assert mount.point
            mount, dentry = mount.parent, mount.point
            if (mount, dentry) == self.root:
                return self.cross(self.root)
        parent = dentry.parent
        # follow_dotdot(): a directory that was moved out of its mount has nothing above.
        if parent is None or not is_beneath(parent, mount.root):
            fail(errno.ENOENT)
        return self.cross(Place(mount, parent))

    # What a policy is asked for

    # Listing

    def places(self) -> Iterator[tuple[str, Place]]:
        """Give all that paths without symbolic links lead to, with the shortest ones, the root first as "."."""
        yield ".", self.root
        yield from self._beneath("", self.root, 0)

    def _beneath(self, prefix: str, place: Place, depth: int) -> Iterator[tuple[str, Place]]:
        for name, child in place.dentry.children.items():
            found = self.cross(Place(place.mount, child))
            yield prefix + name, found
            if found.is_dir and depth < 6:  # what is mounted beneath itself goes on and on
                yield from self._beneath(f"{prefix}{name}/", found, depth + 1)


@functools.cache
def _names(path: str) -> tuple[str, ...]:
    """Split a path; "/" has one empty name."""
    return tuple(name for name in path.split("/") if name) or ("",)


def above(dentry: Dentry) -> Iterator[Dentry]:
    """Give the directories above on the filesystem's own way."""
    while dentry.parent is not None:
        dentry = dentry.parent
        yield dentry


def is_beneath(dentry: Dentry, top: Dentry) -> bool:
    return dentry is top or any(each is top for each in above(dentry))
