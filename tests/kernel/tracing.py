# SPDX-License-Identifier: GPL-2.0-only
"""What asks the kernel whether a process may trace another one, and children to be traced."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import trial
from member import Member
from operation import check

from landlock_bpf.compare import programs

PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_DETACH = 0, 16, 17
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
CAPABILITY_VERSION = 0x20080522
CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON = 19, 21, 38

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


@contextlib.contextmanager
def child(place: Path, function: Callable[[], object] = signal.pause) -> Iterator[int]:
    """Have a child in a control group, that calls a function; its end is the end of the block."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            (place / "cgroup.procs").write_text("0")
            os.write(told, b"1")
            status = trial.errno_of(function)
        finally:
            os._exit(status)
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
    check(_libc.ptrace(PTRACE_DETACH, pid, None, None))  # else its parent could not wait for it


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

    programs.in_child(run)


def read_link(pid: int) -> None:
    os.readlink(f"/proc/{pid}/cwd")


def read_memory(pid: int) -> None:
    variable = ctypes.c_int.in_dll(ctypes.pythonapi, "Py_OptimizeFlag")  # at the same address in every fork
    here = (ctypes.c_size_t * 2)(ctypes.addressof(variable), 4)
    check(_libc.process_vm_readv(pid, here, ctypes.c_ulong(1), here, ctypes.c_ulong(1), ctypes.c_ulong(0)))


def take_descriptor(pid: int) -> None:
    pidfd = check(_libc.syscall(SYS_PIDFD_OPEN, pid, 0))
    check(_libc.syscall(SYS_PIDFD_GETFD, pidfd, 0, 0))


# What asks the kernel the same as ptrace(2).
ACCESSES = (attach_to, open_memory, read_environment, read_link, read_memory, take_descriptor)


def lose_ptrace() -> None:
    """Without this capability the kernel itself lets nobody trace those who have more of them."""
    lose(CAP_SYS_PTRACE)


def refusals(place: Path) -> dict[Callable[[int], None], int]:
    """Tell what each access gives where the kernel itself refuses it, by the same hook, in a control group without domain."""
    with Member(before=lose_ptrace) as weak, child(place) as pid:
        found = {access: weak.errno(access, pid) for access in ACCESSES}
    assert set(found.values()) <= {errno.EPERM, errno.EACCES}
    return found
