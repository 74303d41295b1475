# SPDX-License-Identifier: GPL-2.0-only
"""Rules on names, in the model: of paths that were not there when the rules were made, and patterns beneath a tree."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import oracle
from world import Dentry, Inode, Mount, Place, above


class Pattern(NamedTuple):
    layer: int
    text: str
    denied: int


class Names:
    """What is denied by name. They only deny."""

    def __init__(self, layers: int) -> None:
        self._layers = layers
        self._paths: dict[tuple[Inode, tuple[str, ...]], list[tuple[int, int]]] = {}
        self._ways: dict[tuple[Inode, tuple[str, ...]], set[int]] = {}
        self._trees: dict[Inode, list[Pattern]] = {}

    def deny_path(self, layer: int, parent: Inode, missing: tuple[str, ...], denied: int) -> None:
        """Deny a path by its names from the last directory that is there."""
        self._paths.setdefault((parent, missing), []).append((layer, denied))
        for count in range(1, len(missing)):
            self._ways.setdefault((parent, missing[:count]), set()).add(layer)

    def deny_pattern(self, layer: int, tree: Inode, text: str, denied: int) -> None:
        self._trees.setdefault(tree, []).append(Pattern(layer, text, denied))

    @property
    def any(self) -> bool:
        return bool(self._paths or self._trees)

    def rule(self, mount: Mount | None, dentry: Dentry, trees: Iterable[Inode]) -> oracle.Rule:
        """Give what is denied to a name in trees, on a mount or (None) on the filesystem's own way."""
        denied = [0] * self._layers
        for key in self._keys(mount, dentry):
            for layer, mask in self._paths.get(key, ()):
                denied[layer] |= mask
        for tree in trees:
            for layer, text, mask in self._trees.get(tree, ()):
                if fnmatch.fnmatchcase(dentry.name, text):
                    denied[layer] |= mask
        return oracle.Rule((0,) * self._layers, tuple(denied))

    def sealing(self, place: Place) -> set[int]:
        """Give the layers that deny a name anything: nobody makes, links or removes it."""
        if place.dentry is place.mount.root:
            return set()
        assert place.dentry.parent
        trees = self.trees(Place(place.mount, place.dentry.parent))
        return {layer for layer, denied in enumerate(self.rule(*place, trees).denied) if denied}

    def on_a_way(self, place: Place) -> set[int]:
        """Give the layers for which a name is on the way to a denied one: it can be made, as a directory."""
        if place.dentry is place.mount.root:
            return set()
        return {layer for key in self._keys(*place) for layer in self._ways.get(key, ())}

    @staticmethod
    def _keys(mount: Mount | None, dentry: Dentry) -> Iterator[tuple[Inode, tuple[str, ...]]]:
        """Give the names from all directories above, on a mount of a part of a filesystem those past its root as well."""
        yield from _paths(mount, dentry)
        if mount and mount.root.parent:
            yield from _paths(None, dentry)

    def trees(self, place: Place) -> set[Inode]:
        """Give the trees of patterns in which a directory is, itself counted.

        Those on the way across mounts and those on the filesystem's own way count for all names on either.
        """
        met = [place.dentry, *_directories(*place)]
        return {each.inode for dentry in met for each in (dentry, *above(dentry))} & self._trees.keys()

    def patterns(self, place: Place) -> set[tuple[Inode, Pattern]]:
        """Give the patterns in whose trees a directory is, itself counted; each tree has its own, even of the same words."""
        return {(tree, pattern) for tree in self.trees(place) for pattern in self._trees[tree]}


def _steps(mount: Mount | None, dentry: Dentry) -> Iterator[tuple[Dentry, bool]]:
    """Go up, across mounts where there is one; gives each directory, and whether the step to it was from a name."""
    while True:
        if mount and dentry is mount.root:
            if mount.parent is None:
                return
            assert mount.point
            mount, dentry = mount.parent, mount.point
            yield dentry, False
        elif dentry.parent is None:
            return
        else:
            dentry = dentry.parent
            yield dentry, True


def _directories(mount: Mount | None, dentry: Dentry) -> Iterator[Dentry]:
    return (each for each, _ in _steps(mount, dentry))


def _paths(mount: Mount | None, dentry: Dentry) -> Iterator[tuple[Inode, tuple[str, ...]]]:
    """Give for all directories above the names from there."""
    names: tuple[str, ...] = ()
    name = dentry.name
    for each, named in _steps(mount, dentry):
        if named:
            names = name, *names
            yield each.inode, names
        name = each.name
