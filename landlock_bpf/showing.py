# SPDX-License-Identifier: GPL-2.0-only
"""Where else an object is shown: the paths that other mounts of our mount namespace have for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from landlock_bpf import mountinfo


class Shown(NamedTuple):
    """Paths of an object on other mounts; `all` unless one has it where it cannot be opened, beneath another mount say."""

    paths: tuple[str, ...]
    all: bool


class Above(NamedTuple):
    """The path of a directory on a mount of more of its filesystem, "" for none; `all` if that is all of it."""

    path: str
    all: bool


def mount_id(fd: int) -> int:
    """Give the number in mountinfo of the mount that an open descriptor came by."""
    with open(f"/proc/self/fdinfo/{fd}") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("mnt_id:"))


def elsewhere(fd: int) -> Shown:
    """Find what an open descriptor stands for on other mounts."""
    mounts = mountinfo.by_id()
    own = mounts.get(mount_id(fd))
    if own is None:
        return Shown((), False)  # detached, or outside of our root
    found = [(path, _is_open(path, number, fd)) for number, _, path in _others(fd, own, mounts)]
    return Shown(tuple(dict.fromkeys(path for path, opened in found if opened)), all(opened for _, opened in found))


def above(fd: int) -> Above:
    """Find a directory where the way up on its own filesystem can be seen, past the root of a mount that shows a part."""
    mounts = mountinfo.by_id()
    own = mounts.get(mount_id(fd))
    if own is None:
        return Above("", False)
    if own.root == "/":
        return Above("", True)
    larger = [each for each in _others(fd, own, mounts) if len(each[1].root) < len(own.root)]
    for number, mount, path in sorted(larger, key=lambda each: len(each[1].root)):
        if _is_open(path, number, fd):
            return Above(path, mount.root == "/")
    return Above("", False)


def _others(fd: int, own: mountinfo.Mount, mounts: dict[int, mountinfo.Mount]) -> Iterator[tuple[int, mountinfo.Mount, str]]:
    """Give the other mounts of what is there, with the path that it has on each."""
    inside = own.root.rstrip("/") + os.readlink(f"/proc/self/fd/{fd}")[len(own.point.rstrip("/")) :] or "/"
    for number, mount in mounts.items():
        root = mount.root.rstrip("/")
        if mount is not own and mount.device == own.device and f"{inside}/".startswith(f"{root}/"):
            yield number, mount, mount.point.rstrip("/") + inside[len(root) :] or "/"


def _is_open(path: str, number: int, fd: int) -> bool:
    """Whether a path leads to what a descriptor stands for, on the mount of this number."""
    with contextlib.ExitStack() as stack:
        try:
            found = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        stack.callback(os.close, found)
        return mount_id(found) == number and os.path.samestat(os.fstat(found), os.fstat(fd))
