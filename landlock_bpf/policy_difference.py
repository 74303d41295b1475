# SPDX-License-Identifier: GPL-2.0-only
"""What changes from one policy to another: for each path and action the verdict before and after, whatever words led to it.

Pure values: what a path leads to on this host is not looked up, so a rule is taken to speak of its path and all paths beneath.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from landlock_bpf import abi, action_table, ioctl_commands, policy, policy_actions

ROOT = "/"
# A mask has the actions and, above them, one bit for each ioctl command that a rule names.
_FIRST_COMMAND = 64
_EVERY, _IOCTL = int(action_table.EVERY), int(abi.Action.IOCTL)


class Verdict(enum.Enum):
    """What a policy says of an action on an object."""

    ALLOWED = "allowed"
    DENIED = "denied"
    LEFT = "left alone"


# By verdict, the actions that it holds for.
Masks = dict[Verdict, int]
# By verdict before and after, the actions that it changes for.
Pairs = Mapping[tuple[Verdict, Verdict], int]
# A path, and a pattern of names beneath it or nothing.
Place = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Change:
    """What becomes of some actions on a path and beneath, or on what has a name beneath; nothing, where it stays in between."""

    path: str
    name: str
    actions: abi.Action
    commands: tuple[int, ...]
    before: Verdict
    after: Verdict

    @property
    def words(self) -> str:
        """Name the actions, and the ioctl commands that differ from all others."""
        words = [policy_actions.summary(self.actions)] if self.actions else []
        if self.commands:
            words.append(f"ioctl ({', '.join(ioctl_commands.names(self.commands))})")
        return ", ".join(words)


@dataclasses.dataclass(frozen=True)
class Difference:
    """All that changes. What is handled, or no longer, may still be allowed everywhere: then `changes` has nothing of it.

    `sealed` and `unsealed` are paths that, with the way to them, can no longer or again be renamed and removed.
    """

    permissive: tuple[bool, bool]
    handled: abi.Action
    unhandled: abi.Action
    changes: tuple[Change, ...]
    sealed: tuple[str, ...]
    unsealed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.handled or self.unhandled or self.weighs)

    @property
    def weighs(self) -> bool:
        """Whether some access is decided otherwise."""
        return bool(len(set(self.permissive)) > 1 or self.changes or self.sealed or self.unsealed)


def compare(before: policy.Policy, after: policy.Policy) -> Difference:
    """Say what changes from one policy to the other."""
    commands = tuple(sorted({command for made in (before, after) for rule in made.rules for command in rule.commands}))
    alike = _alike(_own(before, commands), _own(after, commands))
    places = _places([*before.rules, *after.rules], alike)
    old, new = verdicts(before, places, commands), verdicts(after, places, commands)
    changes: list[Change] = []
    pairs: dict[Place, Pairs] = {}
    # Of names, what was said of them further up; there it is found before what is said of directories.
    spoken: dict[Place, int] = {}
    for place in old:
        path, name = place
        pairs[place] = {(v, w): old[place][v] & new[place][w] for v, w in itertools.product(Verdict, Verdict)}
        up = nearest(path, places), name
        heard = pairs.get(up, {}) if path != ROOT else {}
        if name:
            known = spoken.get(up, 0) if path != ROOT else 0
            heard = {pair: heard.get(pair, 0) & known | bits & ~known for pair, bits in pairs[path, ""].items()}
        told = _told(pairs[place], heard)
        for each in alike.get(name, (name,)):
            changes += _changes((path, each), told, commands)
        if name:
            spoken[place] = known | _wide(sum(told.values()), commands)
    old_seals, new_seals = _seals(before), _seals(after)
    return Difference(
        (before.permissive, after.permissive),
        before.left_alone & ~after.left_alone,
        after.left_alone & ~before.left_alone,
        tuple(changes),
        tuple(sorted(new_seals - _ways(old_seals))),
        tuple(sorted(old_seals - _ways(new_seals))),
    )


def _alike(old: Mapping[Place, tuple[int, int]], new: Mapping[Place, tuple[int, int]]) -> dict[str, list[str]]:
    """Gather names of which the same is said on the same paths, each lot under one of them."""
    said: dict[str, list[tuple[str, int, int]]] = {}
    for path, name in sorted({*old, *new}):
        if name:
            said.setdefault(name, []).append((path, old.get((path, name), (0, 0))[1], new.get((path, name), (0, 0))[1]))
    lots: dict[tuple[tuple[str, int, int], ...], list[str]] = {}
    for name, here in said.items():
        lots.setdefault(tuple(here), []).append(name)
    return {names[0]: names for names in lots.values()}


def _places(rules: Sequence[policy.Rule], names: Container[str]) -> dict[str, set[str]]:
    """Give all paths from the root down, each with those of the names that are ruled on there or further up."""
    named: dict[str, set[str]] = {ROOT: set()}
    for rule in rules:
        named.setdefault(rule.path, set()).update(name for name in rule.names if name in names)
    places: dict[str, set[str]] = {}
    for path in sorted(named, key=order):
        places[path] = named[path] | places.get(nearest(path, places), set())
    return places


def verdicts(made: policy.Policy, places: Mapping[str, Iterable[str]], commands: tuple[int, ...] = ()) -> dict[Place, Masks]:
    """Say what a policy says on paths, which come from the root down, and there of names."""
    own = _own(made, commands)
    everything, left = _wide(_EVERY, commands), made.left_alone
    handled, allowed = _wide(_EVERY & ~left, commands), _wide(made.default_allow & ~left, commands)
    default: Masks = {Verdict.ALLOWED: allowed, Verdict.DENIED: handled & ~allowed, Verdict.LEFT: everything & ~handled}
    found: dict[Place, Masks] = {}
    named: dict[Place, int] = {}
    for path, names in places.items():
        above = nearest(path, places)
        found[path, ""] = _decided(found.get((above, ""), default), *own.get((path, ""), (0, 0)))
        for name in sorted(names):
            # The name is nearer than any directory: what it denies is denied, by each directory above that has it.
            named[path, name] = named.get((above, name), 0) | own.get((path, name), (0, 0))[1]
            found[path, name] = _decided(found[path, ""], 0, named[path, name])
    return found


def order(path: str) -> list[str]:
    """Sort paths by this to have each directory before, and next to, what is beneath it."""
    return path.rstrip(ROOT).split(ROOT)


def _own(made: policy.Policy, commands: tuple[int, ...]) -> Mapping[Place, tuple[int, int]]:
    """Add up what rules allow and deny on each place."""
    own: dict[Place, tuple[int, int]] = {}
    for rule in made.rules:
        for name in rule.names or ("",):
            allowed, denied = own.get((rule.path, name), (0, 0))
            own[rule.path, name] = (
                allowed | _said(rule.allowed, rule.commands, commands),
                denied | _said(rule.denied, rule.commands, commands),
            )
    return own


def _said(actions: int, only: tuple[int, ...], commands: tuple[int, ...]) -> int:
    if not only or not actions & _IOCTL:
        return _wide(actions, commands)
    bits = sum(1 << _FIRST_COMMAND + number for number, command in enumerate(commands) if command in only)
    return int(actions) & ~_IOCTL | bits


def _wide(actions: int, commands: tuple[int, ...]) -> int:
    """Say of each command what is said of ioctl."""
    return int(actions) | ((1 << len(commands)) - 1 << _FIRST_COMMAND if actions & _IOCTL else 0)


def _decided(above: Masks, allowed: int, denied: int) -> Masks:
    """Let a place decide on what it names; a denial beats a permission, and the rest is as above it."""
    rest = ~(allowed | denied)
    return {
        Verdict.ALLOWED: above[Verdict.ALLOWED] & rest | allowed & ~denied,
        Verdict.DENIED: above[Verdict.DENIED] & rest | denied,
        Verdict.LEFT: above[Verdict.LEFT] & rest,
    }


def _told(here: Pairs, heard: Pairs) -> Pairs:
    """Find what is otherwise here than one has heard so far: what changes, and what does not though it was said to."""
    changed = sum(bits for pair, bits in heard.items() if _weighs(pair))
    told = {pair: bits & ~heard.get(pair, 0) & (-1 if _weighs(pair) else changed) for pair, bits in here.items()}
    if any(bits & _IOCTL for bits in told.values()):
        # Who hears of ioctl takes it for all commands: those are told that fare otherwise.
        with_ioctl = next(bits for bits in here.values() if bits & _IOCTL)
        told = {pair: bits & _EVERY | here[pair] & ~_EVERY & ~with_ioctl for pair, bits in told.items()}
    return told


def _changes(place: Place, told: Pairs, commands: tuple[int, ...]) -> Iterator[Change]:
    for pair, bits in told.items():
        if bits:
            named = tuple(command for number, command in enumerate(commands) if bits >> _FIRST_COMMAND + number & 1)
            yield Change(*place, abi.Action(bits & _EVERY), named, *pair)


def _weighs(pair: tuple[Verdict, Verdict]) -> bool:
    """Whether what was denied no longer is, or the other way round."""
    return (pair[0] is Verdict.DENIED) is not (pair[1] is Verdict.DENIED)


def nearest(path: str, among: Container[str]) -> str:
    """Give the nearest directory above a path that is among some, else the root."""
    while path != ROOT:
        path = os.path.dirname(path)
        if path in among:
            return path
    return ROOT


def _seals(made: policy.Policy) -> set[str]:
    """Give what a policy seals with the way to it: of patterns of names, the directory beneath which they hold."""
    return {rule.path for rule in made.rules if rule.denied}


def _ways(paths: Iterable[str]) -> set[str]:
    """Add to paths all directories on the way to them."""
    ways = set()
    for path in paths:
        while path not in ways:
            ways.add(path)
            path = os.path.dirname(path)
    return ways
