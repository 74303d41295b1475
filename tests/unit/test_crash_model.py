# SPDX-License-Identifier: GPL-2.0-only
"""A controller killed before each of its changes, in a model of the kernel: what is in force is the old or the new, whole.

tests/kernel/test_crash.py kills real ones; here every step of every arrangement of nested domains takes no time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import itertools
import os
import struct
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from ctypes import c_uint32, c_uint64, sizeof
from pathlib import Path
from typing import Any, cast

import pytest

from landlock_bpf import (
    abi,
    attachment,
    bpf,
    cgroup,
    change,
    domain,
    engine,
    errors,
    fsview,
    grace,
    hooks,
    identity,
    installation,
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


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Kernel]:
    """Make fresh kernels, each with no domain."""
    current: list[Kernel] = []
    for name in ("switch", "set_parent", "clear", "spread_sticky"):
        real = getattr(domain, name)
        monkeypatch.setattr(domain, name, lambda *args, real=real: (current[-1].step(), real(*args)))
    for name in ("write", "remove"):
        real = getattr(record, name)
        monkeypatch.setattr(record, name, lambda arg, real=real: (current[-1].step(), real(arg)))
    real_write = record.write

    def write(made: record.Record) -> None:
        current[-1].labels[made.serial] = tuple(map(label, made.layers))
        real_write(made)

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.parent.name == "lsm_cgroup":
            current[-1].step()
        real_unlink(path, missing_ok)

    def pin(fd: int, path: Path) -> None:
        current[-1].step()
        path.write_text("")

    real_unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", unlink)
    monkeypatch.setattr(bpf, "link_create", lambda program, kind, what, target: (current[-1].step(), os.dup(target))[1])
    monkeypatch.setattr(bpf, "obj_pin", pin)
    monkeypatch.setattr(cgroup, "open_directory", lambda path: os.open(tmp_path, os.O_RDONLY))

    monkeypatch.setattr(record, "write", write)
    monkeypatch.setattr(record, "count_stale", lambda keys: 0)
    monkeypatch.setattr(grace, "wait", lambda: None)
    monkeypatch.setattr(installation, "remove_leavings", lambda: None)
    monkeypatch.setattr(installation, "load_hooks", lambda live, rows: None)
    monkeypatch.setattr(cgroup, "id_of", lambda path: TREE[str(path)])
    monkeypatch.setattr(cgroup, "beneath", lambda path: [(n, p) for p, n in TREE.items() if p.startswith(f"{path}/")])
    monkeypatch.setattr(cgroup, "find", lambda number: next((Path(p) for p, n in TREE.items() if n == number), None))
    monkeypatch.setattr(cgroup, "settle", lambda path: None)
    monkeypatch.setattr(cgroup, "mount_point", lambda: Path("/"))

    def make() -> Kernel:
        kernel = Kernel()
        current.append(kernel)
        folder = kernel.pins = tmp_path / str(len(current))
        (folder / "rulesets").mkdir(parents=True)
        monkeypatch.setattr(record, "RULESETS", folder / "rulesets")
        monkeypatch.setattr(record, "PAST", folder / "past")
        fields = {
            "domains": memoryview(bytearray(sizeof(abi.Domain) * (abi.Limit.DOMAINS + 1))),
            "filter": memoryview(bytearray(1 << abi.Limit.FILTER_BITS - 3)).cast("Q"),
            "marks": Marks(kernel),
            "state": types.SimpleNamespace(process_domains=0, orphans=0, escaped=0, departed=0),
            "fsview": Map(kernel),
            "names": Map(kernel),
            "patterns": Map(kernel),
            "commands": Map(kernel),
            "views": Map(kernel),
            "rulesets": Map(kernel, empty=abi.Ruleset()),
            "superblocks": Map(kernel),
            "rates": Map(kernel),
            "cgroups": Map(kernel, wrap=c_uint32),
        }
        vars(kernel).update(fields)
        kernel.ruleset = kernel.rulesets.lookup  # type: ignore[attr-defined]
        return kernel

    return make


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


SCENES: dict[str, tuple[list[tuple[str, ...]], tuple[str, ...]]] = {
    "the first": ([], ("attach", "x", "/a/b", "p")),
    "inside": ([("attach", "o", "/a", "p")], ("attach", "i", "/a/b", "q")),
    "around": ([("attach", "i", "/a/b", "q")], ("attach", "o", "/a", "p")),
    "between": ([("attach", "o", "/a", "p"), ("attach", "i", "/a/b/c", "q")], ("attach", "m", "/a/b", "r")),
    "on the same": ([("attach", "o", "/a", "p")], ("attach", "i", "/a", "q")),
    "update alone": ([("attach", "o", "/a", "p")], ("update", "o", "q")),
    "update around": ([("attach", "o", "/a", "p"), ("attach", "i", "/a/b", "q")], ("update", "o", "r")),
    "update inside": ([("attach", "o", "/a", "p"), ("attach", "i", "/a/b", "q")], ("update", "i", "r")),
    "detach alone": ([("attach", "o", "/a", "p")], ("detach", "o")),
    "detach around": ([("attach", "o", "/a", "p"), ("attach", "i", "/a/b", "q")], ("detach", "o")),
    "detach inside": ([("attach", "o", "/a", "p"), ("attach", "i", "/a/b", "q")], ("detach", "i")),
    "detach between": (
        [("attach", "o", "/a", "p"), ("attach", "m", "/a/b", "r"), ("attach", "i", "/a/b/c", "q")],
        ("detach", "m"),
    ),
    "rules": ([], ("attach", "x", "/a/b", "pR")),
    "rules inside": ([("attach", "o", "/a", "R")], ("attach", "i", "/a/b", "S")),
    "rules around": ([("attach", "i", "/a/b", "pR")], ("attach", "o", "/a", "S")),
    "rules updated": ([("attach", "o", "/a", "pR"), ("attach", "i", "/a/b", "qS")], ("update", "o", "T")),
    "rules taken out": ([("attach", "o", "/a", "pR")], ("update", "o", "q")),
    "rules marked": ([("attach", "o", "/a", "pR"), ("attach", "i", "/a/b", "S")], ("mark", "o", "y")),
    "rules detached": ([("attach", "o", "/a", "R"), ("attach", "i", "/a/b", "S")], ("detach", "o")),
    "linked": ([("attach", "o", "/a", "R")], ("attach", "i", "/a/b", "pL")),
    "linked around": ([("attach", "i", "/a/b", "L")], ("attach", "o", "/a", "L")),
    "linked anew": ([("attach", "i", "/a/b", "L")], ("update", "i", "R")),
    "sticky": ([], ("stick", "x", "/a/b", "p")),
    "inside a sticky one": ([("stick", "o", "/a", "p")], ("attach", "i", "/a/b", "q")),
    "sticky around": ([("attach", "i", "/a/b", "q")], ("stick", "o", "/a", "p")),
    "between sticky ones": ([("stick", "o", "/a", "p"), ("stick", "i", "/a/b/c", "q")], ("attach", "m", "/a/b", "r")),
    "sticky updated": ([("stick", "o", "/a", "p"), ("attach", "i", "/a/b", "q")], ("update", "o", "r")),
    "inside a sticky one, detached": ([("stick", "o", "/a", "p"), ("attach", "i", "/a/b", "q")], ("detach", "i")),
    "sticky detached": ([("stick", "o", "/a", "p"), ("attach", "i", "/a/b", "q")], ("detach", "o")),
    "linked, detached": ([("attach", "o", "/a", "L"), ("attach", "i", "/a/b", "R")], ("detach", "o")),
}


@pytest.mark.parametrize("scene", SCENES)
def test_killed_at_every_step(scene: str, new: Callable[[], Kernel]) -> None:
    before, command = SCENES[scene]

    begin = functools.partial(after, new, before)
    kernel = begin()
    old, held = in_force(kernel), held_in(kernel)
    kernel.steps = 0
    run(kernel, *command)
    now, steps = in_force(kernel), kernel.steps
    held &= held_in(kernel)
    assert now != old and steps > 5
    clean(kernel)
    for fatal in range(1, steps + 1):
        kernel = begin()
        kernel.steps, kernel.fatal = 0, fatal
        with pytest.raises(Killed):
            run(kernel, *command)
        kernel.fatal = 0
        for path, policies in in_force(kernel).items():
            assert policies in (old[path], now[path]), (fatal, path)
        assert held <= held_in(kernel), fatal
        sweep.sweep(cast(engine.Engine, kernel))
        assert held <= held_in(kernel), fatal
        assert in_force(kernel) in (old, now), fatal
        left_over(kernel)
        if fatal % 3 == 0:
            # The sweep, too, may be killed.
            kernel = begin()
            kernel.steps, kernel.fatal = 0, fatal
            with pytest.raises(Killed):
                run(kernel, *command)
            kernel.steps, kernel.fatal = 0, 3
            with contextlib.suppress(Killed):
                sweep.sweep(cast(engine.Engine, kernel))
            kernel.fatal = 0
            sweep.sweep(cast(engine.Engine, kernel))
            assert in_force(kernel) in (old, now), fatal
        clean(kernel)


def test_nested_domains_hold_all_around_them(new: Callable[[], Kernel]) -> None:
    kernel = new()
    run(kernel, "attach", "o", "/a", "p")
    run(kernel, "attach", "i", "/a/b/c", "q")
    assert in_force(kernel) == {"/a": ("p",), "/a/b": ("p",), "/a/b/c": ("p", "q"), "/d": ()}
    run(kernel, "attach", "m", "/a/b", "r")
    assert in_force(kernel) == {"/a": ("p",), "/a/b": ("p", "r"), "/a/b/c": ("p", "r", "q"), "/d": ()}
    run(kernel, "update", "o", "s")
    assert in_force(kernel)["/a/b/c"] == ("s", "r", "q")
    run(kernel, "detach", "m")
    assert in_force(kernel) == {"/a": ("s",), "/a/b": ("s",), "/a/b/c": ("s", "q"), "/d": ()}
    clean(kernel)


def test_a_domain_whose_cgroup_is_gone_is_swept(new: Callable[[], Kernel], monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = new()
    run(kernel, "attach", "x", "/d", "p")
    monkeypatch.delitem(TREE, "/d")
    kernel.cgroups.delete(13)  # type: ignore[attr-defined]
    assert sweep.sweep(cast(engine.Engine, kernel)) == []
    clean(kernel)


def test_an_unrecorded_cgroup_is_in_the_domain_above_it(new: Callable[[], Kernel]) -> None:
    kernel = new()
    run(kernel, "attach", "o", "/a", "p")
    kernel.cgroups.delete(11)  # type: ignore[attr-defined]
    kernel.state.orphans = 1  # type: ignore[attr-defined]
    run(kernel, "attach", "i", "/a/b", "q")
    slots = {slot.name: slot for slot in domain.slots(cast(engine.Engine, kernel))}
    assert slots["i"].parent == slots["o"].index and in_force(kernel)["/a/b"] == ("p", "q")
    assert kernel.labels[kernel.rulesets.lookup(slots["i"].ruleset).serial] == ("p", "q")  # type: ignore[attr-defined]


def test_too_many_layers_change_nothing(new: Callable[[], Kernel]) -> None:
    kernel = new()
    run(kernel, "attach", "i", "/a/b", "q")
    live = cast(engine.Engine, kernel)
    serial = record.new_serial()
    layers = tuple(layer("o", "p", serial) for _ in range(abi.Limit.LAYERS))
    before = in_force(kernel)
    with pytest.raises(change.errors.LimitError, match="the domain i would have 17 layers"):
        attachment.attach(live, domain.slots(live), "o", layers, Path("/a"), serial)
    assert in_force(kernel) == before
    assert [slot.name for slot in domain.slots(live)] == ["i"]
    clean(kernel)


def test_the_filter_is_made_anew_of_what_is_left(new: Callable[[], Kernel]) -> None:
    kernel = new()
    live = cast(engine.Engine, kernel)
    run(kernel, "attach", "o", "/a", "p")
    run(kernel, "attach", "x", "/d", "q")
    run(kernel, "detach", "x")
    assert sum(word.bit_count() for word in live.filter) == 2
    fsview.refresh_filter(live)
    assert sum(word.bit_count() for word in live.filter) == 1
    clean(kernel)


def test_a_process_keeps_the_layers_of_domains_that_ended_around_it() -> None:
    slot = domain.Slot(3, 3, abi.Kind.PROCESS, "c", 1, parent=1)
    layers = layer("a", "p", 1), layer("b", "q", 2), layer("c", "r", 3)
    assert change.kept(slot, layers, "a") == layers[1:]
    assert change.kept(slot, layers, "b") == layers[2:]
    assert change.kept(domain.Slot(3, 3, abi.Kind.CGROUP, "c", 1, parent=1), layers, "a") == layers[2:]


def test_nothing_is_left_where_records_were_removed(new: Callable[[], Kernel]) -> None:
    kernel = new()
    run(kernel, "attach", "o", "/a", "pR")
    run(kernel, "attach", "x", "/d", "L")
    for path in record.RULESETS.iterdir():
        path.unlink()
    for name in ("o", "x"):
        run(kernel, "detach", name)
    clean(kernel)
    assert not kernel.rules("file_lock").entries


NESTED = [("attach", "o", "/a", "pR"), ("attach", "m", "/a/b", "q"), ("attach", "i", "/a/b/c", "r")]


def lose(kernel: Kernel, *names: str) -> None:
    """Remove the records of what domains have in force."""
    live = cast(engine.Engine, kernel)
    for slot in domain.slots(live):
        if slot.name in names:
            (record.RULESETS / f"{live.ruleset(slot.ruleset).serial}.record").unlink(missing_ok=True)


@pytest.mark.parametrize("lost", ["o", "m", "i", "om", "mi", "oi", "omi"])
def test_domains_whose_records_were_removed_are_ended_from_the_innermost_on(lost: str, new: Callable[[], Kernel]) -> None:
    kernel = new()
    for each in NESTED:
        run(kernel, *each)
    lose(kernel, *lost)
    before = in_force(kernel)
    sweep.sweep(cast(engine.Engine, kernel))
    assert in_force(kernel) == before
    if "i" in lost:
        with pytest.raises(errors.NotFoundError, match="the record of the domain [oi] .* detach it"):
            run(kernel, "detach", "m")
        assert in_force(kernel) == before
    for name in "imo":
        run(kernel, "detach", name)
    clean(kernel)


@pytest.mark.parametrize("command", [("update", "o", "s"), ("update", "o", "S"), ("detach", "o"), ("detach", "m")])
@pytest.mark.parametrize("lost", ["o", "m", "i"])
def test_no_sweep_fails_where_a_record_is_lost(lost: str, command: tuple[str, ...], new: Callable[[], Kernel]) -> None:
    """What nobody can tell stays as it is, the rest is mended, and all domains can be ended."""

    begin = functools.partial(after, new, NESTED)
    kernel = begin()
    old = in_force(kernel)
    kernel.steps = 0
    run(kernel, *command)
    now, steps = in_force(kernel), kernel.steps
    for fatal in range(1, steps + 1):
        kernel = begin()
        kernel.steps, kernel.fatal = 0, fatal
        with pytest.raises(Killed):
            run(kernel, *command)
        kernel.fatal = 0
        lose(kernel, lost)
        for _ in range(2):
            slots = sweep.sweep(cast(engine.Engine, kernel))
            for path, policies in in_force(kernel).items():
                assert policies in (old[path], now[path]), (fatal, path)
        for name in sorted((slot.name for slot in slots), key="imo".index):
            run(kernel, "detach", name)
        clean(kernel)


def test_no_room_for_links_changes_nothing(new: Callable[[], Kernel], monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = new()
    run(kernel, "attach", "o", "/a", "R")
    before = in_force(kernel)

    def full(*args: object, **kwargs: object) -> int:
        raise errors.KernelError("attach", "it", errno.EINVAL)

    monkeypatch.setattr(bpf, "link_create", full)
    for command in (("attach", "i", "/a/b", "qL"), ("update", "o", "L")):
        with pytest.raises(rule_slots.NoRoomError, match="none for file_lock"):
            run(kernel, *command)
        assert in_force(kernel) == before
        left_over(kernel)
    clean(kernel)
