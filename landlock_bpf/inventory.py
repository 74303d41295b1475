# SPDX-License-Identifier: GPL-2.0-only
"""The inventory of what is in force: domains, their policies, the hooks attached and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from landlock_bpf import (
    abi,
    action_table,
    cgroup,
    change,
    domain,
    engine,
    fsview,
    hooks,
    identity,
    questions,
    record,
    rule_slots,
    ruleset,
    views,
)

_ASKED = "rule programs"


@dataclasses.dataclass(frozen=True)
class DomainInfo:
    """A domain, for a line in a list. `tasks` counts processes, `maker` is the process that waits for it (0: none).

    A domain of a process that ran already has no control group, and its `maker` is that process or thread.

    `rules` counts rule programs too, `ended` those that have ended because their filesystem was unmounted; update resolves
    them anew. `notes` say what of its policies could not be covered.
    """

    name: str
    kind: abi.Kind
    cgroup: Path | None
    layers: int
    rules: int
    ended: int
    tasks: int
    maker: int
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class LayerInfo:
    """A policy that a domain enforces, or rule programs; `owner` is another domain where it is one around this.

    What a `permissive` policy would deny is reported, and allowed.
    """

    owner: str
    policy: str
    source: str
    handled: abi.Action
    default: str
    rules: tuple[RuleInfo, ...]
    programs: ProgramsInfo | None = None
    permissive: bool = False
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class RuleInfo:
    """A rule; `objects` counts what it was tied to, with the places on its way; `ended`: in force no more.

    With `commands`, what it says of ioctl is about these alone.
    """

    path: str
    allowed: abi.Action
    denied: abi.Action
    file: str
    line: int
    objects: int
    ended: bool
    commands: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class ProgramsInfo:
    """The rule programs of a layer: which way they are asked and why, and at which hooks."""

    attach: str
    why: str
    loader: str
    hooks: tuple[str, ...]
    rules: tuple[RuleProgramInfo, ...]
    views: tuple[ViewInfo, ...]


@dataclasses.dataclass(frozen=True)
class RuleProgramInfo:
    """A rule program, with the event of its subtype."""

    function: str
    event: abi.Event
    debug: bool
    file: str
    line: int


@dataclasses.dataclass(frozen=True)
class ViewInfo:
    """A view, and how many marks it has room for."""

    name: str
    most: int
    marks: tuple[MarkInfo, ...]


@dataclasses.dataclass(frozen=True)
class MarkInfo:
    """A marked path; `ended`: its filesystem was unmounted."""

    path: str
    mark: int
    ended: bool


@dataclasses.dataclass(frozen=True)
class HookInfo:
    """An attached hook and what in this domain needs it; empty where only other domains do."""

    name: str
    why: str


@dataclasses.dataclass(frozen=True)
class DomainDetail:
    """All about a domain. `lost` counts its denials that were not reported: too many for the limit or the ring buffer."""

    info: DomainInfo
    serial: int
    parent: str
    handled: abi.Action
    policies: tuple[LayerInfo, ...]
    hooks: tuple[HookInfo, ...]
    lost: int
    sticky: bool = False


def describe(live: engine.Engine, slot: domain.Slot) -> DomainInfo:
    """Describe a domain; where its record was removed, without the number of rules."""
    in_force = live.ruleset(slot.ruleset)
    found = record.read(in_force.serial, whole=False)
    path = cgroup.find(slot.cgroup)
    rules = ended = 0
    if found:
        spread = [each for layer in found.layers for each in layer.spread]
        living = _living(live, slot, found)
        rules = sum(layer.rules + len(layer.programs.rules if layer.programs else ()) for layer in found.layers)
        ended = sum(count for one, count in spread if one[identity.DEVICE] not in living)
    if slot.cgroup:
        tasks = len(set(cgroup.processes(path))) if path else 0
    else:
        tasks = sum(1 for _ in domain.members(live, slot.index))
    notes = ruleset.notes(ruleset.own(found.layers)) if found else ()
    return DomainInfo(slot.name, slot.kind, path, in_force.layers, rules, ended, tasks, slot.maker, notes)


def detail(live: engine.Engine, slot: domain.Slot, slots: Sequence[domain.Slot]) -> DomainDetail:
    """Describe a domain in full; NotFoundError where its record was removed."""
    found = change.recorded(live, slot)
    handled = ruleset.handled(found.layers)
    return DomainDetail(
        describe(live, slot),
        found.serial,
        next((other.name for other in slots if other.index == slot.parent), ""),
        abi.Action(handled),
        tuple(_layer(live, layer, _living(live, slot, found)) for layer in found.layers),
        tuple(_hooks(live, slot, handled, found)),
        rate.dropped_ever if (rate := live.rates.lookup(slot.index)) else 0,
        slot.sticky,
    )


def _living(live: engine.Engine, slot: domain.Slot, found: record.Record) -> set[bytes]:
    """Name the filesystems that are there yet: the rules of one end all at once, so one of its objects tells for all."""
    some = {one for layer in found.layers for one, _rules in layer.spread}
    return {one[identity.DEVICE] for one in fsview.living(live, slot.ruleset, some)}


def _layer(live: engine.Engine, layer: ruleset.Layer, living: set[bytes]) -> LayerInfo:
    entries: dict[ruleset.Source, list[ruleset.Entry]] = {}
    for entry in layer.entries:
        entries.setdefault(entry.source, []).append(entry)
    rules = *_rules(layer, entries, living), *_names(layer, entries, living)
    default = "deny" if layer.handled & ~layer.default_allow & ~action_table.WITHHELD else "allow"
    programs = _programs(live, layer.programs) if layer.programs else None
    return LayerInfo(
        layer.owner,
        layer.policy,
        layer.source,
        abi.Action(layer.handled),
        default,
        rules,
        programs,
        layer.permissive,
        ruleset.notes([layer]),
    )


def _rules(
    layer: ruleset.Layer, entries: Mapping[ruleset.Source, Sequence[ruleset.Entry]], living: set[bytes]
) -> Iterator[RuleInfo]:
    """Give the rules on objects; several of one line on one path are told as one, unless they name other ioctl commands."""
    named = layer.named()
    for source, said in entries.items():
        own = [entry for entry in said if entry.own]
        if not own and source in named:
            continue  # they are those of the way to names
        united: dict[tuple[int, ...], tuple[int, int]] = {}
        for entry in own:
            allowed, denied = united.get(entry.commands, (0, 0))
            united[entry.commands] = allowed | entry.allowed, denied | entry.denied
        objects, ended = len({entry.object for entry in said}), _ended([entry.object for entry in own or said], living)
        for commands, (allowed, denied) in (united or {(): (0, 0)}).items():
            path, file, line = source
            yield RuleInfo(path, abi.Action(allowed), abi.Action(denied), file, line, objects, ended, commands)


def _names(
    layer: ruleset.Layer, entries: Mapping[ruleset.Source, Sequence[ruleset.Entry]], living: set[bytes]
) -> Iterator[RuleInfo]:
    """Give the rules on names: what is denied though it need not be there."""
    said = [(name.path, name.source, name.denied, name.commands, name.parent) for name in layer.names if name.denied]
    for tree in layer.trees:
        pattern = layer.patterns[tree.pattern]
        said.append((tree.shown(pattern), tree.source(pattern), pattern.denied, pattern.commands, tree.object))
    # On overlayfs, and where something is mounted beneath a tree, one rule is tied to several objects.
    united: dict[tuple[str, ruleset.Source, tuple[int, ...]], tuple[int, list[bytes]]] = {}
    for path, source, denied, commands, object in said:
        before, objects = united.get((path, source, commands), (0, []))
        united[path, source, commands] = before | denied & action_table.EVERY, [*objects, object]
    for (path, source, commands), (denied, objects) in united.items():
        ways = {entry.object for entry in entries.get(source, ())}
        _path, file, line = source
        ended = _ended(objects, living)
        yield RuleInfo(path, abi.Action(0), abi.Action(denied), file, line, len(ways.union(objects)), ended, commands)


def _ended(objects: Sequence[bytes], living: set[bytes]) -> bool:
    """Whether a rule is in force no more, as its filesystem is gone."""
    return objects[0][identity.DEVICE] not in living


def _programs(live: engine.Engine, programs: ruleset.Programs) -> ProgramsInfo:
    alive = views.living(live, programs.serial, {mark.object for mark in programs.marks})
    return ProgramsInfo(
        programs.attach,
        programs.why,
        programs.loader,
        tuple(row.hook for row in questions.ROWS if 1 << row.number & programs.hooks),
        tuple(
            RuleProgramInfo(rule.function, abi.Event(rule.event), bool(rule.ability), rule.file, rule.line)
            for rule in programs.rules
        ),
        tuple(
            ViewInfo(
                *view,
                tuple(
                    MarkInfo(each.path, each.mark, each.object not in alive)
                    for each in programs.marks
                    if each.view == number and each.mark
                ),
            )
            for number, view in enumerate(programs.views)
        ),
    )


def _hooks(live: engine.Engine, slot: domain.Slot, handled: int, found: record.Record) -> Iterator[HookInfo]:
    """Say what each attached hook is attached for; one may have two programs, that of policies and that which asks."""
    attached = live.attached()
    places = ruleset.places(found.layers)
    asking = {row.hook: row.number for row in questions.ROWS if rule_slots.ask_row(row).name in attached}
    asked = {hook for hook, number in asking.items() if any(1 << number & place.hooks for place in places)}
    for row in hooks.HOOKS:
        if row.name in attached:
            reasons = list(action_table.names(row.actions & handled))
            if row.need & hooks.Need.DOMAIN:
                reasons.append("any domain")
            if row.need & hooks.Need.PROCESS and slot.kind == abi.Kind.PROCESS:
                reasons.append("a domain of processes")
            if row.need & hooks.Need.DENIAL and found.denies:
                reasons.append("denials, which seal their objects")
            if row.need & hooks.Need.PROGRAMS and places:
                reasons.append("rule programs, which bind tracers")
            if row.name in asked:
                reasons.append(_ASKED)
            asking.pop(row.name, None)
            yield HookInfo(row.name, ", ".join(reasons))
    yield from (HookInfo(hook, _ASKED if hook in asked else "") for hook in asking)
