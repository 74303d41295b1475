# SPDX-License-Identifier: GPL-2.0-only
"""Explanations: why an access is allowed or denied, by which rule of which layer, and the walk that led there. Values."""

from __future__ import annotations

import dataclasses

from landlock_bpf import policy
from landlock_bpf.abi import Action


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule as it was written: what its layer, counted from 0, allows or denies on a path.

    With `commands`, what it says of ioctl is about these alone.
    """

    layer: int
    path: str
    allowed: Action
    denied: Action
    location: policy.Location
    commands: tuple[int, ...] = ()

    def about(self, actions: Action) -> Rule:
        """Leave out what it says of other actions."""
        commands = self.commands if actions & Action.IOCTL else ()
        return dataclasses.replace(self, allowed=self.allowed & actions, denied=self.denied & actions, commands=commands)


@dataclasses.dataclass(frozen=True)
class Place:
    """A place on the walk, with the rules on it that speak of what is asked, and the layers in which it is sealed."""

    path: str
    rules: tuple[Rule, ...]
    sealed: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What one layer says. `reason` is that of a denial, in lower case: or `allowed`, `default` or `unhandled`."""

    layer: int
    policy: str
    allowed: bool
    permissive: bool
    reason: str
    rule: Rule | None = None


@dataclasses.dataclass(frozen=True)
class Question:
    """One action asked of one object, each layer's verdict, and the walk from the object up to the root.

    The action is a name of enum action, `seal` (that its name may be made or taken away), `gain` (that it gains no right
    by moving) or `domain` (that an ioctl command does not lead out of it). What is asked of ioctl(2) is asked for `commands`;
    without these, for all that no rule names.
    """

    action: str
    path: str
    verdicts: tuple[Verdict, ...]
    walk: tuple[Place, ...]
    commands: tuple[int, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether it stands: layers that only report do not count."""
        return all(verdict.allowed or verdict.permissive for verdict in self.verdicts)


@dataclasses.dataclass(frozen=True)
class Answer:
    """All that an access is asked; it is allowed if all of that is. `missing`: nothing is under that path.

    `unasked` names what is not asked here, and may be refused all the same: words of unasked.py.
    """

    action: str
    path: str
    path2: str
    allowed: bool
    missing: bool
    unasked: tuple[str, ...]
    questions: tuple[Question, ...]
