# SPDX-License-Identifier: GPL-2.0-only
"""The amendment of a layer by one rule more or less; all other rules stay tied to what they were tied to. Pure values."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from landlock_bpf import abi, action_table, errors, identity, policy, ruleset

SOURCE = "rule add"


def choose(layers: Sequence[ruleset.Layer], number: int | None) -> int:
    """Say which of a domain's own layers is meant: its only policy, or the one that `show` gives that number."""
    first = len(layers) - len(ruleset.own(layers))
    policies = [place for place in range(first, len(layers)) if not layers[place].programs]
    if number is None and len(policies) == 1:
        return policies[0]
    if number in policies:
        return number
    if not policies:
        raise errors.NotFoundError("the domain was given rule programs alone; give a policy with `update`")
    which = ", ".join(map(str, policies))
    what = "has several policies" if number is None else f"has no policy of its own as layer {number}"
    raise errors.NotFoundError(f"the domain {what}; --layer takes one of {which}, as `show` has them")


def fitting(layer: ruleset.Layer, wanted: policy.Policy) -> policy.Policy:
    """Cut the rules for a layer down to what has a meaning there; NotFoundError where nothing is left.

    A permission for what the layer does not handle changes nothing, as it is allowed; a denial makes it handled.
    """
    next_line = 1 + max((line for file, line in _said(layer) if file == SOURCE), default=0)
    rules = []
    for number, rule in enumerate(wanted.rules):
        allowed = rule.allowed & abi.Action(layer.handled)
        if not (allowed or rule.denied):
            what = f"the policy {layer.policy} does not rule on {', '.join(action_table.names(rule.allowed))}"
            raise errors.NotFoundError(f"{what}, so it is allowed on {rule.path} already")
        rules.append(dataclasses.replace(rule, allowed=allowed, location=policy.Location(SOURCE, next_line + number)))
    handled = policy.NOTHING
    for rule in rules:
        handled |= rule.allowed | rule.denied
    return policy.Policy(layer.policy, handled, "deny", tuple(rules), layer.source)


def add(layer: ruleset.Layer, more: ruleset.Layer) -> ruleset.Layer:
    """Put the rules of a resolved layer into another; what only they handle is allowed where none of them decides."""
    begin = len(layer.patterns)
    trees = tuple(tree._replace(pattern=tree.pattern + begin) for tree in more.trees)
    return dataclasses.replace(
        layer,
        handled=layer.handled | more.handled,
        default_allow=layer.default_allow | more.handled & ~layer.handled & ~int(action_table.WITHHELD),
        rules=layer.rules + more.rules,
        denies=layer.denies or more.denies,
        spread=(*layer.spread, *more.spread),
        entries=(*layer.entries, *more.entries),
        names=(*layer.names, *more.names),
        patterns=(*layer.patterns, *more.patterns),
        trees=(*layer.trees, *trees),
        notes=tuple(dict.fromkeys((*layer.notes, *more.notes))),
    )


def remove(layer: ruleset.Layer, path: str) -> ruleset.Layer | None:
    """Leave out what a layer says of a path, as `show` has it; None where it says nothing."""
    names = tuple(name for name in layer.names if name.path != path)
    trees = tuple(tree for tree in layer.trees if path not in (tree.path, tree.shown(layer.patterns[tree.pattern])))
    less = _with_trees(dataclasses.replace(layer, names=names), trees)
    # With the last of its patterns a rule's seals go, unless another rule of its line is on the same path.
    lost = layer.named() - less.named()
    freed = lost - {entry.source for entry in layer.entries if entry.own} if lost else lost
    gone = [entry for entry in layer.entries if entry.path == path or entry.source in freed]
    if not (gone or lost or len(trees) < len(layer.trees)):
        return None
    without = set(gone)
    entries = tuple(entry for entry in layer.entries if entry not in without) if gone else layer.entries
    return dataclasses.replace(
        less,
        rules=layer.rules - _count(gone, lost),
        denies=bool(names or trees) or any(entry.denied or entry.sealed for entry in entries),
        spread=_spread(dataclasses.replace(less, entries=entries)),
        entries=entries,
        notes=tuple(note for note in layer.notes if not note.startswith(f"{path} ")),
    )


def _with_trees(layer: ruleset.Layer, trees: Sequence[ruleset.Tree]) -> ruleset.Layer:
    """Give a layer other trees, and of its patterns those alone that hold beneath one."""
    numbers = {old: new for new, old in enumerate(sorted({tree.pattern for tree in trees}))}
    patterns = tuple(layer.patterns[old] for old in numbers)
    return dataclasses.replace(
        layer, patterns=patterns, trees=tuple(tree._replace(pattern=numbers[tree.pattern]) for tree in trees)
    )


def _count(gone: Iterable[ruleset.Entry], named: set[ruleset.Source]) -> int:
    """Count the rules that entries are of, and those on names: several may stand on one line and be on one path."""
    entries = collections.Counter((entry.source, entry.object) for entry in gone if entry.own)
    rules: collections.Counter[ruleset.Source] = collections.Counter()
    for (source, _object), count in entries.items():
        rules.setdefault(source, count)  # each is once on its own object, which comes first, and maybe on others
    rules.update(named)
    return sum((rules | collections.Counter({entry.source for entry in gone})).values())


def _spread(layer: ruleset.Layer) -> tuple[tuple[bytes, int], ...]:
    """Count the rules on each filesystem anew, with one of their objects."""
    said = {entry.source: entry.object for entry in reversed(layer.entries)}
    said.update((name.source, name.parent) for name in layer.names)
    said.update((tree.source(layer.patterns[tree.pattern]), tree.object) for tree in reversed(layer.trees))
    said.update((entry.source, entry.object) for entry in reversed(layer.entries) if entry.own)  # of each the first
    counts: dict[bytes, tuple[bytes, int]] = {}
    for object in said.values():
        device = object[identity.DEVICE]
        counts[device] = object, counts.get(device, (b"", 0))[1] + 1
    return tuple(counts.values())


def _said(layer: ruleset.Layer) -> Iterator[tuple[str, int]]:
    yield from ((entry.file, entry.line) for entry in layer.entries)
    yield from ((name.file, name.line) for name in layer.names)
    yield from ((pattern.file, pattern.line) for pattern in layer.patterns)
