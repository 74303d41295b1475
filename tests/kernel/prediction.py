# SPDX-License-Identifier: GPL-2.0-only
"""What each operation of walker.py does to a world under policies, and the errno it ends with.

The order of the checks is that of fs/namei.c and fs/open.c: which errno comes before the policy is asked, and which after.
"""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable, Sequence

import naming
import oracle
from ascent import Layers, ascend
from walker import EXCHANGE, NOREPLACE, Operation
from world import BLOCK, CHAR, DIR, FIFO, FILE, LINK, SOCK, Dentry, Inode, Last, Place, World, fail, is_beneath

from landlock_bpf.abi import Action

# Plain numbers: arithmetic on flags of an enum is slow.
EXECUTE, WRITE_FILE, READ_FILE = int(Action.EXECUTE), int(Action.WRITE_FILE), int(Action.READ_FILE)
READ_DIR, REFER, TRUNCATE = int(Action.READ_DIR), int(Action.REFER), int(Action.TRUNCATE)
REMOVE_DIR, REMOVE_FILE, IOCTL_DEV = int(Action.REMOVE_DIR), int(Action.REMOVE_FILE), int(Action.IOCTL_DEV)
MAKE = {
    DIR: int(Action.MAKE_DIR),
    FILE: int(Action.MAKE_REG),
    LINK: int(Action.MAKE_SYM),
    FIFO: int(Action.MAKE_FIFO),
    SOCK: int(Action.MAKE_SOCK),
    CHAR: int(Action.MAKE_CHAR),
    BLOCK: int(Action.MAKE_BLOCK),
}
# Stands for the errno with which a block device without a rule of its own is not opened: the two sides differ in it.
GUARDED = 1 << 16
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
ALL = ON_FILES | READ_DIR | REFER | REMOVE_DIR | REMOVE_FILE | sum(MAKE.values())


@functools.cache
def bits(mask: int) -> list[int]:
    return [1 << number for number in range(mask.bit_length()) if mask >> number & 1]


