# SPDX-License-Identifier: GPL-2.0-only
"""A policy built rule by rule from open files, as landlock_create_ruleset(2) and landlock_add_rule(2) do, without a file."""

from __future__ import annotations

import os
from types import TracebackType
from typing import NamedTuple

from landlock_bpf import abi, errors, policy

SOURCE = "ruleset"


class _Rule(NamedTuple):
    fd: int
    allowed: abi.Action
    denied: abi.Action


class Ruleset:
    """Rules on objects behind descriptors; a context manager, as it keeps duplicates of them.

    `handled` are the actions that it rules on. With `default` "allow" what no rule denies is allowed; with `permissive`
    nothing is denied, and all that would be is reported.
    """

    def __init__(self, handled: abi.Action, *, default: str = "deny", name: str = SOURCE, permissive: bool = False) -> None:
        self.handled, self.default, self.name, self.permissive = handled, default, name, permissive
        self._rules: list[_Rule] = []

    def __enter__(self) -> Ruleset:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the duplicates; a policy made before stays as it is."""
        while self._rules:
            os.close(self._rules.pop().fd)

    def add(self, fd: int, *, allowed: abi.Action = policy.NOTHING, denied: abi.Action = policy.NOTHING) -> Ruleset:
        """Add a rule on what a descriptor (O_PATH is enough) is open on, and on all beneath if that is a directory."""
        self._rules.append(_Rule(os.dup(fd), allowed, denied))
        return self

    def policy(self) -> policy.Policy:
        """Give the policy that it comes to now; PolicyError for an object that has no path any more, or not one of ours.

        The paths are those that the objects have now. Line numbers of its rules count them.
        """
        problems: list[errors.Problem] = []
        rules = []
        for number, (fd, allowed, denied) in enumerate(self._rules, 1):
            path = os.readlink(f"/proc/self/fd/{fd}")
            if not _is_at(fd, path):
                what = f"what rule {number} is on is not to be found at {path}"
                problems.append(errors.Problem(SOURCE, number, "", what, "open it by a path of this mount namespace"))
                continue
            rules.append(policy.Rule(path, allowed, denied, policy.Location(SOURCE, number), allowed | denied))
        if problems:
            raise errors.PolicyError(problems)
        return policy.Policy(self.name, self.handled, self.default, tuple(rules), SOURCE, permissive=self.permissive)


def _is_at(fd: int, path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return os.path.samestat(found, os.fstat(fd))
