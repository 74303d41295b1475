# SPDX-License-Identifier: GPL-2.0-only
"""Rules on names and a path, part of which may be missing: which of its names each of them speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from landlock_bpf import abi, action_table, explanation, names, policy, ruleset
from landlock_bpf.abi import Action


class Saying(NamedTuple):
    """A rule, and of which name of the path it speaks, counted from the last one, which is 0."""

    rule: explanation.Rule
    name: int


class Path(NamedTuple):
    """A path as rules on names see it.

    `ways` are the places above it, each an object with the names from there. The engine found the directory of the names in
    `last` in the trees of the patterns of a mask, numbered layer after layer; where they have several spellings, each of them
    may be meant by any pattern.
    """

    ways: Sequence[tuple[bytes, Sequence[bytes]]]
    last: Sequence[bytes]
    trees: int = 0
    spellings: bool = False

    def sayings(self, number: int, layer: ruleset.Layer, first: int) -> list[Saying]:
        """Collect what a layer says, whose patterns are numbered from `first`: of the last names first."""
        found = [*self._paths(number, layer), *self._patterns(number, layer), *self._trees(number, layer, first)]
        return sorted(dict.fromkeys(found), key=lambda saying: saying.name)

    def _paths(self, number: int, layer: ruleset.Layer) -> Iterator[Saying]:
        said: dict[tuple[bytes, int], list[ruleset.Name]] = {}
        for name in layer.names:
            said.setdefault((name.parent, name.hash), []).append(name)
        for object, parts in self.ways if said else ():
            for place, (made, _, _) in enumerate(names.prefixes(parts[: int(abi.Limit.MISSING)])):
                for name in said.get((object, made), ()):
                    where = policy.Location(name.file, name.line)
                    denied = Action(name.denied & action_table.EVERY)
                    rule = explanation.Rule(number, name.path, Action(0), denied, where, name.commands)
                    yield Saying(rule, len(parts) - 1 - place)

    def _patterns(self, number: int, layer: ruleset.Layer) -> Iterator[Saying]:
        for tree in layer.trees:
            pattern = layer.patterns[tree.pattern]
            matcher = names.pattern(pattern.text)
            for object, parts in self.ways:
                if object == tree.object:
                    yield from _matches(matcher, parts, patterned(number, tree, pattern))

    def _trees(self, number: int, layer: ruleset.Layer, first: int) -> Iterator[Saying]:
        """Tell of trees that no way to be seen from here leads to, as well."""
        for place, pattern in enumerate(layer.patterns):
            if self.trees >> first + place & 1:
                tree = next((tree for tree in layer.trees if tree.pattern == place), ruleset.Tree(b"", place, ""))
                matcher = None if self.spellings else names.pattern(pattern.text)
                yield from _matches(matcher, self.last, patterned(number, tree, pattern))


def patterned(layer: int, tree: ruleset.Tree, pattern: ruleset.Pattern) -> explanation.Rule:
    denied = Action(pattern.denied & action_table.EVERY)
    where = policy.Location(pattern.file, pattern.line)
    return explanation.Rule(layer, tree.shown(pattern), Action(0), denied, where, pattern.commands)


def _matches(matcher: names.Pattern | None, parts: Sequence[bytes], rule: explanation.Rule) -> Iterator[Saying]:
    """Give the rule for each name that is meant; without a matcher that is any."""
    for place, part in enumerate(reversed(parts)):
        if matcher is None or matcher.matches(part):
            yield Saying(rule, place)
