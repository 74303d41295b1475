# SPDX-License-Identifier: GPL-2.0-only
"""The slots of rule programs in the kernel: a layer's place in the program arrays of hooks, and its links on a cgroup.

A program in a slot is asked only while a ruleset in force says so. A link is asked from the moment it is made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import abi, bpf, cgroup, domain, engine, errors, hooks, ruleset, views

if TYPE_CHECKING:
    from landlock_bpf import questions

# Hooks that can have a program of BPF_LSM_CGROUP at once, in the whole system (kernel/bpf/cgroup.c, CGROUP_LSM_NUM).
MOST_LINKED = 10
# What linking one more comes to: __cgroup_bpf_attach() makes EINVAL of the E2BIG of bpf_cgroup_atype_find().
NO_ROOM = (errno.EINVAL, errno.E2BIG)
_LINKS = "lsm_cgroup"  # the folder of their pins


class NoRoomError(errors.LimitError):
    """All that BPF_LSM_CGROUP has room for is in use."""


@dataclasses.dataclass(frozen=True)
class Loaded:
    """The programs of one layer, loaded and nowhere in force yet, by their hooks; who loaded them closes the descriptors."""

    programs: ruleset.Programs
    descriptors: Mapping[abi.Hook, int]


def ask_row(row: questions.Row) -> hooks.HookRow:
    """Give the program of the engine that asks rule programs at a hook."""
    return hooks.HookRow(f"ask_{row.hook}", "lsm", row.args)


def ask_rows(mask: int) -> Iterator[hooks.HookRow]:
    """Give those of the hooks of a mask."""
    if not mask:
        return iter(())
    from landlock_bpf import questions  # a long table, which domains without rule programs need not

    return (ask_row(row) for row in questions.ROWS if 1 << row.number & mask)


def used(live: engine.Engine) -> dict[int, set[int]]:
    """Say of each slot in use which serial numbers its views have: as the kernel has it, for records may be lost."""
    found: dict[int, set[int]] = {}
    for index in {slot.ruleset for slot in domain.slots(live)}:
        for place in ruleset.places_of(live.ruleset(index)):
            found.setdefault(place.slot, set()).add(place.views)
    return found


def free(live: engine.Engine) -> int:
    """Find a slot for the rule programs of a new layer."""
    return domain.free_index(used(live), abi.Limit.PROGRAMS + 1, "layers of rule programs")


def install(live: engine.Engine, loaded: Loaded) -> None:
    """Put programs into their slot: no ruleset has it yet."""
    if loaded.programs.attach == ruleset.ENGINE:
        for hook, fd in loaded.descriptors.items():
            live.rules(hook.name.lower()).update(loaded.programs.slot, fd)


def link(live: engine.Engine, loaded: Loaded, path: Path) -> None:
    """Attach programs to a cgroup itself, each in force from its own link on.

    Raises NoRoomError where the kernel has none for one of the hooks; those before it are linked then.
    """
    (live.pins / _LINKS).mkdir(mode=0o700, exist_ok=True)
    target = cgroup.open_directory(path)
    try:
        for hook, fd in loaded.descriptors.items():
            _link(live, loaded.programs.slot, hook.name.lower(), fd, target)
    finally:
        os.close(target)


def release(live: engine.Engine, places: Iterable[ruleset.Place]) -> None:
    """Empty slots, and remove views, that no ruleset in force has any more, their grace period over."""
    left = list(places)
    if not left:
        return
    kept = used(live)
    for place in left:
        if place.slot not in kept:
            from landlock_bpf import questions

            for row in questions.ROWS:
                if 1 << row.number & place.hooks:
                    live.rules(row.hook).delete(place.slot)
        if place.views and place.views not in kept.get(place.slot, ()):
            views.remove(live, place.views)
    remove_surplus_links(live)


def remove_surplus_links(live: engine.Engine) -> None:
    """Remove the links whose slot no ruleset in force has; no record is needed for that."""
    with contextlib.suppress(FileNotFoundError):
        names = os.listdir(f"{live.pins}/{_LINKS}")
        kept = used(live) if names else {}
        for name in names:
            if int(name.partition("-")[0]) not in kept:
                (live.pins / _LINKS / name).unlink()


def linked(live: engine.Engine, slot: int) -> tuple[str, ...]:
    """Name the hooks at which the programs of a slot are linked to a cgroup."""
    with contextlib.suppress(FileNotFoundError):
        parts = (name.partition("-") for name in os.listdir(live.pins / _LINKS))
        return tuple(sorted(hook for number, _, hook in parts if int(number) == slot))
    return ()


def _link(live: engine.Engine, slot: int, hook: str, program: int, target: int) -> None:
    try:
        made = bpf.link_create(program, bpf.AttachType.LSM_CGROUP, f"the hook {hook} of the control group", target=target)
    except errors.KernelError as cause:
        if cause.errno not in NO_ROOM:
            raise
        what = f"no more than {MOST_LINKED} hooks can have programs of BPF_LSM_CGROUP, and others have them: none for {hook}"
        raise NoRoomError(f"{what}; use --attach engine, or detach one of those") from cause
    try:
        bpf.obj_pin(made, live.pins / _LINKS / f"{slot}-{hook}")
    finally:
        os.close(made)
