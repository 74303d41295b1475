# SPDX-License-Identifier: GPL-2.0-only
"""Denials where no way up leads to their rule: on the roots of mounts beneath it, and on files beneath it with other names.

All rules of a layer have a say in it, so it is done anew when one comes or goes: cover().
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator

from landlock_bpf import (
    abi,
    action_table,
    entries,
    hardlinks,
    identity,
    mountinfo,
    mounts,
    overlays,
    policy,
    realpaths,
    route,
    ruleset,
    ways,
)


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


def deny_root(
    into: entries.Entries, named: identity.Named, inherited: Iterable[tuple[policy.Rule, int]], twins: overlays.Twins
) -> None:
    """Add the denials that the root of a mount inherits, see mounts.py."""
    for rule, denied in inherited:
        usable = denied & action_table.asked(directory=named.directory)
        into.add(twins.origin(rule), named.object, 0, usable, sealed=False)


def links(
    into: entries.Entries,
    search: hardlinks.Search,
    said: Iterable[tuple[bytes, int]],
    twins: overlays.Twins,
    identify: route.Identify,
    met: set[bytes] | None = None,
) -> tuple[str, ...]:
    """Add denials of files that have names outside; gives what could not be covered, in words.

    `said` has what rules allow of objects, a mask for each. All objects that were looked at are added to `met`.
    """
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
                    continue
                asked = action_table.asked(directory=named[fd].directory)
                objects = {named[fd].object, named[fd].beneath, named[fd].upper} - {identity.NOTHING}
                if met is not None:
                    met |= objects
                for rule, mask in file.denied:
                    # Who allows the file itself allows it under all its names.
                    if denied := mask & ~allowed.get(named[fd].object, 0) & asked:
                        for object in objects:
                            into.add(twins.origin(rule), object, 0, denied, sealed=False)
        finally:
            for fd in opened:
                os.close(fd)
    return tuple(dict.fromkeys(notes))


def cover(layer: ruleset.Layer, identify: route.Identify, filesystems: ways.Filesystems) -> ruleset.Layer:
    """Do for a layer, by its rules as they are now, what was done for each of its policies when it was resolved.

    What is denied already stays so, but where it was looked at again and all rules say otherwise.
    """
    old = [entry for entry in layer.entries if entry.inherited]
    kept = [entry for entry in layer.entries if not entry.inherited] if old else layer.entries
    if not layer.denies:
        return dataclasses.replace(layer, entries=tuple(kept), uncovered=())
    found, met = entries.Entries(), set[bytes]()
    with route.many_descriptors():
        rules, astray = _rules(layer, identify, filesystems)
        reals, mounted = realpaths.Realpaths(), mountinfo.read()
        twins = overlays.twins(rules, mounted, reals)
        rules += twins.rules
        inherited = mounts.denials(rules, mounted, reals)
        looked_at = mounts.points(rules, mounted, reals) if old else inherited
        for point, named in roots(looked_at, identify, filesystems):
            met.add(named.object)
            deny_root(found, named, inherited.get(point, ()), twins)
        search = hardlinks.Search(rules, mounted, reals, {identity.inode(entry.object) for entry in old})
        said = ((entry.object, entry.allowed) for entry in kept)
        notes = links(found, search, said, twins, identify, met)
    stay = [entry for entry in old if astray or entry.object not in met]
    lost = (f"{path} is gone or leads elsewhere: other links and mounts are looked for without that rule" for path in astray)
    return dataclasses.replace(
        layer, entries=(*kept, *dict.fromkeys((*stay, *found.rows()))), uncovered=tuple(dict.fromkeys((*lost, *notes)))
    )


def _rules(
    layer: ruleset.Layer, identify: route.Identify, filesystems: ways.Filesystems
) -> tuple[list[policy.Rule], list[str]]:
    """Give the rules of a layer whose paths lead to their objects yet, and the paths of the others.

    What is said of one path at one place is one rule.
    """
    objects: dict[ruleset.Source, set[bytes]] = {}
    said: dict[tuple[ruleset.Source, tuple[int, ...]], tuple[int, int]] = {}
    own = [(each.source, each.object, each.commands, each.allowed, each.denied) for each in layer.entries if each.own]
    named = [(each.source, each.parent, each.commands, 0, each.denied) for each in layer.names]
    for source, object, commands, allowed, denied in (*own, *named):
        before = said.get((source, commands), (0, 0))
        said[source, commands] = before[0] | allowed, before[1] | denied
        objects.setdefault(source, set()).add(object)
    found = [_rule(source, *masks, commands) for (source, commands), masks in said.items() if any(masks)]
    for tree in layer.trees:
        pattern = layer.patterns[tree.pattern]
        objects.setdefault(tree.source(pattern), set()).add(tree.object)
        found.append(_rule(tree.source(pattern), 0, pattern.denied, pattern.commands, (pattern.text,)))
    # Of what was missing, the place that its names begin at is on the way.
    wish = ways.Wish(dict.fromkeys(rule.path for rule in found), {name.path for name in layer.names}, set())
    now = ways.find(wish, identify, filesystems)
    right: dict[policy.Rule, bool] = {}
    for rule in found:
        way = now[rule.path]
        places = way.places if isinstance(way, ways.Way) else ()
        source = rule.path, rule.location.file, rule.location.line
        right[rule] = not objects[source].isdisjoint(place.object for place in places)
    return [rule for rule in right if right[rule]], list(dict.fromkeys(rule.path for rule in right if not right[rule]))


def _rule(
    source: ruleset.Source, allowed: int, denied: int, commands: tuple[int, ...], names: tuple[str, ...] = ()
) -> policy.Rule:
    path, file, line = source
    masks = abi.Action(allowed), abi.Action(denied)
    return policy.Rule(path, *masks, policy.Location(file, line), names=names, commands=commands)
