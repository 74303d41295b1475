# SPDX-License-Identifier: GPL-2.0-only
"""The oracle: what a layer says of an access, step by step, for the decision in C and the whole engine to be held against."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Rule:
    """What each layer allows and denies on one object, as masks of rights."""

    allowed: tuple[int, ...]
    denied: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Mount:
    """Objects from where the walk enters a mount up to its root, and past it on the filesystem's own way."""

    objects: tuple[Rule, ...]
    own: tuple[Rule, ...] = ()


@dataclasses.dataclass(frozen=True)
class Walk:
    """All that is met on the way up, and what each layer handles and allows by default; `lost` without a way to the root."""

    mounts: tuple[Mount, ...]
    handled: tuple[int, ...]
    default_allow: tuple[int, ...]
    lost: bool = False


def allows(walk: Walk, layer: int, right: int) -> bool:
    """Say whether one layer allows one right."""
    if not walk.handled[layer] & right:
        return True
    for number, mount in enumerate(walk.mounts):
        for position, rule in enumerate(mount.objects):
            beneath_a_mount = number > 0 and position == 0
            if rule.denied[layer] & right:
                return False
            if rule.allowed[layer] & right and not beneath_a_mount:
                return True
        for rule in mount.own:
            if rule.denied[layer] & right:
                return False
            if rule.allowed[layer] & right:
                break
    return not walk.lost and bool(walk.default_allow[layer] & right)
