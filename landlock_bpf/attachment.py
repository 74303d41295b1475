# SPDX-License-Identifier: GPL-2.0-only
"""Attachments: domains on control groups put in force, replaced and ended, those inside them and around them kept true."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from landlock_bpf import abi, cgroup, change, domain, engine, grace, record, rule_slots, ruleset, sweep


def check_place(path: Path) -> Path:
    """Give the full path of a control group that a domain can be made on."""
    return cgroup.check(path)


def attach(
    live: engine.Engine,
    slots: Sequence[domain.Slot],
    name: str,
    own: tuple[ruleset.Layer, ...],
    path: Path,
    serial: int,
    loaded: rule_slots.Loaded | None = None,
    *,
    sticky: bool = False,
    check: Callable[[int], object] | None = None,
) -> domain.Slot:
    """Make a domain on a cgroup: in force for all in it at once, whatever domains are around and inside.

    From one that is `sticky` nobody gets out by being moved. `check` is given its ruleset's index before that is in force.
    """
    around = _at(slots, domain.at(live, path))
    beneath = {number for number, _path in cgroup.beneath(path)}
    inside = [slot for slot in change.children(slots, around.index if around else 0, abi.Kind.CGROUP) if slot.cgroup in beneath]
    layers = *(change.living_layers(live, around) if around else ()), *own
    new = domain.Slot(
        domain.free_slot(slots),
        # Until the switch it decides as the domain around it does.
        around.ruleset if around else 0,
        abi.Kind.CGROUP,
        name,
        cgroup.id_of(path),
        parent=around.index if around else 0,
        sticky=sticky,
    )
    wanted = [change.Wanted(new, layers), *change.inner(live, slots, inside, layers)]
    _check_processes(live, slots, new, beneath, wanted)
    with change.prepared(live, wanted, serial, loaded) as made, contextlib.ExitStack() as undo:
        if check:
            check(made[0].index)
        undo.callback(_take_back, live, new)
        domain.write(live, new)
        if around:  # before anybody is in it: who is moved away would leave a sticky one around it
            domain.spread_sticky(live)
        domain.give_cgroups(live, path, new)
        for slot in inside:
            domain.set_parent(live, slot.index, new.index)
        if inside:
            domain.spread_sticky(live)
        _link(live, loaded, path)
        change.switch(live, wanted, made)
        undo.pop_all()
    change.retire(live, [each.slot.ruleset for each in wanted[1:]])
    return dataclasses.replace(new, ruleset=made[0].index)


def update(
    live: engine.Engine,
    slots: Sequence[domain.Slot],
    slot: domain.Slot,
    own: tuple[ruleset.Layer, ...],
    serial: int,
    loaded: rule_slots.Loaded | None = None,
) -> None:
    """Replace the policies of a domain of either kind."""
    around = _at(slots, slot.parent)
    if around:
        outer = change.living_layers(live, around)
    else:
        # Those of a process may have been inherited from a domain that has ended.
        heads = change.recorded(live, slot, whole=False).layers
        inherited = len(heads) - len(ruleset.own(heads))
        outer = change.living_layers(live, slot)[:inherited] if inherited else ()
    inside = change.children(slots, slot.index, slot.kind)
    layers = *outer, *own
    wanted = [
        change.Wanted(slot, layers, change.recorded(live, slot, whole=False).scope),
        *change.inner(live, slots, inside, layers),
    ]
    with change.prepared(live, wanted, serial, loaded) as made:
        _link(live, loaded, cgroup.find(slot.cgroup))
        change.switch(live, wanted, made)
    change.retire(live, [each.slot.ruleset for each in wanted])


def detach(live: engine.Engine, slot: domain.Slot) -> None:
    """End a domain on a cgroup: those inside lose its layers, and all in it are left to the domain around it."""
    slots = domain.slots(live)
    around = _at(slots, slot.parent)
    inside = change.children(slots, slot.index, slot.kind)
    # With nobody inside no record is needed: where some were removed, domains can be ended from the innermost on.
    layers = change.living_layers(live, around) if around and inside else ()
    wanted = list(change.inner(live, slots, inside, layers))
    with change.prepared(live, wanted, record.new_serial()) as made:
        domain.switch(live, slot.index, around.ruleset if around else 0)
        change.switch(live, wanted, made)
    for each in inside:
        domain.set_parent(live, each.index, slot.parent)
    domain.take_cgroups(live, slot.index, slot.parent)
    # Until then hook calls may see the slot and the rulesets.
    grace.wait()
    domain.clear(live, slot.index)
    domain.spread_sticky(live)
    change.drop(live, [slot.ruleset, *(each.slot.ruleset for each in wanted)])


def _link(live: engine.Engine, loaded: rule_slots.Loaded | None, path: Path | None) -> None:
    """Attach programs of BPF_LSM_CGROUP, right before the switch: each is in force from its link on, and after it they stay."""
    if loaded and path and loaded.programs.attach == ruleset.LSM_CGROUP:
        rule_slots.link(live, loaded, path)


def _at(slots: Sequence[domain.Slot], index: int) -> domain.Slot | None:
    return next((slot for slot in slots if index and slot.index == index), None)


def _take_back(live: engine.Engine, new: domain.Slot) -> None:
    """Undo a domain that did not come to be; one that is in force after all stays."""
    found = _at(domain.slots(live), new.index)
    if found and found.ruleset == new.ruleset:
        sweep.end(live, found)


def _check_processes(
    live: engine.Engine,
    slots: Sequence[domain.Slot],
    new: domain.Slot,
    beneath: set[int],
    wanted: Sequence[change.Wanted],
) -> None:
    """Raise LimitError where a process domain's tasks in the cgroup would be under too many layers."""
    for slot in slots:
        if slot.kind == abi.Kind.PROCESS and (slot.cgroup in beneath or slot.cgroup == new.cgroup):
            own = live.ruleset(slot.ruleset).layers
            most = max(len(each.layers) for each in wanted)
            change.check_layers(slot.name, own + most, "of its control group")
