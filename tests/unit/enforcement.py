# SPDX-License-Identifier: GPL-2.0-only
"""What is in force in the model of the kernel, as the engine would find it; and that nothing else is left there."""

from __future__ import annotations

from ctypes import sizeof
from typing import Any, cast

from kernel_model import TREE, Kernel, mark, run

from landlock_bpf import (
    abi,
    domain,
    engine,
    identity,
    record,
    rule_slots,
    ruleset,
    sweep,
    views,
)


def in_force(kernel: Kernel) -> dict[str, tuple[str, ...]]:
    """Name the policies that hold in each control group, as the engine would find them; all of them must be there."""
    live = cast(engine.Engine, kernel)
    found = {}
    rulesets = {slot.index: slot.ruleset for slot in domain.slots(live)}
    for path, number in TREE.items():
        index = rulesets.get(found_for(live, number), 0)
        found[path] = kernel.labels[live.ruleset(index).serial] if index else ()
        if index:
            policies = [policy for policy in found[path] if policy.islower()]
            assert "cgroup_mkdir" in kernel.links and ("file_open" in kernel.links or not policies)
            objects = {identity.OBJECT.pack(sum(map(ord, policy)), 0, 8, 0) for policy in policies}
            rules = {key[:-8] for key, _ in live.fsview.items() if key[-8:-4] == index.to_bytes(4, "little")}
            assert objects == rules
            see_names(live, index, policies)
            see_programs(kernel, live.ruleset(index), found[path])
    return found


def found_for(live: engine.Engine, number: int) -> int:
    """Give the domain of a control group, as domain_of() in bpf/maps.h does for ids below the number of marks."""
    word = cast(Any, live).marks.get(number, 0)
    return word & 0xFFFF if word >> 16 == number else domain.of_cgroup(live, number) if word else 0


def held_in(kernel: Kernel) -> set[str]:
    """Name the control groups out of which nobody can be moved, as the engine would find them."""
    live = cast(engine.Engine, kernel)
    start, size = abi.Domain.sticky.offset, sizeof(abi.Domain)
    sticky = {slot.index for slot in domain.slots(live) if any(live.domains[slot.index * size + start :][:4])}
    return {path for path, number in TREE.items() if found_for(live, number) in sticky}


def see_names(live: engine.Engine, index: int, policies: list[str]) -> None:
    """See that what policies say of names, patterns and ioctl commands is whole."""
    first = index.to_bytes(4, "little")
    names = {key[24:32] for key, _ in live.names.items() if key[-8:-4] == first}
    assert names == {sum(map(ord, policy)).to_bytes(8, "little") for policy in policies}
    assert len([key for key, _ in live.patterns.items() if key.startswith(first)]) == len(policies)
    commands = {key[4:] for key, _ in live.commands.items() if key.startswith(first)}
    assert commands == {sum(map(ord, policy)).to_bytes(4, "little") for policy in policies}


def see_programs(kernel: Kernel, in_force: abi.Ruleset, names: tuple[str, ...]) -> None:
    """See that rule programs, their views and their links are whole."""
    live = cast(engine.Engine, kernel)
    expected = [name for name in reversed(names) if name[0].isupper()]
    places = list(ruleset.places_of(in_force))
    assert len(places) == len(expected)
    for name, place, told in zip(expected, places, in_force.programs):
        assert names[told.layer] == name and "ptrace_traceme" in kernel.links
        if name == "L":
            assert rule_slots.linked(live, place.slot) == ("file_lock",)
            continue
        assert kernel.rules("file_lock").lookup(place.slot) == ord(name[0]) and "ask_file_lock" in kernel.links
        assert views.living(live, place.views, [mark(each).object for each in name[1:]]) == {mark(name[1]).object}


def clean(kernel: Kernel) -> None:
    """Detach all that is left, and see that nothing at all is."""
    live = cast(engine.Engine, kernel)
    for slot in sweep.sweep(live):
        run(kernel, "detach", slot.name)
    assert not domain.slots(live) and not kernel.links and not record.serials()
    assert not dict(live.fsview.items()) and not list(live.cgroups.items())
    assert not any(list(each.items()) for each in (live.names, live.patterns, live.commands))
    assert all(live.ruleset(index).serial == 0 for index in range(1, abi.Limit.RULESETS))
    left_over(kernel)


def left_over(kernel: Kernel) -> None:
    """See that there are rule programs, views and links only where a ruleset in force has them."""
    live = cast(engine.Engine, kernel)
    kept = rule_slots.used(live)
    assert {slot for array in kernel.arrays.values() for slot in array.entries} <= set(kept)
    sets = {serial for each in kept.values() for serial in each}
    assert {int.from_bytes(key[-8:], "little") for key, _ in live.views.items()} <= sets
    folder = kernel.pins / "lsm_cgroup"
    assert {int(path.name.partition("-")[0]) for path in folder.glob("*")} <= set(kept)
