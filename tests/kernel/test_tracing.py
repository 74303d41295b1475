# SPDX-License-Identifier: GPL-2.0-only
"""Whom a task in a domain may trace: those that are in all of its domains. The seven cases of 2017, and more."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import os
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rule
import trial
from member import Member
from operation import check

from landlock_bpf import controller
from landlock_bpf.abi import Action

PTRACE_TRACEME, PTRACE_ATTACH = 0, 16
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
CAPABILITY_VERSION = 0x20080522
CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON = 19, 21, 38
GROUPS = ("outer", "outer/a", "outer/b")
# The same rule in each: programs loaded twice are two.
OUTER, A, B = GROUPS

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


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


@contextlib.contextmanager
def child(place: Path, function: Callable[[], object] = signal.pause) -> Iterator[int]:
    """Have a child in a control group, that calls a function; its end is the end of the block."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        (place / "cgroup.procs").write_text("0")
        os.write(told, b"1")
        os._exit(trial.errno_of(lambda: function()))
    os.close(told)
    os.read(ready, 1)
    os.close(ready)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def attach_to(pid: int) -> None:
    check(_libc.ptrace(PTRACE_ATTACH, pid, None, None))
    os.waitpid(pid, 0)


def be_traced() -> None:
    check(_libc.ptrace(PTRACE_TRACEME, 0, None, None))


def open_memory(pid: int) -> None:
    os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))


def lose(*capabilities: int) -> None:
    """Give up capabilities for good."""
    header, words = struct.pack("=Ii", CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    check(_libc.capget(header, words))
    for each in capabilities:
        word = each // 32 * 3
        words[word] &= ~(1 << each % 32)  # effective
        words[word + 1] &= ~(1 << each % 32)  # permitted
    check(_libc.capset(header, words))


def read_environment(pid: int) -> None:
    def run() -> None:
        # With one of these a newer kernel asks nobody (may_access_mm() in kernel/fork.c).
        lose(CAP_SYS_ADMIN, CAP_PERFMON)
        Path(f"/proc/{pid}/environ").read_bytes()

    trial.in_child(run)


def read_link(pid: int) -> None:
    os.readlink(f"/proc/{pid}/cwd")


def read_memory(pid: int) -> None:
    here = (ctypes.c_size_t * 2)(ctypes.addressof(ctypes.create_string_buffer(8)), 8)
    # Our own address: it is a fork.
    check(_libc.process_vm_readv(pid, here, ctypes.c_ulong(1), here, ctypes.c_ulong(1), ctypes.c_ulong(0)))


def take_descriptor(pid: int) -> None:
    pidfd = check(_libc.syscall(SYS_PIDFD_OPEN, pid, 0))
    check(_libc.syscall(SYS_PIDFD_GETFD, pidfd, 0, 0))


# What asks the kernel the same as ptrace(2).
ACCESSES = (attach_to, open_memory, read_environment, read_link, read_memory, take_descriptor)


_told: dict[int, int] = {}


def begin_child() -> int:
    """Have a child that waits, to be moved by somebody outside, and asks to be traced when told."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(tell)
        os._exit(trial.errno_of(be_traced) if os.read(told, 1) else 0)
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


def lose_ptrace() -> None:
    """Without this capability the kernel itself lets nobody trace those who have more of them."""
    lose(CAP_SYS_PTRACE)


def try_access(function: Callable[[int], None], place: Path) -> None:
    """Try something on a child in a control group."""
    with child(place) as pid:
        function(pid)


def try_traceme(place: Path) -> None:
    """Have a child in a control group ask to be traced by us."""
    with child(place, be_traced) as pid:
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
    """What each access gives where the kernel itself refuses it, by the same hook."""
    with Member(before=lose_ptrace) as weak, child(groups) as pid:
        found = {access: weak.errno(access, pid) for access in ACCESSES}
    assert set(found.values()) <= {errno.EPERM, errno.EACCES}
    return found


@by_case
def test_case(case: Case, groups: Path, refusals: dict[Callable[[int], None], int], attach: rule.Attach) -> None:
    with Member(groups / case.tracer) as tracer:
        for name in case.rules:
            attach(cgroup=groups / name, rules=rule.programs("nothing"))
        found = {access: tried(tracer, access, groups / case.tracee) for access in ACCESSES}
        assert found == (dict.fromkeys(ACCESSES, 0) if case.allowed else refusals)
        assert tried(tracer, have_traced, groups / case.tracee) == (0 if case.allowed else errno.EPERM)


def test_policies(groups: Path, refusals: dict[Callable[[int], None], int], attach: rule.Attach) -> None:
    """Unlike 2017, they bind tracers as rule programs do."""
    attach(rule.make(Action.MAKE_DIR), cgroup=groups / A)
    with Member(groups / A) as tracer, Member(groups / B) as free:
        assert {access: tried(tracer, access, groups / B) for access in ACCESSES} == refusals
        assert {access: tried(tracer, access, groups / A) for access in ACCESSES} == dict.fromkeys(ACCESSES, 0)
        assert {access: tried(free, access, groups / A) for access in ACCESSES} == dict.fromkeys(ACCESSES, 0)
        assert tried(tracer, have_traced, groups / B) == errno.EPERM


def test_process_domain(groups: Path, refusals: dict[Callable[[int], None], int], live: controller.Controller) -> None:
    """Who is in a process domain may trace what was forked there, and nobody else."""
    with live.prepare([], rules=rule.programs("nothing")) as confinement:
        with Member(before=confinement.enter) as tracer, child(groups / A) as outsider:
            assert {access: tracer.errno(access, outsider) for access in ACCESSES} == refusals
            found = {access: tracer.errno(try_access, access, groups / A) for access in ACCESSES}
            assert found == dict.fromkeys(ACCESSES, 0)
            assert tracer.errno(try_traceme, groups / A) == 0
