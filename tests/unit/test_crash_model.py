# SPDX-License-Identifier: GPL-2.0-only
"""A controller killed before each of its changes, in a model of the kernel: what is in force is the old or the new, whole.

tests/kernel/test_crash.py kills real ones; here every step of every arrangement of nested domains takes no time.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import types
from collections.abc import Callable
from ctypes import c_uint32, sizeof
from pathlib import Path
from typing import cast

import pytest
from enforcement import clean, held_in, in_force, left_over
from kernel_model import TREE, Kernel, Killed, Map, Marks, after, label, layer, run

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
    installation,
    record,
    rule_slots,
    sweep,
)


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
