# SPDX-License-Identifier: GPL-2.0-only
"""Hard links that were there before a rule: files beneath what is denied that have other names elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from landlock_bpf import mountinfo, names, policy, realpaths

# Entries of directories that are looked at for one policy: some seconds.
MOST_ENTRIES = 250_000
# Files with other names that are covered for one policy.
MOST_FILES = 10_000

# Of each rule, the mask of actions for which it is the nearest.
Denials = tuple[tuple[policy.Rule, int], ...]


class Found(NamedTuple):
    """A file that has names outside, by one of those inside, and what the nearest rules deny at any of these.

    Or one that was asked for, of which nothing may be denied.
    """

    path: str
    denied: Denials


class _Place(NamedTuple):
    path: str
    denied: Denials
    patterns: tuple[policy.Rule, ...]  # rules on names in whose trees it is


class Search:
    """The files found for one policy, and what could not be looked at, in words; `wanted` are inodes to find in any case."""

    def __init__(
        self,
        rules: Sequence[policy.Rule],
        mounts: Sequence[mountinfo.Mount],
        reals: realpaths.Realpaths,
        wanted: Container[int] = (),
    ) -> None:
        self.notes: list[str] = []
        self._wanted = wanted
        self._at: dict[str, list[policy.Rule]] = {}
        self._points = {mount.point: mount for mount in mounts}
        self._left = MOST_ENTRIES
        self._inodes: dict[tuple[int, int], tuple[int, list[_Place]]] = {}
        for rule in rules:
            self._at.setdefault(reals.find(rule.path), []).append(rule)
        tops = {path for path, here in self._at.items() if any(rule.denied for rule in here) and not self._has_all(path)}
        # What is beneath another one is met on the way down.
        inside: dict[str, bool] = {"": "/" in tops}
        tops = {top for top in tops if top == "/" or not _is_inside(top.rpartition("/")[0], tops, inside)}
        for top in sorted(tops):
            self._walk(top)
        self.files = tuple(self._outside())

    def _has_all(self, top: str) -> bool:
        """Whether all names of its files are beneath it, and denied: it is the root of a filesystem, and nothing allows."""
        mount = self._points.get(top)
        if mount is None or mount.root != "/" or any(rule.names for rule in self._at[top]):
            return False
        return not any(rule.allowed for path, here in self._at.items() if _is_beneath(path, top) for rule in here)

    def _walk(self, top: str) -> None:
        try:
            if not stat.S_ISDIR(os.lstat(top).st_mode):
                return  # the rule is on the file itself, whatever its names
        except OSError:
            return  # it does not exist yet
        stack = [self._enter(_Place(top, (), ()), top)]
        while stack:
            place = stack.pop()
            try:
                with os.scandir(place.path) as entries:
                    for entry in entries:
                        if not self._left:
                            what = f"more than {MOST_ENTRIES:,} files are beneath {top} and the like"
                            self.notes.append(f"{what}: links from elsewhere to the others are not denied")
                            return
                        self._left -= 1
                        self._look(place, entry, stack)
            except OSError as error:
                what = f"{place.path} cannot be read ({error.strerror})"
                self.notes.append(f"{what}: links from elsewhere to its files are not denied")

    def _look(self, place: _Place, entry: os.DirEntry[str], stack: list[_Place]) -> None:
        directory = entry.is_dir(follow_symlinks=False)
        if directory:
            mount = self._points.get(entry.path)
            if mount is None:
                stack.append(self._enter(place, entry.path))
            elif mount.root != "/":
                what = f"{entry.path} is a mount of a part of a filesystem"
                self.notes.append(f"{what}: links from elsewhere to its files are not denied")
            return
        found = entry.stat(follow_symlinks=False)
        wanted = found.st_ino in self._wanted
        if found.st_nlink > 1 or wanted:
            here = self._enter(place, entry.path)
            if here.denied or wanted:
                self._inodes.setdefault((found.st_dev, found.st_ino), (found.st_nlink, []))[1].append(here)

    def _enter(self, place: _Place, path: str) -> _Place:
        """Say what holds at a path, from what holds at the directory that it is in."""
        denied, patterns, here = place.denied, place.patterns, self._at.get(path, ())
        for rule in here:
            denied = _nearer(denied, 0, int(rule.allowed), rule)
        if patterns:
            name = os.fsencode(os.path.basename(path))
            for rule in patterns:
                if any(names.pattern(text).matches(name) for text in rule.names):
                    denied = _nearer(denied, int(rule.denied), 0, rule)
        for rule in here:
            if not rule.names:
                denied = _nearer(denied, int(rule.denied), 0, rule)
        return _Place(path, denied, (*patterns, *(rule for rule in here if rule.names)))

    def _outside(self) -> Iterator[Found]:
        """Give the files that have more names than were met."""
        count = 0
        for (_device, inode), (links, places) in self._inodes.items():
            if links <= len(places) and len({place.denied for place in places}) == 1:
                if inode in self._wanted:
                    yield Found(places[0].path, ())
                continue
            count += 1
            if count > MOST_FILES:
                self.notes.append(
                    f"more than {MOST_FILES:,} denied files have links elsewhere: those of the others are not denied"
                )
                return
            united: Denials = ()
            for place in places:
                for rule, mask in place.denied:
                    united = _nearer(united, mask, 0, rule)
            yield Found(places[0].path, united)


def _is_inside(folder: str, tops: set[str], known: dict[str, bool]) -> bool:
    """Whether a folder is one of some trees or beneath one; what is found is kept, for rules come in flocks."""
    if folder not in known:
        known[folder] = folder in tops or _is_inside(folder.rpartition("/")[0], tops, known)
    return known[folder]


def _is_beneath(path: str, other: str) -> bool:
    return path != other and path.startswith(f"{other.rstrip('/')}/")


def _nearer(denied: Denials, more: int, allowed: int, rule: policy.Rule) -> Denials:
    """Say what is denied, and by which rule, once a nearer rule has spoken."""
    settled = more | allowed
    left = tuple((each, mask & ~settled) for each, mask in denied if mask & ~settled)
    return (*left, (rule, more)) if more else left
