# SPDX-License-Identifier: GPL-2.0-only
"""The entries of a layer in the making: columns, for most say the same as the one before, of another object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from landlock_bpf import identity, policy, rows, ruleset


class Entries:
    """What a policy says of objects, in the order in which it is added."""

    def __init__(self) -> None:
        self._objects = bytearray()
        self._allowed, self._denied, self._sealed = rows.Runs(), rows.Runs(), rows.Runs()
        self._paths: list[str] = []
        self._files = rows.Runs()
        self._lines: list[int] = []
        self._commands = rows.Runs()

    def add(self, rule: policy.Rule, object: bytes, allowed: int, denied: int, *, sealed: bool) -> None:
        """Add what a rule says of one object."""
        self._add_same(rule, allowed, denied, sealed, 1)
        self._objects += object
        self._paths.append(rule.path)
        self._lines.append(rule.location.line)

    def add_alike(self, rules: Sequence[policy.Rule], lines: Iterable[int], objects: identity.Objects, allowed: int) -> None:
        """Add what rules of one file, which differ in path and line alone, allow of their objects."""
        self._add_same(rules[0], allowed, 0, False, len(rules))
        self._objects += objects.block
        self._paths += [rule.path for rule in rules]
        self._lines += lines

    def said(self) -> Iterator[tuple[bytes, int]]:
        """Give each object that something was added of, and what that allowed."""
        return zip(identity.Objects(bytes(self._objects)), self._allowed)

    def rows(self) -> Sequence[ruleset.Entry]:
        """Give all entries; nothing is to be added afterwards, for they share its columns."""
        if not self._objects:
            return ()
        objects = identity.Objects(bytes(self._objects))
        said = self._allowed, self._denied, self._sealed
        return rows.Rows(ruleset.Entry, (objects, *said, self._paths, self._files, self._lines, self._commands))

    def _add_same(self, rule: policy.Rule, allowed: int, denied: int, sealed: bool, length: int) -> None:
        self._allowed.add(allowed, length)
        self._denied.add(denied, length)
        self._sealed.add(sealed, length)
        self._files.add(rule.location.file, length)
        self._commands.add(rule.commands, length)
