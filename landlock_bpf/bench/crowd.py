# SPDX-License-Identifier: GPL-2.0-only
"""Many domains made and ended in one go, on a cgroup each: a thousand `attach` commands, each of which first looks at all
domains, would take longer than all that is measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from landlock_bpf import (
    abi,
    cgroup,
    change,
    domain,
    engine,
    grace,
    installation,
    policy,
    record,
    resolution,
    rule_request,
    rule_slots,
    ruleset,
    sweep,
    ways,
)


def attach_rules(cgroups: Sequence[Path], request: rule_request.Request) -> None:
    """Put rule programs in force on every cgroup, each with a slot of its own; all slots have the same programs."""
    with record.locked(), installation.load() as live:
        sweep.sweep(live)
        serial = record.new_serial()
        with rule_request.loaded(live, request, serial, ()) as loaded:
            changes = []
            for number, path in enumerate(cgroups):
                programs = dataclasses.replace(loaded.programs, slot=loaded.programs.slot + number)
                rule_slots.install(live, dataclasses.replace(loaded, programs=programs))
                slot = domain.Slot(1 + number, 0, abi.Kind.CGROUP, path.name, cgroup.id_of(path))
                changes.append(change.Wanted(slot, (ruleset.of_programs(path.name, serial, programs),)))
            _put(live, changes, cgroups, serial)


def attach(cgroups: Sequence[Path], wanted: policy.Policy) -> None:
    """Put a policy without rules in force on every cgroup, as domains named like them: the steps of attachment.py, in turn."""
    with record.locked(), installation.load() as live:
        before = sweep.sweep(live)
        used = {slot.index for slot in before}
        free = (index for index in range(1, abi.Limit.DOMAINS + 1) if index not in used)
        serial = record.new_serial()
        with live.identifier() as identifier, ways.Filesystems() as filesystems:
            (layer,) = resolution.resolve((wanted,), "", serial, identifier.identify, filesystems)
        changes = []
        for path, index in zip(cgroups, free, strict=False):
            slot = domain.Slot(index, 0, abi.Kind.CGROUP, path.name, cgroup.id_of(path))
            changes.append(change.Wanted(slot, (dataclasses.replace(layer, owner=path.name),)))
        _put(live, changes, cgroups, serial)


def end() -> None:
    """End all domains on cgroups that were removed: the steps of sweep.py, with one grace period for all."""
    with record.locked(), installation.load() as live:
        slots = [slot for slot in domain.slots(live) if slot.kind == abi.Kind.CGROUP]
        grace.wait()
        for slot in slots:
            domain.clear(live, slot.index)
        change.drop(live, [slot.ruleset for slot in slots])


def _put(live: engine.Engine, changes: Sequence[change.Wanted], cgroups: Sequence[Path], serial: int) -> None:
    with change.prepared(live, changes, serial) as made:
        for each, path in zip(changes, cgroups, strict=True):
            domain.write(live, each.slot)
            domain.give_cgroups(live, path, each.slot)
        change.switch(live, changes, made)
