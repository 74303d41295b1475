# SPDX-License-Identifier: GPL-2.0-only
"""The resolution of policies on this host: from paths to objects that the kernel names, or to all that is wrong with them."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping, Sequence

from landlock_bpf import (
    abi,
    action_table,
    covering,
    entries,
    errors,
    flocks,
    hardlinks,
    identity,
    mountinfo,
    mounts,
    names,
    objections,
    overlays,
    policy,
    realpaths,
    route,
    ruleset,
    ways,
)

_OPENING = int(abi.Action.READ_FILE | abi.Action.WRITE_FILE)


def resolve(
    policies: Sequence[policy.Policy],
    owner: str,
    made: int,
    identify: route.Identify,
    filesystems: ways.Filesystems,
    *,
    alone: bool = True,
) -> tuple[ruleset.Layer, ...]:
    """Resolve all policies of a domain; PolicyError with every path that cannot be ruled on.

    `filesystems` holds all that the rules are on: close it when the rules are in the kernel. Where a policy is not `alone`
    in its layer, covering.cover() is to see to the whole.
    """
    split = [flocks.split(each.rules) for each in policies]
    reals = realpaths.Realpaths()
    # Where filesystems are mounted matters to denials alone.
    mounted = mountinfo.read() if any(flock.denies for each in split for flock in each) else ()
    twins = [overlays.twins(each.rules, mounted, reals) for each in policies]
    with route.many_descriptors():
        flocks.find((flock for each in split for flock in each), identify, filesystems)
        single = (rule for each in split for flock in each if not flock.alike for rule in flock.rules)
        rules = [*single, *(rule for twin in twins for rule in twin.rules)]
        denied = {rule.path for rule in rules if rule.denied}
        named, inodes = {rule.path for rule in rules if rule.names}, any(rule.inode for rule in rules)
        wish = ways.Wish(dict.fromkeys(rule.path for rule in rules), denied, named, inodes)
        found = ways.find(wish, identify, filesystems)
        doubtful = [path for path, way in found.items() if isinstance(way, ways.Way) and ways.is_doubtful(way)]
        if doubtful:
            # What may have to leave the cache is held by nobody now. Whether its name stays is only seen then.
            ways.drop_caches()
            again = ways.find(wish._replace(paths=doubtful), identify, filesystems, certain=True)
            unstable = {path for path in doubtful if ways.objects_of(found[path]) != ways.objects_of(again[path])}
        else:
            unstable = set()
        problems: list[errors.Problem] = []
        makers = [_Maker(*each, found, unstable, problems) for each in zip(policies, split, twins)]
        if problems:
            raise errors.PolicyError(problems)
        for maker in makers:
            if maker.denies:
                maker.cover(mounted, reals, identify, filesystems, alone=alone)
    return tuple(maker.layer(owner, made) for maker in makers)


class _Maker:
    """A layer in the making."""

    def __init__(
        self,
        each: policy.Policy,
        split: Sequence[flocks.Flock],
        twins: overlays.Twins,
        found: Mapping[str, ways.Found],
        unstable: set[str],
        problems: list[errors.Problem],
    ) -> None:
        self.policy, self.rules = each, (*each.rules, *twins.rules)
        self.denies = any(flock.denies for flock in split)
        self.notes = list(twins.notes)
        self._uncovered: tuple[str, ...] = ()
        self._spread: dict[bytes, tuple[bytes, int]] = {}
        self._entries = entries.Entries()
        self._names: list[ruleset.Name] = []
        self._numbers: dict[tuple[str, str, int, ruleset.Pattern], int] = {}
        self._twins = twins
        self._trees: list[ruleset.Tree] = []
        for flock in split:
            if flock.alike:
                self._add_flock(flock, flock.alike)
            else:
                self._look(flock.rules, found, unstable, problems)
        self._look(twins.rules, found, unstable, None)

    def _look(
        self,
        rules: Iterable[policy.Rule],
        found: Mapping[str, ways.Found],
        unstable: set[str],
        problems: list[errors.Problem] | None,
    ) -> None:
        """Add rules that were resolved one by one, or what is wrong with them; None for twins, where it is told as a note."""
        for rule in rules:
            way = found[rule.path]
            if not (wrong := objections.to(rule, way, unstable)):
                assert isinstance(way, ways.Way)
                self._add(rule, way)
            elif problems is None:
                self.notes.append(f"{rule.path} {wrong[0]}: what is denied on the overlay is not denied there")
            else:
                what, remedy = wrong
                problems.append(rule.problem(f"{rule.path} {what}", remedy))

    def layer(self, owner: str, made: int) -> ruleset.Layer:
        """Give what was made."""
        each = self.policy
        return ruleset.Layer(
            owner,
            made,
            each.name,
            each.source,
            # As upstream, whoever rules on files rules on moving them between directories: it can change their rights.
            int(each.handled | abi.Action.REFER | action_table.WITHHELD),
            int(each.default_allow),
            len(each.rules),
            self.denies,
            tuple(self._spread.values()),
            self._entries.rows(),
            permissive=each.permissive,
            names=tuple(self._names),
            patterns=tuple(pattern for *_, pattern in self._numbers),
            trees=tuple(self._trees),
            notes=tuple(dict.fromkeys(self.notes)),
            uncovered=self._uncovered,
        )

    def cover(
        self,
        mounted: Sequence[mountinfo.Mount],
        reals: realpaths.Realpaths,
        identify: route.Identify,
        filesystems: ways.Filesystems,
        *,
        alone: bool,
    ) -> None:
        """Have patterns hold beneath mounts as well, and all denials where covering.py says, unless others have a say there."""
        inherited = mounts.denials(self.rules, mounted, reals) if alone else {}
        trees = mounts.trees(self.rules, mounted, reals)
        for point, named in covering.roots((*inherited, *trees), identify, filesystems):
            covering.deny_root(self._entries, named, inherited.get(point, ()), self._twins)
            for rule, level in trees.get(point, ()):
                self._plant(rule, named, level)
        if alone:
            said = self._entries.said()
            search = hardlinks.Search(self.rules, mounted, reals)
            self._uncovered = covering.links(self._entries, search, said, self._twins, identify)

    def _add_flock(self, flock: flocks.Flock, alike: identity.Alike) -> None:
        """Add what the rules of a flock say of their objects."""
        first, objects = flock.rules[0], alike.objects
        rules = len(objects) if len(alike.devices) == 1 else 1
        for object in objects[-1:] if len(alike.devices) == 1 else objects:
            device = object[identity.DEVICE]
            self._spread[device] = object, self._spread.get(device, (b"", 0))[1] + rules
        self._entries.add_alike(flock.rules, flock.lines, objects, _allowed(first, alike.type))

    def _add(self, rule: policy.Rule, way: ways.Way) -> None:
        """Add what a rule says of its object, its names, and the way to them."""
        last, written = way.places[-1], self._twins.origin(rule)
        device = last.object[identity.DEVICE]
        self._spread[device] = last.object, self._spread.get(device, (b"", 0))[1] + 1
        denied = int(rule.denied)
        if way.missing:
            if any(ord(sign) in name for name in way.missing for sign in names.STAR + names.UNKNOWN):
                what = f"{rule.path} is not there, and in a path each character stands for itself"
                self.notes.append(f"{what}: `name` takes patterns, of names beneath a directory")
            for hash, name, whole in names.prefixes(way.missing):
                for parent in _aliases(last):
                    mask = denied if whole else 0
                    self._names.append(ruleset.Name(parent, hash, len(name), mask, *_place(written), rule.commands))
        elif rule.names:
            self._plant(rule, last)
        else:
            allowed, usably_denied = _allowed(rule, last.mode), denied & action_table.asked(directory=last.directory)
            self._entries.add(written, last.object, allowed, usably_denied, sealed=bool(usably_denied))
            if usably_denied:
                # The same file, seen without overlayfs.
                for real in _aliases(last)[1:]:
                    self._entries.add(written, real, 0, usably_denied, sealed=True)
        if denied:
            seal = way.places if way.missing or rule.names else way.places[:-1]
            for named in seal:
                for object in dict.fromkeys((named.object, named.beneath)):
                    if object != identity.NOTHING:
                        self._entries.add(written, object, 0, 0, sealed=True)

    def _plant(self, rule: policy.Rule, tree: identity.Named, level: int = 0) -> None:
        """Have a rule's patterns hold beneath a directory; `level` is that of mounts beneath its own."""
        # The engine lets go of a number at the first tree that it meets on the way up, and names above that would go unseen
        # if trees beneath one another had the same. Layers of an overlay do not lie in one another.
        place, written = self._twins.origins.get(rule.path), self._twins.origin(rule)
        own = ("layers of", place, 0) if place else ("", rule.path, level)
        for text in rule.names:
            pattern = ruleset.Pattern(text, int(rule.denied), rule.location.file, rule.location.line, rule.commands)
            number = self._numbers.setdefault((*own, pattern), len(self._numbers))
            self._trees += [ruleset.Tree(object, number, written.path) for object in _aliases(tree)]


def _allowed(rule: policy.Rule, mode: int) -> int:
    """Say what a rule allows of its object."""
    allowed = int(rule.allowed) & action_table.asked(directory=stat.S_ISDIR(mode))
    return allowed | int(abi.Action.OPEN_BLOCK) if stat.S_ISBLK(mode) and allowed & _OPENING else allowed


def _place(rule: policy.Rule) -> tuple[str, str, int]:
    return rule.path, rule.location.file, rule.location.line


def _aliases(named: identity.Named) -> list[bytes]:
    """Give the names of an object, its own first, then those of what is beneath it on overlayfs."""
    return [object for object in dict.fromkeys((named.object, named.beneath, named.upper)) if object != identity.NOTHING]
