# SPDX-License-Identifier: GPL-2.0-only
"""The amendment of a layer by one rule more or less; all other rules stay tied to what they were tied to. Pure values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from landlock_bpf import abi, errors, hooks, identity, policy, ruleset

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
            what = f"the policy {layer.policy} does not rule on {', '.join(hooks.names(rule.allowed))}"
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
        default_allow=layer.default_allow | more.handled & ~layer.handled & ~int(hooks.WITHHELD),
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
    gone = {(path, entry.file, entry.line) for entry in layer.entries if entry.path == path}
    gone |= {(path, name.file, name.line) for name in layer.names if name.path == path}
    trees = tuple(tree for tree in layer.trees if path not in (tree.path, tree.shown(layer.patterns[tree.pattern])))
    lost = set(layer.trees).difference(trees)
    gone |= {(tree.path, layer.patterns[tree.pattern].file, layer.patterns[tree.pattern].line) for tree in lost}
    if not gone:
        return None
    entries = tuple(entry for entry in layer.entries if entry.path != path)
    return dataclasses.replace(
        layer,
        rules=layer.rules - len(gone),
        denies=any(entry.denied for entry in entries) or bool(trees) or any(name.path != path for name in layer.names),
        spread=_spread(entries),
        entries=entries,
        names=tuple(name for name in layer.names if name.path != path),
        trees=trees,
    )


def _spread(entries: Sequence[ruleset.Entry]) -> tuple[tuple[bytes, int], ...]:
    """Count the rules on each filesystem anew, with one of their objects."""
    rules = {(entry.path, entry.file, entry.line): entry.object for entry in reversed(entries)}  # of each the first
    counts: dict[bytes, tuple[bytes, int]] = {}
    for object in rules.values():
        device = object[identity.DEVICE]
        counts[device] = object, counts.get(device, (b"", 0))[1] + 1
    return tuple(counts.values())


def _said(layer: ruleset.Layer) -> Iterator[tuple[str, int]]:
    yield from ((entry.file, entry.line) for entry in layer.entries)
    yield from ((name.file, name.line) for name in layer.names)
    yield from ((pattern.file, pattern.line) for pattern in layer.patterns)
