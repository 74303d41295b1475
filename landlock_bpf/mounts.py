# SPDX-License-Identifier: GPL-2.0-only
"""Mounts beneath what is denied, and which denials they inherit.

Since Linux 7.3 open_tree(OPEN_TREE_NAMESPACE) makes any mount the root of a mount namespace, where no way leads further up, and
no LSM hook is asked: so a denial above a mount has to be on the mount's own root as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from landlock_bpf import mountinfo, policy, realpaths


def points(rules: Iterable[policy.Rule], mounts: Sequence[mountinfo.Mount], reals: realpaths.Realpaths) -> set[str]:
    """Find the mount points beneath what is denied, but for names."""
    denied = {reals.find(rule.path) for rule in rules if rule.denied and not rule.names}
    return {mount.point for mount in mounts if not denied.isdisjoint(map(str, PurePosixPath(mount.point).parents))}


def denials(
    rules: Sequence[policy.Rule], mounts: Sequence[mountinfo.Mount], reals: realpaths.Realpaths
) -> dict[str, list[tuple[policy.Rule, int]]]:
    """Say for mount points which denials above them hold there, with the actions for which each is the nearest rule.

    Only for filesystems that are mounted nowhere else but where the same is denied: what is mounted on an open place too
    can be reached there, and would be denied there with it.
    """
    rules = [rule for rule in rules if not rule.names]
    beneath = points(rules, mounts, reals)
    if not beneath:
        return {}
    at: dict[str, list[policy.Rule]] = {}
    for rule in rules:
        at.setdefault(reals.find(rule.path), []).append(rule)
    shared: dict[str, int] = {}
    found: dict[str, list[tuple[policy.Rule, int]]] = {}
    for mount in mounts:
        inherited = list(_above(mount.point, at)) if mount.point in beneath else []
        actions = 0
        for _rule, mask in inherited:
            actions |= mask
        shared[mount.device] = shared.get(mount.device, actions) & actions
        found[mount.point] = inherited
    device = {mount.point: mount.device for mount in mounts}
    kept = {point: [(rule, mask & shared[device[point]]) for rule, mask in each] for point, each in found.items()}
    return {point: left for point, each in kept.items() if (left := [(rule, mask) for rule, mask in each if mask])}


def trees(
    rules: Sequence[policy.Rule], mounts: Sequence[mountinfo.Mount], reals: realpaths.Realpaths
) -> dict[str, list[tuple[policy.Rule, int]]]:
    """Say for mount points which rules on names above them hold there, with the same exception.

    Each has a level, from 1: mounts of one rule that may lie in one another have different ones.
    """
    found: dict[str, list[tuple[policy.Rule, int]]] = {}
    for rule in rules:
        if not rule.names:
            continue
        tree = reals.find(rule.path)
        open_ = {mount.device for mount in mounts if mount.point != tree and not _is_beneath(mount.point, tree)}
        levels: dict[mountinfo.Mount, int] = {}
        for mount in mounts:
            if _is_beneath(mount.point, tree) and mount.device not in open_:
                taken = {level for other, level in levels.items() if _may_nest(mount, other)}
                levels[mount] = next(level for level in range(1, len(levels) + 2) if level not in taken)
                found.setdefault(mount.point, []).append((rule, levels[mount]))
    return found


def _above(point: str, at: Mapping[str, Sequence[policy.Rule]]) -> Iterator[tuple[policy.Rule, int]]:
    """Give the denials above a mount point that no nearer rule speaks against."""
    settled = 0
    for path in (point, *map(str, PurePosixPath(point).parents)):
        here = at.get(path, ())
        for rule in here:
            mask = int(rule.denied) & ~settled
            # A rule on the mount point is tied to the mount's root itself.
            if mask and path != point:
                yield rule, mask
        for rule in here:
            settled |= int(rule.allowed | rule.denied)


def _may_nest(one: mountinfo.Mount, other: mountinfo.Mount) -> bool:
    """Whether what one mount shows may lie in what the other shows."""
    same = one.device == other.device or one.point == other.point
    return same or _is_beneath(one.point, other.point) or _is_beneath(other.point, one.point)


def _is_beneath(point: str, path: str) -> bool:
    return point != path and (path == "/" or point.startswith(f"{path}/"))
