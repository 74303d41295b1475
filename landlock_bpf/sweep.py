# SPDX-License-Identifier: GPL-2.0-only
"""The sweep before each command: finishes or takes back what killed controllers left, and ends domains nobody is in.

What is in force is never weakened: each step only removes what no task is under, or completes what one store began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from landlock_bpf import (
    abi,
    cgroup,
    change,
    domain,
    engine,
    errors,
    fsview,
    grace,
    installation,
    record,
    rule_slots,
    ruleset,
    threads,
)


def sweep(live: engine.Engine) -> list[domain.Slot]:
    """Bring the kernel's maps and our records into a state that a command may build on, and give the domains; hold the lock."""
    installation.remove_leavings()
    slots = domain.slots(live)
    in_force = {slot.index: slot.ruleset for slot in slots}
    gone = [slot for slot in slots if _half_made(slot, in_force) or _deserted(live, slot)]
    for slot in gone:
        end(live, slot)
    if gone:
        slots = domain.slots(live)
    unknown = _unknown(live, slots)
    if unknown:
        _forget(live, unknown, slots)
    rule_slots.remove_surplus_links(live)
    mended = _mend_inner(live, slots)
    # Confinements may have been finished.
    if mended or any(slot.kind == abi.Kind.PROCESS for slot in slots):
        slots = domain.slots(live)
    count_process_domains(live, slots)
    domain.spread_sticky(live, slots)
    if not slots and live.state.orphans:
        live.state.orphans = 0
    if not slots and live.state.escaped:
        live.state.escaped = 0  # a task is held in a domain, and there is none
    if not domain.departed(live) and not slots:
        live.state.departed = 0
    return slots


def end(live: engine.Engine, slot: domain.Slot) -> None:
    """End a domain that nobody is in, or whose ruleset is none or that of the one around it: free all it has."""
    slots = domain.slots(live)
    slot = next(each for each in slots if each.index == slot.index)  # as it is now
    inside = change.children(slots, slot.index, slot.kind)
    if slot.kind == abi.Kind.CGROUP:
        domain.take_cgroups(live, slot.index, slot.parent)
        if inside:
            _replace_inside(live, slots, inside, next((other for other in slots if other.index == slot.parent), None))
        # Hook calls that have seen the slot may still run; of a process domain, no task is left that could be in one.
        grace.wait()
    # Last, for until then a sweep finds them by it. Those of processes keep the layers that their tasks have inherited.
    for each in inside:
        domain.set_parent(live, each.index, slot.parent)
    domain.clear(live, slot.index)
    shared = _half_made(slot, {other.index: other.ruleset for other in slots})
    change.drop(live, [] if shared else [slot.ruleset])


def remove_scope(live: engine.Engine, slot: domain.Slot) -> bool:
    """Remove the control group that was made for a process domain; False where a task is in it or still in the domain."""
    path = cgroup.find(slot.cgroup)
    if path and cgroup.populated(path):
        return False
    # Somebody outside may have moved tasks away; they are in the domain wherever they are.
    if not domain.left_by_all(live, slot.index):
        return False
    return path is None or cgroup.remove(path)


def count_process_domains(live: engine.Engine, slots: Sequence[domain.Slot]) -> None:
    """Tell the engine how many process domains there are: with none it looks no task up."""
    count = sum(slot.kind == abi.Kind.PROCESS for slot in slots)
    if live.state.process_domains != count:
        live.state.process_domains = count


def _half_made(slot: domain.Slot, in_force: Mapping[int, int]) -> bool:
    """Whether it was being made or ended: it has no ruleset, or that of the domain around it."""
    return slot.ruleset == 0 or slot.ruleset == in_force.get(slot.parent)


def _deserted(live: engine.Engine, slot: domain.Slot) -> bool:
    if slot.kind == abi.Kind.CGROUP:
        # The engine takes the entry away with the cgroup.
        # While tasks are held, the entry of the control group that they left stays.
        left = live.state.escaped or not domain.of_cgroup(live, slot.cgroup)
        return bool(left) and cgroup.find(slot.cgroup) is None and not domain.holds(live, slot.cgroup)
    if slot.maker and domain.start_of(slot.maker) == slot.maker_start:
        return False
    if not remove_scope(live, slot):
        _resume(live, slot)
        return False
    return True


def _resume(live: engine.Engine, slot: domain.Slot) -> None:
    """Finish a confinement whose controller was killed after its first thread had entered."""
    if slot.cgroup or not slot.maker:
        return
    told = record.read(live.ruleset(slot.ruleset).serial, whole=False)
    if told and told.target:
        target = threads.from_words(told.target)
        if slot.maker == target.first or not threads.is_there(target):
            domain.set_maker(live, slot.index, 0, 0)  # it was finished, and is gone: others are in it
        else:
            threads.resume(live, target, slot)


def _unknown(live: engine.Engine, slots: Sequence[domain.Slot]) -> set[int]:
    """Find the records of rulesets that no domain has."""
    serials = set(record.serials())
    if serials:
        serials -= {live.ruleset(index).serial for index in {slot.ruleset for slot in slots}}
    return serials


def _forget(live: engine.Engine, serials: set[int], slots: Sequence[domain.Slot]) -> None:
    """Remove rulesets that no domain has, and what else the commands that were killed with them have left."""
    # One may have been in force until its controller was killed a moment ago.
    grace.wait()
    for serial in serials:
        left = record.read(serial)
        if left and left.scope and left.domain not in (slot.name for slot in slots):
            cgroup.remove(Path(left.scope))
        if left and live.ruleset(left.index).serial in (serial, 0):
            fsview.remove(live, left.index, left)
        if left:
            rule_slots.release(live, ruleset.places(left.layers))
    change.detach_surplus(live)
    for serial in serials:
        record.remove(serial)


def _mend_inner(live: engine.Engine, slots: Sequence[domain.Slot]) -> bool:
    """Give domains inside others the layers that those have now, where a killed controller had not come to it: to any?"""
    mended = False
    by_index = {slot.index: slot for slot in slots}
    for index in [slot.index for slot in slots if slot.parent]:
        slot = by_index[index]
        outer = by_index.get(slot.parent)
        if outer is None:
            continue
        has, around = (record.read(live.ruleset(one.ruleset).serial, whole=False) for one in (slot, outer))
        if has is None or around is None:
            continue  # nobody can tell; what is in force stays
        inherited = has.layers[: len(has.layers) - len(change.kept(slot, has.layers, outer.name))]
        if _origins(inherited) != _origins(around.layers):
            _replace_inside(live, list(by_index.values()), [slot], outer)
            by_index = {slot.index: slot for slot in domain.slots(live)}  # those inside it are mended, too
            mended = True
    return mended


def _replace_inside(
    live: engine.Engine, slots: Sequence[domain.Slot], inside: Sequence[domain.Slot], outer: domain.Slot | None
) -> None:
    """Give domains the layers that the one around them has (None: there is none), as far as their records tell.

    Where one was removed nobody can tell, and what is in force stays: else no command would come any further.
    """
    try:
        layers = change.living_layers(live, outer) if outer else ()
    except errors.NotFoundError:
        return
    change.replace(live, list(change.inner(live, slots, inside, layers, forgiving=True)))


def _origins(layers: Sequence[ruleset.Layer]) -> list[tuple[str, int]]:
    return [(layer.owner, layer.made) for layer in layers]
