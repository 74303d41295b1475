# SPDX-License-Identifier: GPL-2.0-only
"""Flocks of rules, resolved together: a policy may have ten thousand that allow the same, each on another name in a folder."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence

from landlock_bpf import identity, objections, policy, route, ways

_MANY = 16  # few take less where all are walked and named at once


class Flock:
    """Rules that follow one another in a policy and say the same, each on another name in one folder.

    A flock of one may be on any path. `alike` is there once all of a flock has been resolved together.
    """

    __slots__ = ("alike", "folder", "lines", "names", "rules")

    def __init__(self, folder: str, names: Sequence[str], lines: Sequence[int]) -> None:
        self.folder, self.names, self.lines = folder, names, lines
        self.rules: Sequence[policy.Rule] = ()
        self.alike: identity.Alike | None = None

    @property
    def denies(self) -> bool:
        return bool(self.rules[0].denied)

    @property
    def permits(self) -> bool:
        """Whether there are many rules, and they only allow, whatever is there: nobody asks for the way to their objects."""
        first = self.rules[0]
        return len(self.rules) >= _MANY and not (first.denied or first.names or any(rule.inode for rule in self.rules))


def split(rules: Sequence[policy.Rule]) -> list[Flock]:
    """Split rules into flocks, in their order."""
    found: list[Flock] = []
    names: list[str] = []
    lines: list[int] = []
    folder = ""
    allowed = denied = explicit = patterns = commands = file = None
    for rule in rules:
        name, place = rule.path.removeprefix(folder), rule.location  # in another folder, all of the path
        # Equal masks are one object, and so are words that were read once. Where they are not, it only takes longer.
        if (
            "/" not in name
            and rule.allowed is allowed
            and rule.denied is denied
            and rule.explicit is explicit
            and rule.names is patterns
            and rule.commands is commands
            and place.file is file
        ):
            names.append(name)
            lines.append(place.line)
            continue
        above, slash, name = rule.path.rpartition("/")
        folder, names, lines, file = above + slash, [name], [place.line], place.file
        allowed, denied, explicit, patterns, commands = rule.allowed, rule.denied, rule.explicit, rule.names, rule.commands
        found.append(Flock(folder, names, lines))
    start = 0
    for flock in found:
        end = start + len(flock.names)
        flock.rules, start = rules[start:end], end
    return found


def find(flocks: Iterable[Flock], identify: route.Identify, filesystems: ways.Filesystems) -> None:
    """Resolve those flocks that permit, as far as they can be together; what is wrong or needs a closer look is left."""
    permitting = [flock for flock in flocks if flock.permits]
    if permitting:
        with route.Routes(identify) as routes:
            for flock in permitting:
                alike = _find(flock, routes, identify, filesystems)
                if alike and not objections.to_type(flock.rules[0], directory=alike.directories):
                    flock.alike = alike


def _find(flock: Flock, routes: route.Routes, identify: route.Identify, filesystems: ways.Filesystems) -> identity.Alike | None:
    blocks: list[bytes] = []
    types, devices = set(), set()
    for start in range(0, len(flock.names), ways.BATCH):
        try:
            with routes.opened(flock.folder, flock.names[start : start + ways.BATCH]) as fds:
                alike = identify(fds).alike(fds)
                if alike is None:
                    return None
                filesystems.hold_all(alike, fds)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            return None
        types.add(alike.type)
        devices |= alike.devices
        blocks.append(alike.objects.block)
    return identity.Alike(types.pop(), identity.Objects(b"".join(blocks)), devices) if len(types) == 1 else None
