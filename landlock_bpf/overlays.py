# SPDX-License-Identifier: GPL-2.0-only
"""Layers of overlay filesystems: where what is denied on the overlay lies as well, to be reached without it."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence

from landlock_bpf import mountinfo, policy, realpaths

# A filesystem is stacked on others at most so often (include/linux/fs.h, FILESYSTEM_MAX_STACK_DEPTH).
_DEPTH = 2
_LAYER = re.compile(r"(?:\\.|[^:\\])+")  # `::` stands before layers that have data alone
_ESCAPED = re.compile(r"\\(.)")


@dataclasses.dataclass(frozen=True)
class Twins:
    """What a policy's denials come to in layers of overlays: further rules, and what could not be covered.

    `origins` has for the path of each of these rules that on the overlay.
    """

    rules: tuple[policy.Rule, ...]
    notes: tuple[str, ...]
    origins: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def origin(self, rule: policy.Rule) -> policy.Rule:
        """Give the rule that one of these comes from, as it was written, or any other as it is."""
        path = rule.path
        while path in self.origins:
            path = self.origins[path]
        return rule if path == rule.path else dataclasses.replace(rule, path=path)


def twins(rules: Iterable[policy.Rule], mounts: Sequence[mountinfo.Mount], reals: realpaths.Realpaths) -> Twins:
    """Give for each rule that denies on an overlay the same in each of its layers that has the path, and in the upper one."""
    points = {mount.point: mount for mount in mounts}  # of those at one point, the last is on top
    overlays = [mount for mount in points.values() if mount.type == "overlay"]
    found: list[policy.Rule] = []
    origins: dict[str, str] = {}
    notes: dict[str, None] = {}
    left = [rule for rule in rules if rule.denied] if overlays else []
    for _ in range(_DEPTH):
        further = []
        for rule in left:
            for path in _elsewhere(reals.find(rule.path), points, notes):
                origins[path] = rule.path
                further.append(dataclasses.replace(rule, path=path, allowed=policy.NOTHING, inode=None))
        found += further
        left = further
    return Twins(tuple(dict.fromkeys(found)), tuple(notes), origins)


def layers(options: str) -> tuple[list[str], str]:
    """Read the lower layers and the upper one (or "") of the options of an overlay.

    Three kinds of escapes are undone: the kernel's for mountinfo, and overlayfs' own of colons and backslashes in lowerdir.
    """
    lower: list[str] = []
    upper = ""
    for option in options.split(","):
        name, _, value = option.partition("=")
        value = mountinfo.plain(value)
        if name == "lowerdir":
            lower += [_ESCAPED.sub(r"\1", each) for each in _LAYER.findall(value)]
        elif name in ("lowerdir+", "datadir+"):
            lower.append(value)
        elif name == "upperdir":
            upper = _ESCAPED.sub(r"\1", value)
    return lower, upper


def _elsewhere(path: str, points: Mapping[str, mountinfo.Mount], notes: dict[str, None]) -> Iterator[str]:
    """Give the places in layers of a path without links."""
    point = path
    while point not in points and point != "/":
        point = point.rpartition("/")[0] or "/"
    mount = points.get(point)
    if mount is None or mount.type != "overlay":
        return
    inside = os.path.normpath(f"/{mount.root}/{os.path.relpath(path, mount.point)}").strip("/")
    lower, upper = layers(mount.options)
    for layer in dict.fromkeys(filter(None, (*lower, upper))):
        if not layer.startswith("/"):
            notes[f"{path} is on an overlay whose layer {layer} cannot be found from here: it is not denied there"] = None
            continue
        top = os.path.realpath(layer)
        if not os.path.isdir(top):
            notes[f"{path} is on an overlay whose layer {layer} is not to be seen from here: it is not denied there"] = None
            continue
        place, there = _follow(top, inside)
        if there:
            yield place
        elif layer == upper and not os.path.lexists(place):
            yield os.path.join(top, inside)
        elif layer == upper:
            notes[f"{path} is hidden by {place} in the upper layer: what comes to be there instead is not denied there"] = None


def _follow(layer: str, inside: str) -> tuple[str, bool]:
    """Go down in a layer as overlayfs does, through directories alone: how far one gets, and whether all is there."""
    place, mode = layer, os.stat(layer).st_mode
    for name in filter(None, inside.split("/")):
        if not stat.S_ISDIR(mode):
            return place, False
        place = f"{place}/{name}"
        try:
            found = os.lstat(place)
        except OSError:
            return place, False
        # A device 0:0 stands where something of a lower layer was removed; a link leads elsewhere from here.
        if stat.S_ISLNK(found.st_mode) or (stat.S_ISCHR(found.st_mode) and not found.st_rdev):
            return place, False
        mode = found.st_mode
    return place, True
