# SPDX-License-Identifier: GPL-2.0-only
"""A model of all in the kernel that a controller changes, in steps; commands in it, which may be killed before each."""

from __future__ import annotations

import dataclasses
import itertools
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from ctypes import c_uint64, sizeof
from pathlib import Path
from typing import Any, cast

from landlock_bpf import (
    abi,
    attachment,
    change,
    engine,
    hooks,
    identity,
    record,
    rule_slots,
    ruleset,
    sweep,
    views,
)

# Control groups: a around b around c, and d beside them.
TREE = {"/a": 10, "/a/b": 11, "/a/b/c": 12, "/d": 13}


class Killed(BaseException):
    """What a killed process does not live to see: nothing catches it, and no undo changes anything any more."""


class Kernel:
    """Everything that a controller changes, changed in steps; it dies before step `fatal`."""

    def __init__(self) -> None:
        self.steps, self.fatal = 0, 0
        self.links: set[str] = set()
        self.labels: dict[int, tuple[str, ...]] = {}  # of each serial, the policies of its layers
        self.arrays: dict[str, Map] = {}
        self.pins = Path()

    def step(self) -> None:
        self.steps += 1
        if self.fatal and self.steps >= self.fatal:
            raise Killed

    def fill(self, objects: identity.Objects, runs: bytes, index: int) -> None:
        """Do as bpf/fill.h does."""
        left = iter(objects)
        for start in range(0, len(runs), sizeof(abi.RuleRun)):
            run = abi.RuleRun.from_buffer_copy(runs, start)
            for object in itertools.islice(left, run.objects):
                self.announce(identity.Objects(object), index)
                self.fsview.update(object + struct.pack("=II", index, 0), bytes(run.rule))
        assert not list(left)

    def announce(self, objects: identity.Objects, number: int) -> None:
        """Do as bpf/fill.h does."""
        for object in objects:
            (bit,) = ruleset.filter_bits(identity.Objects(object).inos, number)
            self.step()
            self.filter[bit // 64] |= 1 << bit % 64
            self.superblocks.update(abi.Object.from_buffer_copy(object).dev, 1)

    def rules(self, hook: str) -> Map:
        return self.arrays.setdefault(hook, Map(self))

    def attached(self) -> set[str]:
        return set(self.links)

    def unattached(self, rows: Iterable[hooks.HookRow]) -> list[hooks.HookRow]:
        return [row for row in rows if row.name not in self.links]

    def attach(self, rows: Iterable[hooks.HookRow]) -> None:
        for row in rows:
            if row.name not in self.links:
                self.step()
                self.links.add(row.name)

    def detach_all_but(self, rows: Iterable[hooks.HookRow]) -> None:
        for name in self.links - {row.name for row in rows}:
            self.step()
            self.links.remove(name)


class Map:
    """A map of the model: a batch is one step for each entry, for it is not atomic."""

    def __init__(self, kernel: Kernel, wrap: Callable[[Any], Any] = lambda value: value, empty: Any = None) -> None:
        self.kernel, self.wrap, self.empty = kernel, wrap, empty
        self.entries: dict[Any, Any] = {}

    def lookup(self, key: Any) -> Any:
        return self.wrap(self.entries[key]) if key in self.entries else self.empty

    def update(self, key: Any, value: Any) -> None:
        self.kernel.step()
        self.entries[key] = value

    def update_batch(self, entries: Mapping[Any, Any]) -> None:
        for key, value in entries.items():
            self.update(key, value)

    def update_joined(self, keys: bytes, values: Sequence[bytes]) -> None:
        size = len(keys) // len(values)
        self.update_batch({keys[size * place : size * (place + 1)]: value for place, value in enumerate(values)})

    def delete(self, key: Any) -> None:
        self.delete_batch([key])

    def delete_batch(self, keys: Iterable[Any]) -> None:
        for key in keys:
            self.kernel.step()
            self.entries.pop(getattr(key, "value", key), None)

    def delete_joined(self, keys: bytes) -> None:
        if self.entries:
            size = len(next(iter(self.entries)))
            self.delete_batch([keys[start : start + size] for start in range(0, len(keys), size)])

    def items(self) -> Iterator[tuple[Any, Any]]:
        return iter([(c_uint64(key) if isinstance(key, int) else key, self.wrap(value)) for key, value in self.entries.items()])


class Marks(dict[int, int]):
    """The words of the marks, each set in a step."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self.kernel = kernel

    def __setitem__(self, place: int, word: int) -> None:
        self.kernel.step()
        super().__setitem__(place, word)


def layer(owner: str, policy: str, made: int, slot: int = 0) -> ruleset.Layer:
    """Make the layer of a policy or, in capitals, of rule programs: L through BPF_LSM_CGROUP, others with a view."""
    if policy.isupper():
        rule = ruleset.RuleProgram("r.c", 1, "rule", int(abi.Event.FS_LOCK), 0)
        mask = 1 << abi.Hook.FILE_LOCK
        programs = ruleset.Programs(
            slot, mask, ruleset.ENGINE, "", "libbpf", (rule,), (ruleset.View("v", 9),), made, (mark("x"),)
        )
        if policy == "L":
            programs = ruleset.Programs(slot, mask, ruleset.LSM_CGROUP, "", "libbpf", (rule,))
        return dataclasses.replace(ruleset.of_programs(owner, made, programs), policy=policy)
    number = sum(map(ord, policy))
    object, place = identity.OBJECT.pack(number, 0, 8, 0), (f"/{policy}", "p.toml", 1)
    entry = ruleset.Entry(object, 0, 4, True, *place)
    name = ruleset.Name(object, number, 3, 4, *place)
    pattern = ruleset.Pattern(f"*.{policy}", 1 << 32, "p.toml", 1, (number,))
    said = {"names": (name,), "patterns": (pattern,), "trees": (ruleset.Tree(object, 0, place[0]),)}
    return ruleset.Layer(owner, made, policy, "p.toml", 4, 4, 1, True, ((object, 1),), (entry,), **said)


def mark(name: str) -> ruleset.Mark:
    return ruleset.Mark(identity.OBJECT.pack(ord(name), 0, 8, 0), 0, 1, name)


def label(layer: ruleset.Layer) -> str:
    """Name a layer, and what its views mark."""
    return layer.policy + "".join(mark.path for mark in layer.programs.marks) if layer.programs else layer.policy


def run(kernel: Kernel, command: str, name: str, *args: str) -> None:
    """Do what the controller does for a command: sweep, then the command. Each letter of the last word is a layer."""
    live = cast(engine.Engine, kernel)
    slots = sweep.sweep(live)
    serial = record.new_serial()
    given = args[-1] if args else ""
    own = tuple(layer(name, each, serial, rule_slots.free(live)) for each in given)
    programs = next((each.programs for each in own if each.programs), None)
    # The program of a layer is known by the letter of the layer.
    loaded = rule_slots.Loaded(programs, {abi.Hook.FILE_LOCK: ord(given[-1])}) if programs else None
    if command in ("attach", "stick"):
        attachment.attach(live, slots, name, own, Path(args[0]), serial, loaded, sticky=command == "stick")
        return
    (slot,) = (slot for slot in slots if slot.name == name)
    if command == "update":
        attachment.update(live, slots, slot, own, serial, loaded)
    elif command == "mark":
        given_before = ruleset.own(change.living_layers(live, slot))
        attachment.update(live, slots, slot, views.marked(live, given_before, serial, {"v"}, [mark(given)]), serial)
    else:
        attachment.detach(live, slot)


def after(new: Callable[[], Kernel], commands: Iterable[tuple[str, ...]]) -> Kernel:
    """Give a kernel in which these commands were given."""
    kernel = new()
    for each in commands:
        run(kernel, *each)
    return kernel
