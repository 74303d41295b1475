# SPDX-License-Identifier: GPL-2.0-only
"""The inventory of what is in force: domains, their policies, the hooks attached and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from landlock_bpf import abi, cgroup, change, descriptors, domain, engine, hooks, record, ruleset


@dataclasses.dataclass(frozen=True)
class DomainInfo:
    """A domain, for a line in a list. `tasks` counts processes, `maker` is the process that waits for it (0: none)."""

    name: str
    kind: abi.Kind
    cgroup: Path | None
    layers: int
    rules: int
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
    """A rule as it is in force; `objects` counts what it was tied to, the places on its way included."""

    path: str
    allowed: abi.Action
    denied: abi.Action
    file: str
    line: int
    objects: int


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
    tasks = len(set(cgroup.processes(path))) if path else 0
    return DomainInfo(slot.name, slot.kind, path, in_force.layers, rules, tasks, slot.maker)


def detail(live: engine.Engine, slot: domain.Slot, slots: Sequence[domain.Slot]) -> DomainDetail:
    """Describe a domain in full; NotFoundError where its record was removed."""
    found = change.recorded(live, slot)
    handled = ruleset.handled(found.layers)
    return DomainDetail(
        describe(live, slot),
        found.serial,
        next((other.name for other in slots if other.index == slot.parent), ""),
        abi.Action(handled),
        tuple(_layer(layer) for layer in found.layers),
        tuple(_hooks(live, slot, handled, denies=found.denies)),
        live.state.lost,
    )


def _layer(layer: ruleset.Layer) -> LayerInfo:
    rules: dict[tuple[str, str, int], RuleInfo] = {}
    for entry in layer.entries:
        key = entry.path, entry.file, entry.line
        before = rules.get(key, RuleInfo(entry.path, abi.Action(0), abi.Action(0), entry.file, entry.line, 0))
        rules[key] = dataclasses.replace(
            before,
            allowed=before.allowed | entry.allowed,
            denied=before.denied | entry.denied,
            objects=before.objects + 1,
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