class Prediction:
    """A world that operations change, under layers."""

    def __init__(
        self, world: World, layers: Layers, names: naming.Names, *, swaps: bool = False, commands: bool = False
    ) -> None:
        self.world = world
        self.layers = layers
        self.names = names
        self.swaps = swaps
        self.commands = commands
        self._answers: dict[tuple[object, Dentry, int, int], bool] = {}
        self._walks: dict[Place, oracle.Walk] = {}

    def outcome(self, operation: Operation) -> int:
        """Do an operation; the errno, 0 for success."""
        act: Callable[[Operation], None] = getattr(self, operation.act)
        try:
            act(operation)
        except OSError as error:
            return error.errno or -1
        return 0

    # The policies

    def allows(self, place: Place, layer: int, right: int) -> bool:
        key = (*place, layer, right)
        answer = self._answers.get(key)
        if answer is None:
            walk = self._walks.get(place)
            if walk is None:
                walk = self._walks[place] = ascend(place, self.layers, self.names)
            answer = self._answers[key] = oracle.allows(walk, layer, right)
        return answer

    def refused(self, place: Place, asked: int, group: Sequence[int]) -> int:
        """Give the rights that any layer of a group refuses."""
        return sum(right for right in bits(asked) if not all(self.allows(place, layer, right) for layer in group))

    def ask(self, place: Place, asked: int) -> None:
        if any(self.refused(place, asked, group) for group in self.layers.groups):
            fail(errno.EACCES)

    def sealing(self, place: Place) -> set[int]:
        """Give the layers by which an object stays where it is."""
        if not self.names.any:
            return place.inode.sealed
        return place.inode.sealed | self.names.sealing(place) | self.names.on_a_way(place)

    def remove(self, last: Last, child: Dentry, right: int) -> None:
        """Ask whether a name may be removed."""
        if self.sealing(Place(last.parent.mount, child)):
            fail(errno.EACCES)
        self.ask(last.parent, right)

    def make(self, last: Last, kind: str) -> None:
        """Ask whether a name may be made."""
        if self.names.any:
            made = Place(last.parent.mount, Dentry(last.parent.dentry, last.name, Inode(kind)))
            if self.names.sealing(made) or (kind != DIR and self.names.on_a_way(made)):
                fail(errno.EACCES)
        self.ask(last.parent, MAKE[kind])

    def leaves_tree(self, source: Place, parent: Place, target: Place, group: Sequence[int]) -> bool:
        """Say whether a directory would leave the tree of a pattern of a group's."""
        left = self.names.patterns(parent) - self.names.patterns(target)
        return source.is_dir and any(pattern.layer in group for _tree, pattern in left)

    def has_rule(self, place: Place) -> bool:
        """Say whether each layer has a rule that allows to open this very file."""
        allowed = place.inode.rule.allowed if place.inode.rule else (0,) * len(self.layers.handled)
        return all(mask & (READ_FILE | WRITE_FILE) for mask in allowed)

    def gains(self, source: Place, target: Place, group: Sequence[int]) -> bool:
        """Say whether an object could do in a directory what it cannot do where it is."""
        scope = ALL if source.is_dir else ON_FILES
        return any(
            self.allows(target, layer, right) and not self.allows(source, layer, right)
            for layer in group
            for right in bits(self.layers.handled[layer] & scope)
        )

    def refer(self, old: Place, last: Last, new: Dentry | None, *, removes: bool, exchange: bool = False) -> None:
        """Ask for a link or a rename of `old` to a name where `new` is."""
        mount, dentry = old
        target = last.parent
        # A file that is the root of its mount has no directory there.
        parent = Place(mount, dentry if dentry is mount.root else dentry.parent or dentry)
        leaves, arrives = 0, MAKE[dentry.inode.kind]
        if exchange and new:
            leaves |= MAKE[new.inode.kind]
        if removes:
            leaves |= _removal(dentry.inode)
            arrives |= _removal(new.inode) if new else 0
        across = (dentry.parent or dentry) is not target.dentry
        there = Place(mount, new or Dentry(target.dentry, last.name, Inode(FILE)))
        sealing = self.sealing(there) | (self.sealing(old) if removes else self.names.sealing(old))
        for group in self.layers.groups:
            if sealing.intersection(group):
                fail(errno.EACCES)
            if self.refused(parent, leaves, group) or self.refused(target, arrives, group):
                fail(errno.EACCES)
            if not across:
                continue
            if self.refused(parent, REFER, group) or self.refused(target, REFER, group):
                fail(errno.EXDEV)
            if self.gains(old, target, group) or self.leaves_tree(old, parent, target, group):
                fail(errno.EXDEV)
            if exchange and new and (self.gains(there, parent, group) or self.leaves_tree(there, target, parent, group)):
                fail(errno.EXDEV)

    # Names

    def add(self, last: Last, inode: Inode) -> Dentry:
        dentry = last.parent.dentry
        made = dentry.children[last.name] = Dentry(dentry, last.name, inode)
        return made

    def vacant(self, at: str, path: str, *, directory: bool = False) -> Last:
        """Look up where a new name is to be, as filename_create()."""
        last = self.world.last(at, path)
        if not last.is_name or last.child:
            fail(errno.EEXIST)
        if (last.slash and not directory) or last.parent.inode.dead:
            fail(errno.ENOENT)
        return last

    def mkdir(self, operation: Operation) -> None:
        last = self.vacant(operation.at, operation.path, directory=True)
        self.make(last, DIR)
        self.add(last, Inode(DIR))

    def mknod(self, operation: Operation) -> None:
        last = self.vacant(operation.at, operation.path)
        self.make(last, operation.word)
        self.add(last, Inode(operation.word, executable=True))

    def symlink(self, operation: Operation) -> None:
        last = self.vacant(operation.at, operation.path)
        self.make(last, LINK)
        self.add(last, Inode(LINK, operation.word))

    def unlink(self, operation: Operation) -> None:
        last = self.world.last(operation.at, operation.path)
        if not last.is_name:
            fail(errno.EISDIR)
        child = last.child
        if child is None:
            fail(errno.ENOENT)
        is_dir = child.inode.kind == DIR
        if last.slash:
            fail(errno.EISDIR if is_dir else errno.ENOTDIR)
        self.remove(last, child, REMOVE_FILE)
        if is_dir:
            fail(errno.EISDIR)
        self.take_away(child)

    def rmdir(self, operation: Operation) -> None:
        last = self.world.last(operation.at, operation.path)
        if not last.is_name:
            fail({"..": errno.ENOTEMPTY, ".": errno.EINVAL}.get(last.name, errno.EBUSY))
        child = last.child
        if child is None:
            fail(errno.ENOENT)
        self.remove(last, child, REMOVE_DIR)
        if child.inode.kind != DIR:
            fail(errno.ENOTDIR)
        if child in self.world.points:
            fail(errno.EBUSY)
        if child.children:
            fail(errno.ENOTEMPTY)
        self.take_away(child)

    def take_away(self, child: Dentry) -> None:
        if child in self.world.points:
            fail(errno.EBUSY)
        assert child.parent
        del child.parent.children[child.name]
        child.inode.links -= 1
        child.inode.dead = child.inode.kind == DIR

    # Link and rename

    def link(self, operation: Operation) -> None:
        follow = "follow" in operation.word
        self.begin(operation)
        self.connect(self.world.find(operation.at, operation.path, follow=follow), operation)

    def begin(self, operation: Operation) -> None:
        """Open where both paths begin, before either is looked up."""
        self.world.start(operation.at)
        self.world.start(operation.at2)

    def link_held(self, operation: Operation) -> None:
        """linkat(fd, "", AT_EMPTY_PATH)."""
        self.connect(self.open_path(operation.at, operation.path, os.O_PATH), operation)

    def link_tmpfile(self, operation: Operation) -> None:
        made = self.open_tmpfile(operation)
        made.inode.links = -1  # it has none, and yet may be linked
        self.connect(made, operation)

    def connect(self, old: Place, operation: Operation) -> None:
        last = self.vacant(operation.at2, operation.path2)
        if last.parent.mount is not old.mount:
            fail(errno.EXDEV)
        self.refer(old, last, None, removes=False)
        if old.is_dir:
            fail(errno.EPERM)
        if old.inode.links == 0:
            fail(errno.ENOENT)
        self.add(last, old.inode)
        old.inode.links = max(old.inode.links, 0) + 1

    def rename(self, operation: Operation) -> None:
        self.begin(operation)
        source = self.world.last(operation.at, operation.path)
        target = self.world.last(operation.at2, operation.path2)
        exchange, noreplace = operation.flags == EXCHANGE, operation.flags == NOREPLACE
        if source.parent.mount is not target.parent.mount:
            fail(errno.EXDEV)
        if not source.is_name:
            fail(errno.EBUSY)
        if not target.is_name:
            fail(errno.EEXIST if noreplace else errno.EBUSY)
        old, new = source.child, target.child
        if old is None or target.parent.inode.dead:
            fail(errno.ENOENT)
        if noreplace and new:
            fail(errno.EEXIST)
        if exchange and new is None:
            fail(errno.ENOENT)
        old_is_dir = old.inode.kind == DIR
        if exchange and new and new.inode.kind != DIR and target.slash:
            fail(errno.ENOTDIR)
        if not old_is_dir and (source.slash or (target.slash and not exchange)):
            fail(errno.ENOTDIR)
        if is_beneath(target.parent.dentry, old):
            fail(errno.EINVAL)
        if new and is_beneath(source.parent.dentry, new):
            fail(errno.EINVAL if exchange else errno.ENOTEMPTY)
        self.refer(Place(source.parent.mount, old), target, new, removes=True, exchange=exchange)
        if new and old.inode is new.inode:
            return
        if new and not exchange:
            if old_is_dir and new.inode.kind != DIR:
                fail(errno.ENOTDIR)
            if not old_is_dir and new.inode.kind == DIR:
                fail(errno.EISDIR)
        if old in self.world.points or new in self.world.points:
            fail(errno.EBUSY)
        if new and not exchange:
            if new.children:
                fail(errno.ENOTEMPTY)
            self.take_away(new)
        self.move(source, target, old, new if exchange else None)

    def move(self, source: Last, target: Last, old: Dentry, new: Dentry | None) -> None:
        del source.parent.dentry.children[source.name]
        old.parent, old.name = target.parent.dentry, target.name
        target.parent.dentry.children[target.name] = old
        if new:
            new.parent, new.name = source.parent.dentry, source.name
            source.parent.dentry.children[source.name] = new
        self._walks.clear()
        self._answers.clear()

    # Open files

    def open(self, operation: Operation) -> None:
        if operation.flags & os.O_TMPFILE == os.O_TMPFILE:
            self.open_tmpfile(operation)
        else:
            self.open_path(operation.at, operation.path, operation.flags)

    def open_tmpfile(self, operation: Operation) -> Place:
        if not operation.flags & (os.O_WRONLY | os.O_RDWR) or operation.flags & os.O_CREAT:
            fail(errno.EINVAL)
        follow = not operation.flags & os.O_NOFOLLOW
        folder = self.world.find(operation.at, operation.path, follow=follow)
        if not folder.is_dir:
            fail(errno.ENOTDIR)
        made = Place(folder.mount, Dentry(folder.dentry, "#", Inode(FILE, executable=True)))
        self.ask(made, self.opening(operation.flags, FILE))
        return made

    def open_path(self, at: str, path: str, flags: int) -> Place:
        """open(2), but for O_TMPFILE."""
        start = self.world.start(at)
        if not path:
            return start
        flags = _checked(flags)
        follow = not (flags & os.O_NOFOLLOW or (flags & os.O_CREAT and flags & os.O_EXCL))
        if not flags & os.O_CREAT:
            return self.open_found(self.world.find(at, path, follow=follow), flags)
        last = self.world.last(at, path)
        while True:
            if not last.is_name:
                return self.open_found(self.world.follow(last, follow=False), flags)
            if last.slash:
                fail(errno.EISDIR)
            child = last.child
            if child is None:
                return self.create(last, flags)
            found = self.world.cross(Place(last.parent.mount, child))
            if found.inode.kind != LINK or not follow:
                return self.open_found(found, flags)
            last = self.world.beyond(last, child)

    def create(self, last: Last, flags: int) -> Place:
        if last.parent.inode.dead:
            fail(errno.ENOENT)
        self.make(last, FILE)
        made = Place(last.parent.mount, self.add(last, Inode(FILE, executable=True)))
        # It stays where it may not be opened.
        self.ask(made, self.opening(flags, FILE))
        return made

    def opening(self, flags: int, kind: str) -> int:
        """Give the rights that an open asks for."""
        if self.commands and flags & os.O_ACCMODE == os.O_ACCMODE:
            return READ_FILE | WRITE_FILE
        return _opening(flags, kind)

    def open_found(self, place: Place, flags: int) -> Place:
        """Open what there is: do_open()."""
        kind = place.inode.kind
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC))
        if flags & os.O_CREAT and flags & os.O_EXCL:
            fail(errno.EEXIST)
        if kind == DIR and flags & os.O_CREAT:
            fail(errno.EISDIR)
        if flags & os.O_DIRECTORY and kind != DIR:
            fail(errno.ENOTDIR)
        if flags & os.O_PATH:
            return place
        if kind == LINK:
            fail(errno.ELOOP)
        if kind == DIR and writes:
            fail(errno.EISDIR)
        self.ask(place, self.opening(flags, kind))
        if kind == BLOCK and not self.has_rule(place):
            fail(GUARDED)
        if kind == FILE and self.swaps and flags & (os.O_ACCMODE | os.O_EXCL) == os.O_RDWR | os.O_EXCL:
            fail(errno.EACCES)
        if kind in (SOCK, BLOCK):
            fail(errno.ENXIO)
        if kind == FIFO and flags & os.O_ACCMODE == os.O_WRONLY:
            fail(errno.ENXIO)
        if kind == FIFO and flags & os.O_ACCMODE == os.O_ACCMODE:
            fail(errno.EINVAL)
        if kind == FILE and flags & os.O_TRUNC:
            self.ask(place, TRUNCATE)
        return place

    def reopen(self, operation: Operation) -> None:
        """Open through /proc/self/fd what was opened with O_PATH."""
        place = self.open_path(operation.at, operation.path, operation.flags | os.O_PATH)
        flags = _checked(operation.flags2)
        if flags & os.O_NOFOLLOW or (flags & os.O_CREAT and flags & os.O_EXCL):
            place = Place(place.mount, Dentry(None, "", Inode(LINK)))  # the link in /proc
        self.open_found(place, flags)

    def ftruncate(self, operation: Operation) -> None:
        place = self.open_path(operation.at, operation.path, operation.flags)
        if operation.flags & os.O_PATH:
            fail(errno.EBADF)
        if place.inode.kind != FILE or not _opening(operation.flags, FILE) & WRITE_FILE:
            fail(errno.EINVAL)
        self.ask(place, TRUNCATE)

    def ioctl(self, operation: Operation) -> None:
        place = self.open_path(operation.at, operation.path, operation.flags)
        if operation.flags & os.O_PATH:
            fail(errno.EBADF)
        if place.inode.kind == CHAR:
            self.ask(place, IOCTL_DEV)
        fail(errno.ENOTTY)

    def truncate(self, operation: Operation) -> None:
        place = self.world.find(operation.at, operation.path)
        if place.inode.kind != FILE:
            fail(errno.EISDIR if place.is_dir else errno.EINVAL)
        self.ask(place, TRUNCATE)

    def execute(self, operation: Operation) -> None:
        place = self.world.find(operation.at, operation.path)
        if place.inode.kind != FILE or not place.inode.executable:
            fail(errno.EACCES)
        self.ask(place, EXECUTE | READ_FILE)
        fail(errno.ENOEXEC)

    def stat(self, operation: Operation) -> None:
        self.world.find(operation.at, operation.path, follow=not operation.flags)


def _removal(inode: Inode) -> int:
    return REMOVE_DIR if inode.kind == DIR else REMOVE_FILE


def _checked(flags: int) -> int:
    """Give the flags of open(2) that count: build_open_flags()."""
    if flags & os.O_PATH:
        return flags & (os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    if flags & os.O_CREAT and flags & os.O_DIRECTORY:
        fail(errno.EINVAL)
    return flags


def _opening(flags: int, kind: str) -> int:
    """Give the rights that an open mode asks for."""
    mode = flags & os.O_ACCMODE
    if kind == DIR:
        return READ_DIR if mode == os.O_RDONLY else 0
    asked = READ_FILE if mode in (os.O_RDONLY, os.O_RDWR) else 0
    return asked | (WRITE_FILE if mode in (os.O_WRONLY, os.O_RDWR) else 0)
