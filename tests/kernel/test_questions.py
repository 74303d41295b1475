# SPDX-License-Identifier: GPL-2.0-only
"""Every hook of the table of questions: it is called, asks what 2017 asked, and what is denied there is EPERM.

The rule programs (rules/choose.c) deny the one question that the process chose by its ids, so that a domain for each loader
serves all hooks. What was asked is read from the engine's own storage for the process.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import asking
import conftest
import pytest
import rule
import trigger
from member import Member
from trigger import Trigger

from landlock_bpf import abi, bpf, btf, canary, controller, engine, events, questions

ROWS = {row.hook: row for row in questions.ROWS}
# Asked right after inode_setxattr, which asks the same of the same inode: denied there first.
SHADOWED = {"inode_setsecurity": "inode_setxattr"}


@pytest.fixture(scope="module")
def kernel() -> frozenset[str]:
    """The hooks that this kernel has."""
    with btf.Btf.vmlinux() as vmlinux:
        return frozenset(hook for hook in ROWS if vmlinux.find(f"bpf_lsm_{hook}", btf.Kind.FUNC))


@pytest.fixture(scope="module", params=rule.LOADERS)
def confined(request: pytest.FixtureRequest, live: controller.Controller) -> Iterator[Path]:
    """A control group whose processes choose what is denied to them."""
    place = conftest.CGROUPS / f"choose-{request.param}"
    place.mkdir()
    name = f"choose-{request.param}"
    live.attach(name, [], place, rules=rule.programs("choose", loader=request.param))
    yield place
    live.detach(name)
    conftest.remove(place)


def skip_absent(row: Trigger, kernel: frozenset[str]) -> None:
    """Skip what this kernel has no hook for; that it should not have it, the table of kernels says."""
    if row.hook not in kernel:
        pytest.skip(f"absent: {row.hook}")


def test_each_hook_has_a_trigger() -> None:
    assert {row.hook for row in trigger.TRIGGERS} == set(ROWS)


def test_hooks_that_are_absent(kernel: frozenset[str]) -> None:
    """The table of kernels names just those that are."""
    if "LANDLOCK_BPF_VM_ABSENT" not in os.environ:
        pytest.skip("only guests are in the table of kernels: run vm/test")
    named = set(os.environ["LANDLOCK_BPF_VM_ABSENT"].split(","))
    assert named & set(ROWS) == set(ROWS) - kernel


@pytest.mark.parametrize("row", trigger.TRIGGERS, ids=str)
def test_table(row: Trigger) -> None:
    """The table says what 2017 asked."""
    said = ROWS[row.hook].questions
    assert [(each.handle, each.event) for each in said] == [(ask.kind, ask.event) for ask in row.asks]
    for each, ask in zip(said, row.asks):
        if each.event != abi.Event.FS:
            assert not each.actions
        elif each.arg2.isdigit():
            assert int(each.arg2) == each.actions == ask.arg2
        else:  # a function of what the hook is given
            assert ask.arg2 & ~each.actions == 0


def test_without_rules(kernel: frozenset[str], tree: Path) -> None:
    rows = [row for row in trigger.TRIGGERS if row.hook in kernel]
    assert {row: asking.attempt(row, tree / str(row)).errno for row in rows} == {row: row.result for row in rows}


def test_allowed(kernel: frozenset[str], confined: Path, tree: Path) -> None:
    rows = [row for row in trigger.TRIGGERS if row.hook in kernel]
    assert {row: asking.attempt(row, tree / str(row), confined).errno for row in rows} == {row: row.result for row in rows}


@pytest.mark.parametrize("row", trigger.TRIGGERS, ids=str)
def test_denied(row: Trigger, kernel: frozenset[str], confined: Path, tree: Path) -> None:
    """Each question of the hook: what it is, that its denial is EPERM, and the report of that."""
    skip_absent(row, kernel)
    list(events.read(follow=False))  # a buffer that another test has left full takes no more
    found = engine.find()
    assert found
    with found, canary.Tail(found) as tail:
        for number, ask in enumerate(row.asks):
            tried = asking.attempt(row, tree / str(number), confined, number)
            assert tried.errno == errno.EPERM, ask
            assert tried.inquiry, "the engine knows of no question"
            hook = SHADOWED.get(row.hook, row.hook)
            assert abi.Hook(tried.inquiry.hook).name.lower() == hook
            if row.hook not in SHADOWED:
                assert asked(tried) == expected(row, tried)
                assert tried.inquiry.denied_question == number
            assert tried.inquiry.denied == ask.event  # 1 + the number of the rule: they are in the order of events
            (record,) = (each for each in map(denial, tail.records()) if each.pid == tried.pid)
            assert abi.Hook(record.refusal.hook).name.lower() == hook
            assert record.refusal.reason == abi.Reason.PROGRAM
            assert record.refusal.error == -errno.EPERM
            assert (record.refusal.event, record.refusal.refused) == (ask.event, ask.arg2)


def test_what_is_asked_in_the_shadow(confined: Path, live: controller.Controller, tree: Path) -> None:
    """Where the hook before is not attached, as no controller leaves it, the one after is what denies."""
    for hook, before in SHADOWED.items():
        (row,) = (row for row in trigger.TRIGGERS if row.hook == hook)
        found = engine.find()
        assert found
        with found:
            link = found.pins / "links" / f"ask_{before}"
        link.unlink()
        try:
            tried = asking.attempt(row, tree / hook, confined, 0)
        finally:
            # Any command attaches what is missing.
            live.attach("mended", [], confined, rules=rule.programs("nothing"))
            live.detach("mended")
        assert link.exists()
        assert tried.errno == errno.EPERM and tried.inquiry
        assert abi.Hook(tried.inquiry.hook).name.lower() == hook
        assert asked(tried) == expected(row, tried)


def test_who_has_no_room_when_it_goes_on_is_denied_and_told(confined: Path, tree: Path) -> None:
    """The program that goes on, called by who never began: no room is there for what it was asked."""
    list(events.read(follow=False))
    found = engine.find()
    assert found
    with found, canary.Tail(found) as tail, contextlib.ExitStack() as stack:
        program = bpf.obj_get(found.pins / "progs" / "next_inode_symlink")
        stack.callback(os.close, program)
        with Member() as member:
            assert member.errno(os.symlink, "x", tree / "before") == 0
            link = bpf.link_create(program, bpf.AttachType.LSM_MAC, "the hook inode_symlink")
            try:
                assert member.errno(os.symlink, "x", tree / "meanwhile") == errno.EPERM
            finally:
                os.close(link)
            (record,) = (each for each in map(denial, tail.records()) if each.pid == member.pid)
    assert (record.refusal.hook, record.refusal.reason) == (abi.Hook.INODE_SYMLINK, abi.Reason.FULL)
    assert record.refusal.error == -errno.EPERM


def asked(tried: asking.Tried) -> list[tuple[abi.Handle, abi.Event, int, int]]:
    """Give the questions that the engine holds: kind, event, arg2, and the mode in the handle or the errno."""
    assert tried.inquiry
    given = tried.inquiry.question[: tried.inquiry.questions]
    return [(abi.Handle(each.kind), abi.Event(each.event), each.arg2, mode(each.handle)) for each in given]


def mode(handle: int) -> int:
    """Read what bpf_handle_fs_get_mode() reads in a handle."""
    assert handle >> abi.HandlePart.TAG == abi.HandlePart.MAGIC
    error = handle >> abi.HandlePart.ERROR & 0xFFFF
    return -error if error else handle & 0xFFFF


def expected(row: Trigger, tried: asking.Tried) -> list[tuple[abi.Handle, abi.Event, int, int]]:
    return [(ask.kind, ask.event, int(ask.arg2), mode) for ask, mode in zip(row.asks, tried.modes)]


def denial(record: bytes) -> abi.Denial:
    return abi.Denial.from_buffer_copy(record.ljust(ctypes.sizeof(abi.Denial), b"\0"))
