# SPDX-License-Identifier: GPL-2.0-only
"""The ways to paths on this host: their objects as the kernel names them, and the places that lead there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from typing import NamedTuple, Union

from landlock_bpf import errors, identity, policy, route, spellings

DROP_CACHES = "/proc/sys/vm/drop_caches"
# Paths resolved before the iterator runs over all that is open: few runs, not too many descriptors.
BATCH = 2048


class Way(NamedTuple):
    """The object of a path, last, and for a denial the places on its way.

    If the path does not exist, that object is the deepest directory that does, `missing` are the names from there on.
    `folding` says why names beneath that object cannot be ruled on; it is asked where a rule is on a name. `inode` is
    that of a path's object, where it is wanted.
    """

    places: list[identity.Named]
    missing: tuple[bytes, ...] = ()
    folding: str = ""
    inode: policy.Inode | None = None

    @property
    def last(self) -> identity.Named:
        return self.places[-1]


# Or why a path has none.
Found = Union[Way, OSError]


class Filesystems:
    """Descriptors, one for each filesystem, that keep it mounted while rules on it are made; a context manager."""

    def __init__(self) -> None:
        self._fds: dict[bytes, int] = {}

    def __enter__(self) -> Filesystems:
        return self

    def __exit__(self, *exc: object) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def hold(self, named: identity.Named, fd: int) -> None:
        """Keep the filesystem of a named place, which is open."""
        device = named.object[identity.DEVICE]
        if device not in self._fds:
            self._fds[device] = os.dup(fd)

    def hold_all(self, alike: identity.Alike, fds: Iterable[int]) -> None:
        """Keep the filesystems of objects, which are open."""
        missing = alike.devices - self._fds.keys()
        for object, fd in zip(alike.objects, fds) if missing else ():
            device = object[identity.DEVICE]
            if device in missing:
                self._fds[device] = os.dup(fd)
                missing.remove(device)
                if not missing:
                    break


def drop_caches() -> None:
    """Have what nobody holds leave the cache of inodes."""
    try:
        with open(DROP_CACHES, "w") as control:
            control.write("2")
    except OSError as cause:
        remedy = "run it outside the container: whether names last on that filesystem can only be tried there"
        raise errors.KernelError("write to", DROP_CACHES, cause.errno or errno.EIO, remedy) from cause


class Wish(NamedTuple):
    """What is wanted: paths, those of them whose whole way is, missing ones too, and those beneath which names are ruled on.

    With `inodes` it is also said which objects they lead to.
    """

    paths: Iterable[str]
    denied: set[str]
    named: set[str]
    inodes: bool = False


def find(wish: Wish, identify: route.Identify, filesystems: Filesystems, *, certain: bool = False) -> dict[str, Found]:
    """Name the object of each path, and all on its way where that is wanted."""
    found: dict[str, Found] = {}
    inodes: dict[route.Node, policy.Inode] = {}
    with route.Routes(identify) as routes:
        left = list(wish.paths)
        while left:
            some, left = left[:BATCH], left[BATCH:]
            ways: dict[str, list[route.Node]] = {}
            missing: dict[str, tuple[bytes, ...]] = {}
            for path in some:
                try:
                    ways[path] = routes.find(path)
                except route.MissingError as error:
                    found[path] = error
                    if path in wish.denied:
                        ways[path], missing[path] = error.way, tuple(map(os.fsencode, error.names))
                except OSError as error:
                    if error.errno in (errno.EMFILE, errno.ENFILE):
                        raise
                    found[path] = error
            fresh = routes.name()
            folds: dict[int, str] = {}
            if wish.inodes:
                inodes.update((node, policy.Inode.of(os.fstat(node.fd))) for node in fresh)
            for node in fresh:
                if node.named and (certain or node.named.magic in identity.STABLE):
                    filesystems.hold(node.named, node.fd)
            for path, way in ways.items():
                last = way[-1]
                if last.target is not None and path not in missing:
                    left.append(path)  # it turned out to be a link
                    continue
                places = [node.named for node in (way if path in wish.denied else (last,)) if node.named]
                inode = inodes.get(last) if path not in missing else None
                if path not in missing and path not in wish.named:
                    found[path] = Way(places, inode=inode)
                    continue
                folding = ""
                if places[-1].directory:
                    if last.fd not in folds:
                        folds[last.fd] = spellings.why(last.fd, places[-1].magic)
                    folding = folds[last.fd]
                found[path] = Way(places, missing.get(path, ()), folding, inode)
            routes.drop(fresh)
    return found


def is_doubtful(way: Way) -> bool:
    """Whether one of the places may be named anew once nobody holds it."""
    return any(named.magic not in identity.STABLE for named in way.places)


def objects_of(way: Found) -> list[bytes]:
    """Give the names of all places."""
    return [named.object for named in way.places] if isinstance(way, Way) else []
