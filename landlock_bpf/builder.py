# SPDX-License-Identifier: GPL-2.0-only
"""A policy built rule by rule from open files, as landlock_create_ruleset(2) and landlock_add_rule(2) do, without a file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple, TypeVar

from landlock_bpf import abi, errors, paths, policy, policy_reader, policy_variables
from landlock_bpf.policy_format import Leaf

_Word = TypeVar("_Word")

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
    of its own: so put a policy in force before. ValueError for bits that are no action.
    """

    def __init__(self, handled: abi.Action, *, default: str = "deny", name: str = SOURCE, permissive: bool = False) -> None:
        self.handled, self.default, self.name, self.permissive = _actions("handled", handled), default, name, permissive
        self._rules: list[_Rule] = []
        self._closed = False

    def __enter__(self) -> Ruleset:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the duplicates, for good; a policy made before stays as it is."""
        self._closed = True
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
        beneath it, and of ioctl(2) it is about these commands alone. ValueError for bits that are no action or for no action
        at all, and once it is closed; TypeError for a name or command alone, which would be taken for its letters.
        """
        self._require_open()
        said = _actions("allowed", allowed), _actions("denied", denied)
        if not any(said):
            raise ValueError("a rule without an action says nothing; give allowed= or denied=")
        words = _each("names", names), _each("commands", commands)
        self._rules.append(_Rule(os.dup(fd), *said, *words))
        return self

    def policy(self) -> policy.Policy:
        """Give the policy that it comes to now; PolicyError for an object that has no path any more, or not one of ours.

        The paths are those that the objects have now: where one leads to another object by the time that the policy is
        put in force, it is refused. Line numbers of its rules count them. ValueError once it is closed.
        """
        self._require_open()
        reader = policy_reader.Reader(SOURCE, policy_variables.User({}))
        rules = []
        for number, (fd, allowed, denied, names, commands) in enumerate(self._rules, 1):
            path, status = os.readlink(f"/proc/self/fd/{fd}"), os.fstat(fd)
            if not paths.is_at(path, status):
                what = f"what rule {number} is on is not to be found at {path}"
                reader.report(number, "", what, "open it by a path of this mount namespace")
            patterns = reader.patterns(Leaf(name, number, "names") for name in names)
            numbers = reader.commands(Leaf(command, number, "commands") for command in commands)
            place, inode = policy.Location(SOURCE, number), policy.Inode.of(status)
            rules.append(policy.Rule(path, allowed, denied, place, allowed | denied, patterns, numbers, inode=inode))
        if reader.problems:
            raise errors.PolicyError(reader.problems)
        return policy.Policy(self.name, self.handled, self.default, tuple(rules), SOURCE, permissive=self.permissive)

    def _require_open(self) -> None:
        """Refuse once it is closed: a policy made then would lack the rules."""
        if self._closed:
            raise ValueError("the ruleset is closed")


def _actions(what: str, mask: abi.Action) -> abi.Action:
    """Take a mask of actions, a plain number too: no bit of it may be without a meaning."""
    if not isinstance(mask, int) or policy.unknown(mask):
        shown = hex(mask) if isinstance(mask, int) else repr(mask)
        raise ValueError(f"{what}={shown} is no set of actions; name them, as in Action.READ_FILE | Action.READ_DIR")
    return abi.Action(mask)


def _each(what: str, words: Iterable[_Word]) -> tuple[_Word, ...]:
    """Take words: one alone has its letters for words."""
    if isinstance(words, (str, bytes)):
        raise TypeError(f"{what}={words!r} is one word, not several; write {what}=[{words!r}]")
    return tuple(words)
