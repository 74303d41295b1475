# SPDX-License-Identifier: GPL-2.0-only
"""The fsviews of rule programs in the kernel: what is marked, in sets with serial numbers. A ruleset in force names its set."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Container, Iterable

from landlock_bpf import abi, engine, errors, fsview, identity, ruleset


def install(live: engine.Engine, programs: ruleset.Programs) -> None:
    """Put the marks of a layer into the kernel; LimitError where there is no room, and then nothing is left of them."""
    said = ruleset.view_marks(programs.marks, len(programs.views))
    tail = fsview.VIEW_TAIL.pack(programs.serial)
    entries = {object + tail: marks for object, marks in said.items()}
    live.announce(identity.Objects.of(said), ruleset.low_word(programs.serial))
    try:
        live.views.update_batch(entries)
    except errors.KernelError as cause:
        remove(live, programs.serial)
        if cause.errno != errno.E2BIG:
            raise
        limit = int(abi.Limit.MARKED)
        raise errors.LimitError(f"all domains together would have marks on or beneath more than {limit} objects") from cause


def remove(live: engine.Engine, serial: int) -> None:
    """Remove a set that no ruleset in force names."""
    tail = fsview.VIEW_TAIL.pack(serial)
    keys = [key for key, _marks in live.views.items() if key.endswith(tail)]
    live.views.delete_batch(keys)
    fsview.count_removed(live, len(keys))


def living(live: engine.Engine, serial: int, objects: Iterable[bytes]) -> set[bytes]:
    """Give those objects of a set that still have marks: those of a filesystem go with it."""
    tail = fsview.VIEW_TAIL.pack(serial)
    return {object for object in objects if live.views.lookup(object + tail) is not None}


def marked(
    live: engine.Engine, layers: Iterable[ruleset.Layer], serial: int, anew: Container[str], marks: Iterable[ruleset.Mark]
) -> tuple[ruleset.Layer, ...]:
    """Give layers other marks, as a new set: in the views named `anew` those given, in the others those that live yet."""
    made = []
    for layer in layers:
        programs = layer.programs
        if programs:
            alive = living(live, programs.serial, {mark.object for mark in programs.marks})
            kept = (each for each in programs.marks if programs.views[each.view].name not in anew and each.object in alive)
            # 0 is what the engine knows a layer without views by.
            programs = dataclasses.replace(programs, serial=serial if programs.views else 0, marks=(*kept, *marks))
        made.append(dataclasses.replace(layer, made=serial, programs=programs))
    return tuple(made)
