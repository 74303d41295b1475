# SPDX-License-Identifier: GPL-2.0-only
"""A policy built rule by rule from open files, as landlock_create_ruleset(2) and landlock_add_rule(2) do, without a file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple

from landlock_bpf import abi, errors, policy, policy_reader, policy_variables
from landlock_bpf.policy_format import Leaf

SOURCE = "ruleset"


class _Rule(NamedTuple):
    fd: int
    allowed: abi.Action
    denied: abi.Action
    names: tuple[str, ...]
    commands: tuple[int | str, ...]


class Ruleset:
    """Rules on objects behind descriptors; a context manager, as it keeps duplicates of them.

    `handled` are the actions that it rules on. With `default` "allow" what no rule denies is allowed; with `permissive`
    nothing is denied, and all that would be is reported. Until it is closed no other object can have the number of one
    of its own: so put a policy in force before.
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

    def add(
        self,
        fd: int,
        *,
        allowed: abi.Action = policy.NOTHING,
        denied: abi.Action = policy.NOTHING,
        names: Iterable[str] = (),
        commands: Iterable[int | str] = (),
    ) -> Ruleset:
        """Add a rule on what a descriptor (O_PATH is enough) is open on, and on all beneath if that is a directory.

        `names` ("*.pem") and `commands` ("TIOCSTI", 0x5401) are as in policy files: what is denied is what has such a name
        beneath it, and of ioctl(2) it is about these commands alone.
        """
        self._rules.append(_Rule(os.dup(fd), allowed, denied, tuple(names), tuple(commands)))
        return self

    def policy(self) -> policy.Policy:
        """Give the policy that it comes to now; PolicyError for an object that has no path any more, or not one of ours.

        The paths are those that the objects have now: where one leads to another object by the time that the policy is
        put in force, it is refused. Line numbers of its rules count them.
        """
        reader = policy_reader.Reader(SOURCE, policy_variables.User({}))
        rules = []
        for number, (fd, allowed, denied, names, commands) in enumerate(self._rules, 1):
            path, status = os.readlink(f"/proc/self/fd/{fd}"), os.fstat(fd)
            if not _is_at(status, path):
                what = f"what rule {number} is on is not to be found at {path}"
                reader.report(number, "", what, "open it by a path of this mount namespace")
            patterns = reader.patterns(Leaf(name, number, "names") for name in names)
            numbers = reader.commands(Leaf(command, number, "commands") for command in commands)
            place, inode = policy.Location(SOURCE, number), policy.Inode.of(status)
            rules.append(policy.Rule(path, allowed, denied, place, allowed | denied, patterns, numbers, inode=inode))
        if reader.problems:
            raise errors.PolicyError(reader.problems)
        return policy.Policy(self.name, self.handled, self.default, tuple(rules), SOURCE, permissive=self.permissive)


def _is_at(status: os.stat_result, path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return os.path.samestat(found, status)
