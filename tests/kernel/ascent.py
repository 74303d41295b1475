# SPDX-License-Identifier: GPL-2.0-only
"""The way up from an object of the model to the root, and what the rules on it and on names say of each place."""

from __future__ import annotations

from typing import NamedTuple

import naming
import oracle
from world import Dentry, Inode, Mount, Place, above


class Layers(NamedTuple):
    """The layers in force: what each handles and allows by default, and which are asked together.

    With `reconnects` a way that misses the root of its mount goes on from there.
    """

    handled: tuple[int, ...] = ()
    default_allow: tuple[int, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    reconnects: bool = False


def ascend(place: Place, layers: Layers, names: naming.Names) -> oracle.Walk:
    """Give all that is met on the way from a place up to the root.

    A directory that was moved out of a bind mount has its root nowhere above: the walk is lost, or goes on from there.
    """
    mount: Mount | None
    mount, dentry = place
    count = len(layers.handled)
    trees = names.trees(place)
    mounts: list[oracle.Mount] = []
    objects: list[oracle.Rule] = []
    while True:
        trees -= {dentry.inode}
        also = names.rule(mount, dentry, trees) if names.any and dentry is not mount.root else None
        objects.append(_rule(dentry, also, count))
        if dentry is mount.root:
            mounts.append(oracle.Mount(tuple(objects), _own(dentry, names, trees, count)))
            if mount.parent is None:
                return oracle.Walk(tuple(mounts), layers.handled, layers.default_allow)
            assert mount.point
            mount, dentry, objects = mount.parent, mount.point, []
        elif dentry.parent is None and layers.reconnects:
            dentry = mount.root
        elif dentry.parent is None:
            mounts.append(oracle.Mount(tuple(objects)))
            return oracle.Walk(tuple(mounts), layers.handled, layers.default_allow, lost=True)
        else:
            dentry = dentry.parent


def _own(root: Dentry, names: naming.Names, trees: set[Inode], count: int) -> tuple[oracle.Rule, ...]:
    """Give what is met past the root of a mount: its name first, then what is above."""
    found = [names.rule(None, root, trees)] if names.any else []
    for each in above(root):
        trees = trees - {each.inode}
        found.append(_rule(each, names.rule(None, each, trees) if names.any else None, count))
    return tuple(found)


def _rule(dentry: Dentry, also: oracle.Rule | None, count: int) -> oracle.Rule:
    """Put together what is said of an object and of its name."""
    rule = dentry.inode.rule or oracle.Rule((0,) * count, (0,) * count)
    if also is None:
        return rule
    return oracle.Rule(rule.allowed, tuple(one | other for one, other in zip(rule.denied, also.denied)))
