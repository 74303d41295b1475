# SPDX-License-Identifier: GPL-2.0-only
"""The inventory of what is in force: domains, their policies, the hooks attached and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from landlock_bpf import (
    abi,
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
    found: dict[tuple[str, str, int], list[ruleset.Entry]] = {}
    for entry in layer.entries:
        found.setdefault((entry.path, entry.file, entry.line), []).append(entry)
    rules = tuple(
        # The first entry of a rule is of its object, the others are of the way to it.
        RuleInfo(path, abi.Action(own.allowed), abi.Action(own.denied), file, line, len(entries), ended, commands)
        for (path, file, line), entries in found.items()
        for own in entries[:1]
        for ended in [own.object[identity.DEVICE] not in living]
        for commands in [own.commands if own.allowed | own.denied else ()]
    )
    rules += tuple(_names(layer))
    default = "deny" if layer.handled & ~layer.default_allow & ~hooks.WITHHELD else "allow"
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
        layer.notes,
    )


def _names(layer: ruleset.Layer) -> Iterator[RuleInfo]:
    """Give the rules on names: what is denied though it need not be there."""
    nothing = abi.Action(0)
    for name in layer.names:
        if name.denied:
            denied = abi.Action(name.denied & hooks.EVERY)
            yield RuleInfo(name.path, nothing, denied, name.file, name.line, 1, False, name.commands)
    for tree in layer.trees:
        pattern = layer.patterns[tree.pattern]
        path, denied = tree.shown(pattern), abi.Action(pattern.denied & hooks.EVERY)
        yield RuleInfo(path, nothing, denied, pattern.file, pattern.line, 1, False, pattern.commands)


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
            reasons = list(hooks.names(row.actions & handled))
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
