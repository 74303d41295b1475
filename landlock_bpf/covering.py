# SPDX-License-Identifier: GPL-2.0-only
"""Denials where no way up leads to their rule: on the roots of mounts beneath it, and on files beneath it with other names.

All rules of a layer have a say in it, so it is done anew when one comes or goes: cover().
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence

from landlock_bpf import (
    abi,
    action_table,
    entries,
    hardlinks,
    identity,
    mountinfo,
    mounts,
    policy,
    realpaths,
    route,
    ruleset,
    ways,
)

_ALL, _FILE = int(action_table.EVERY), int(action_table.FILE)


def usable(named: identity.Named) -> int:
    """Give the mask of actions that an object is asked for."""
    return _ALL if named.directory else _FILE


def roots(
    points: Iterable[str], identify: route.Identify, filesystems: ways.Filesystems
) -> Iterator[tuple[str, identity.Named]]:
    """Name the roots of what is mounted at points; not of those whose names do not last.

    These are of no use; on the way from above the denial holds all the same.
    """
    wish = ways.Wish(dict.fromkeys(points), set(), set())
    for point, way in ways.find(wish, identify, filesystems).items():
        if isinstance(way, ways.Way) and not way.last.refusal and not ways.is_doubtful(way):
            yield point, way.last


def links(
    into: entries.Entries,
    rules: Sequence[policy.Rule],
    said: Iterable[tuple[bytes, int]],
    mounted: Sequence[mountinfo.Mount],
    reals: realpaths.Realpaths,
    identify: route.Identify,
) -> tuple[str, ...]:
    """Add denials of files that have names outside, see hardlinks.py; gives what could not be covered, in words.

    `said` has what rules allow of objects, a mask for each.
    """
    search = hardlinks.Search(rules, mounted, reals)
    notes = search.notes
    allowed: dict[bytes, int] = {}
    for object, mask in said if search.files else ():
        allowed[object] = allowed.get(object, 0) | mask
    for start in range(0, len(search.files), ways.BATCH):
        opened = {}
        try:
            for file in search.files[start : start + ways.BATCH]:
                with contextlib.suppress(FileNotFoundError):
                    opened[os.open(file.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)] = file
            named = identify(opened)
            for fd, file in opened.items():
                if named[fd].refusal or named[fd].magic not in identity.STABLE:
                    notes.append(f"{file.path} has links elsewhere, which are not denied: its filesystem may name it anew")
                else:
                    _deny(into, file, named[fd], allowed.get(named[fd].object, 0))
        finally:
            for fd in opened:
                os.close(fd)
    return tuple(dict.fromkeys(notes))


def cover(layer: ruleset.Layer, identify: route.Identify, filesystems: ways.Filesystems) -> ruleset.Layer:
    """Do for a layer, by its rules as they are now, what was done for each of its policies when it was resolved."""
    old = [entry for entry in layer.entries if entry.inherited]
    kept = [entry for entry in layer.entries if not entry.inherited] if old else layer.entries
    if not layer.denies:
        return dataclasses.replace(layer, entries=tuple(kept), uncovered=())
    rules, reals, mounted = _rules(layer), realpaths.Realpaths(), mountinfo.read()
    found = entries.Entries()
    inherited = mounts.denials(rules, mounted, reals)
    with route.many_descriptors():
        for point, named in roots(inherited, identify, filesystems):
            for rule, denied in inherited[point]:
                found.add(rule, named.object, 0, denied & usable(named), sealed=False)
        said = ((entry.object, entry.allowed) for entry in kept)
        notes = links(found, rules, said, mounted, reals, identify)
        stay = _astray(layer, old, identify, filesystems)
    return dataclasses.replace(layer, entries=(*kept, *stay, *found.rows()), uncovered=notes)


def _deny(into: entries.Entries, file: hardlinks.Found, named: identity.Named, allowed: int) -> None:
    for rule, mask in file.denied:
        # Who allows the file itself allows it under all its names.
        if denied := mask & ~allowed & usable(named):
            for object in {named.object, named.beneath, named.upper} - {identity.NOTHING}:
                into.add(rule, object, 0, denied, sealed=False)


def _rules(layer: ruleset.Layer) -> list[policy.Rule]:
    """Give the rules of a layer; what is said of one path at one place is one rule."""
    said: dict[tuple[ruleset.Source, tuple[int, ...]], tuple[int, int]] = {}
    own = [(entry.source, entry.commands, entry.allowed, entry.denied) for entry in layer.entries if entry.own]
    for source, commands, allowed, denied in (*own, *((each.source, each.commands, 0, each.denied) for each in layer.names)):
        before = said.get((source, commands), (0, 0))
        said[source, commands] = before[0] | allowed, before[1] | denied
    found = [_rule(source, *masks, commands) for (source, commands), masks in said.items() if any(masks)]
    for tree in layer.trees:
        pattern = layer.patterns[tree.pattern]
        found.append(_rule(tree.source(pattern), 0, pattern.denied, pattern.commands, (pattern.text,)))
    return list(dict.fromkeys(found))


def _rule(
    source: ruleset.Source, allowed: int, denied: int, commands: tuple[int, ...], names: tuple[str, ...] = ()
) -> policy.Rule:
    path, file, line = source
    masks = abi.Action(allowed), abi.Action(denied)
    return policy.Rule(path, *masks, policy.Location(file, line), names=names, commands=commands)


def _astray(
    layer: ruleset.Layer, old: Sequence[ruleset.Entry], identify: route.Identify, filesystems: ways.Filesystems
) -> list[ruleset.Entry]:
    """Give the denials found before of rules to whose objects their paths lead no more: these are not found again."""
    sources = {entry.source for entry in old}
    objects: dict[ruleset.Source, set[bytes]] = {}
    for entry in layer.entries if old else ():
        if entry.own and entry.source in sources:
            objects.setdefault(entry.source, set()).add(entry.object)
    for tree in layer.trees if old else ():
        source = tree.source(layer.patterns[tree.pattern])
        if source in sources:
            objects.setdefault(source, set()).add(tree.object)
    wish = ways.Wish(dict.fromkeys(path for path, _, _ in objects), set(), set())
    now = ways.find(wish, identify, filesystems)
    astray = set()
    for source, own in objects.items():
        way = now[source[0]]
        if not (isinstance(way, ways.Way) and way.last.object in own):
            astray.add(source)
    return [entry for entry in old if entry.source in astray]
