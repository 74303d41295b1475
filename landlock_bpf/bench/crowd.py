# SPDX-License-Identifier: GPL-2.0-only
"""Many domains at once, on a cgroup each. A thousand `attach` commands, each of which looks at all domains, would take longer
than all that is measured; what the kernel's maps hold in the end is the same."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from landlock_bpf import abi, cgroup, change, domain, engine, policy, record, resolution, sweep


@contextlib.contextmanager
def attached(cgroups: Sequence[Path], wanted: policy.Policy) -> Iterator[None]:
    """Put a policy without rules in force on every cgroup, as domains named like them; ended afterwards."""
    slots = _attach(cgroups, wanted)
    try:
        yield
    finally:
        _detach(slots)


def _attach(cgroups: Sequence[Path], wanted: policy.Policy) -> list[domain.Slot]:
    with record.locked(), engine.load() as live:
        before = sweep.sweep(live)
        used = {slot.index for slot in before}
        free = (index for index in range(1, abi.Limit.DOMAINS + 1) if index not in used)
        serial = record.new_serial()
        with live.identifier() as identifier, resolution.Filesystems() as filesystems:
            (layer,) = resolution.resolve((wanted,), "", serial, identifier.identify, filesystems)
        changes = []
        for path, index in zip(cgroups, free, strict=False):
            slot = domain.Slot(index, 0, abi.Kind.CGROUP, path.name, cgroup.id_of(path))
            changes.append(change.Wanted(slot, (dataclasses.replace(layer, owner=path.name),)))
        with change.prepared(live, before, changes, serial) as made:
            for each in changes:
                domain.write(live, each.slot)
            live.cgroups.update_batch((each.slot.cgroup, each.slot.index) for each in changes)
            change.switch(live, changes, made)
        return [dataclasses.replace(each.slot, ruleset=new.index) for each, new in zip(changes, made, strict=True)]


def _detach(slots: Sequence[domain.Slot]) -> None:
    with record.locked(), engine.load() as live:
        for slot in slots:
            domain.switch(live, slot.index, 0)
        change.retire(live, [slot.ruleset for slot in slots])
        live.cgroups.delete_batch([slot.cgroup for slot in slots])
        for slot in slots:
            domain.clear(live, slot.index)
        change.detach_surplus(live)
