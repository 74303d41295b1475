# SPDX-License-Identifier: GPL-2.0-only
"""The inventory of what is in force: domains, their policies, the hooks attached and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from landlock_bpf import abi, cgroup, change, descriptors, domain, engine, fsview, hooks, record, ruleset


@dataclasses.dataclass(frozen=True)
class DomainInfo:
    """A domain, for a line in a list. `tasks` counts processes, `maker` is the process that waits for it (0: none).

    `ended` counts those of the rules that have ended because their filesystem was unmounted; update resolves them anew.
    """

    name: str
    kind: abi.Kind
    cgroup: Path | None
    layers: int
    rules: int
    ended: int
    tasks: int
    maker: int
    held: tuple[descriptors.Held, ...] = ()


@dataclasses.dataclass(frozen=True)
class LayerInfo:
    """A policy that a domain enforces; `owner` is another domain where it is one around this."""

    owner: str
    policy: str
    source: str
    handled: abi.Action
    default: str
    rules: tuple[RuleInfo, ...]


@dataclasses.dataclass(frozen=True)
class RuleInfo:
    """A rule; `objects` counts what it was tied to, with the places on its way; `ended`: in force no more."""

    path: str
    allowed: abi.Action
    denied: abi.Action
    file: str
    line: int
    objects: int
    ended: bool


@dataclasses.dataclass(frozen=True)
class HookInfo:
    """An attached hook and what in this domain needs it; empty where only other domains do."""

    name: str
    why: str


@dataclasses.dataclass(frozen=True)
class DomainDetail:
    """All about a domain. `lost` counts denials, of all domains, that the ring buffer had no room for."""

    info: DomainInfo
    serial: int
    parent: str
    handled: abi.Action
    policies: tuple[LayerInfo, ...]
    hooks: tuple[HookInfo, ...]
    lost: int


def describe(live: engine.Engine, slot: domain.Slot) -> DomainInfo:
    """Describe a domain; where its record was removed, without the number of rules."""
    in_force = live.ruleset(slot.ruleset)
    found = record.read(in_force.serial)
    path = cgroup.find(slot.cgroup)
    rules = sum(layer.rules for layer in found.layers) if found else 0
    ended = sum(rule.ended for layer in _layers(live, slot, found) for rule in layer.rules) if found else 0
    tasks = len(set(cgroup.processes(path))) if path else 0
    return DomainInfo(slot.name, slot.kind, path, in_force.layers, rules, ended, tasks, slot.maker)


def detail(live: engine.Engine, slot: domain.Slot, slots: Sequence[domain.Slot]) -> DomainDetail:
    """Describe a domain in full; NotFoundError where its record was removed."""
    found = change.recorded(live, slot)
    handled = ruleset.handled(found.layers)
    return DomainDetail(
        describe(live, slot),
        found.serial,
        next((other.name for other in slots if other.index == slot.parent), ""),
        abi.Action(handled),
        tuple(_layers(live, slot, found)),
        tuple(_hooks(live, slot, handled, denies=found.denies)),
        live.state.lost,
    )


def _layers(live: engine.Engine, slot: domain.Slot, found: record.Record) -> Iterator[LayerInfo]:
    # A filesystem's rules end all at once: one of its objects tells for all.
    one_of = {ruleset.device_of(object): object for object in found.objects()}
    left = {ruleset.device_of(object) for object in fsview.living(live, slot.ruleset, one_of.values())}
    return (_layer(layer, left) for layer in found.layers)


def _layer(layer: ruleset.Layer, devices: set[int]) -> LayerInfo:
    rules: dict[tuple[str, str, int], RuleInfo] = {}
    for entry in layer.entries:
        key = entry.path, entry.file, entry.line
        before = rules.get(key, RuleInfo(entry.path, abi.Action(0), abi.Action(0), entry.file, entry.line, 0, False))
        says = entry.allowed or entry.denied
        rules[key] = dataclasses.replace(
            before,
            allowed=before.allowed | entry.allowed,
            denied=before.denied | entry.denied,
            objects=before.objects + 1,
            ended=before.ended or bool(says and ruleset.device_of(entry.object) not in devices),
        )
    default = "allow" if layer.default_allow else "deny"
    return LayerInfo(layer.owner, layer.policy, layer.source, abi.Action(layer.handled), default, tuple(rules.values()))


def _hooks(live: engine.Engine, slot: domain.Slot, handled: int, *, denies: bool) -> Iterator[HookInfo]:
    attached = live.attached()
    for row in hooks.HOOKS:
        if row.name in attached:
            reasons = list(hooks.names(row.actions & handled))
            if row.need & hooks.Need.DOMAIN:
                reasons.append("any domain")
            if row.need & hooks.Need.PROCESS and slot.kind == abi.Kind.PROCESS:
                reasons.append("a domain of processes")
            if row.need & hooks.Need.DENIAL and denies:
                reasons.append("denials, which seal their objects")
            yield HookInfo(row.name, ", ".join(reasons))
