# SPDX-License-Identifier: GPL-2.0-only
"""Whom a task in a domain may trace: those that are in all of its domains. The seven cases of 2017, and more."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import rule
import tracing
import trial
from member import Member

from landlock_bpf import controller
from landlock_bpf.abi import Action

GROUPS = ("outer", "outer/a", "outer/b")
# The same rule in each: programs loaded twice are two.
OUTER, A, B = GROUPS


@dataclasses.dataclass(frozen=True)
class Case:
    """Which control groups have rules, in which the tracer and its child are, and whether it may trace it."""

    name: str
    rules: tuple[str, ...]
    tracer: str
    tracee: str
    allowed: bool


CASES = (
    Case("without_sandbox", (), A, B, True),
    Case("with_one_sandbox", (B,), A, B, True),
    Case("with_nested_sandbox", (OUTER, B), OUTER, B, True),
    Case("deny_with_parent_sandbox", (A,), A, B, False),
    Case("deny_with_nested_and_parent_sandbox", (OUTER, A), A, OUTER, False),
    Case("deny_with_forked_sandbox", (OUTER, A, B), A, B, False),
    Case("deny_with_sibling_sandbox", (A, B), A, B, False),
    Case("with_the_same_sandbox", (OUTER,), A, B, True),
)
by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


_told: dict[int, int] = {}


def begin_child() -> int:
    """Have a child that waits, to be moved by somebody outside, and asks to be traced when told."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(tell)
        os._exit(trial.errno_of(tracing.be_traced) if os.read(told, 1) else 0)
    os.close(told)
    _told[pid] = tell
    return pid


def have_traced(pid: int) -> None:
    """Have the child ask to be traced by us."""
    os.write(_told[pid], b"x")
    if status := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise OSError(status, os.strerror(status))


def end_child(pid: int) -> None:
    os.close(_told.pop(pid))
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def tried(tracer: Member, access: Callable[[int], None], place: Path) -> int:
    """Have a process try something on a child of its own that we have moved into a control group; the errno."""
    pid = tracer.ask(begin_child)
    (place / "cgroup.procs").write_text(str(pid))
    try:
        return tracer.errno(access, pid)
    finally:
        tracer.ask(end_child, pid)


def try_access(function: Callable[[int], None], place: Path) -> None:
    """Try something on a child in a control group."""
    with tracing.child(place) as pid:
        function(pid)


def try_traceme(place: Path) -> None:
    """Have a child in a control group ask to be traced by us."""
    with tracing.child(place, tracing.be_traced) as pid:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise OSError(status, os.strerror(status))


@pytest.fixture
def groups(cgroup: Path) -> Path:
    """A control group with those of GROUPS in it."""
    for name in GROUPS:
        (cgroup / name).mkdir()
    return cgroup


@pytest.fixture
def refusals(groups: Path) -> dict[Callable[[int], None], int]:
    return tracing.refusals(groups)


@by_case
def test_case(case: Case, groups: Path, refusals: dict[Callable[[int], None], int], attach: rule.Attach) -> None:
    with Member(groups / case.tracer) as tracer:
        for name in case.rules:
            attach(cgroup=groups / name, rules=rule.programs("nothing"))
        found = {access: tried(tracer, access, groups / case.tracee) for access in tracing.ACCESSES}
        assert found == (dict.fromkeys(tracing.ACCESSES, 0) if case.allowed else refusals)
        assert tried(tracer, have_traced, groups / case.tracee) == (0 if case.allowed else errno.EPERM)


def test_policies(groups: Path, refusals: dict[Callable[[int], None], int], attach: rule.Attach) -> None:
    """Unlike 2017, they bind tracers as rule programs do."""
    attach(rule.make(Action.MAKE_DIR), cgroup=groups / A)
    with Member(groups / A) as tracer, Member(groups / B) as free:
        assert {access: tried(tracer, access, groups / B) for access in tracing.ACCESSES} == refusals
        assert {access: tried(tracer, access, groups / A) for access in tracing.ACCESSES} == dict.fromkeys(tracing.ACCESSES, 0)
        assert {access: tried(free, access, groups / A) for access in tracing.ACCESSES} == dict.fromkeys(tracing.ACCESSES, 0)
        assert tried(tracer, have_traced, groups / B) == errno.EPERM


def test_process_domain(groups: Path, refusals: dict[Callable[[int], None], int], live: controller.Controller) -> None:
    """Who is in a process domain may trace what was forked there, and nobody else."""
    with live.prepare([], rules=rule.programs("nothing")) as confinement:
        with Member(before=confinement.enter) as tracer, tracing.child(groups / A) as outsider:
            assert {access: tracer.errno(access, outsider) for access in tracing.ACCESSES} == refusals
            found = {access: tracer.errno(try_access, access, groups / A) for access in tracing.ACCESSES}
            assert found == dict.fromkeys(tracing.ACCESSES, 0)
            assert tracer.errno(try_traceme, groups / A) == 0
