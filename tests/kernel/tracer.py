# SPDX-License-Identifier: GPL-2.0-only
"""A tracer that runs a function in a child, and kills it before the Nth system call that may change anything.

A seccomp filter in the child finds these: to stop it at every system call would take most of a test's time.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Callable, Iterator

# include/uapi/linux/ptrace.h, prctl.h and seccomp.h
PTRACE_TRACEME, PTRACE_CONT, PTRACE_SETOPTIONS = 0, 7, 0x4200
PTRACE_O_TRACESECCOMP, PTRACE_O_EXITKILL = 1 << 7, 1 << 20
STOPPED_BY_FILTER = signal.SIGTRAP | 7 << 8
PR_SET_SECCOMP, MODE_FILTER = 22, 2
RET_TRACE, RET_ALLOW = 0x7FF00000, 0x7FFF0000
# include/uapi/linux/bpf_common.h: a load of a word, jumps, and the end
LD, JEQ, JSET, RET = 0x20, 0x15, 0x45, 0x06
NUMBER, ARGUMENTS = 0, 16  # offsets in struct seccomp_data

# arch/x86/entry/syscalls/syscall_64.tbl
BPF, OPENAT = 321, 257
CHANGES = {
    1: "write",
    77: "ftruncate",
    82: "rename",
    83: "mkdir",
    84: "rmdir",
    87: "unlink",
    258: "mkdirat",
    263: "unlinkat",
    264: "renameat",
    316: "renameat2",
}
# include/uapi/linux/bpf.h, enum bpf_cmd: those that only look
LOOKS = {1: "lookup", 4: "get next key", 7: "obj get", 12: "next map id", 15: "info", 24: "lookup batch", 33: "iter create"}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def run(function: Callable[[], object], last: int) -> bool:
    """Call a function in a child that is killed before its change number `last`; whether it came to its end before that."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _libc.ptrace(PTRACE_TRACEME, 0, None, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            _stop_at_changes()
            function()
            status = 0
        finally:
            os._exit(status)
    os.waitpid(pid, 0)
    _call(PTRACE_SETOPTIONS, pid, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)
    changes, passed_on = 0, 0
    while True:
        _call(PTRACE_CONT, pid, passed_on)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            assert status == 0, f"it failed by itself: {status:#x}"
            return True
        passed_on = 0
        if status >> 8 != STOPPED_BY_FILTER:
            passed_on = os.WSTOPSIG(status)
            continue
        changes += 1
        if changes == last:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            assert os.WIFSIGNALED(status)
            return False


def _stop_at_changes() -> None:
    """Have this process stop before each system call that may change something."""
    code = list(_filter())
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in code))
    program = struct.pack("@HP", len(code), ctypes.addressof(instructions))
    if _libc.prctl(PR_SET_SECCOMP, MODE_FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _filter() -> Iterator[tuple[int, int, int, int]]:
    """Give classic BPF: code, how far to jump where that holds and where not, and the word."""
    yield LD, 0, 0, NUMBER
    yield JEQ, 0, len(LOOKS) + 3, BPF
    yield LD, 0, 0, ARGUMENTS
    for left, look in enumerate(reversed(LOOKS)):
        yield JEQ, len(LOOKS) - left, 0, look
    yield RET, 0, 0, RET_TRACE
    yield RET, 0, 0, RET_ALLOW
    yield JEQ, 0, 4, OPENAT
    yield LD, 0, 0, ARGUMENTS + 2 * 8
    yield JSET, 0, 1, os.O_CREAT | os.O_TRUNC
    yield RET, 0, 0, RET_TRACE
    yield RET, 0, 0, RET_ALLOW
    for number in CHANGES:
        yield JEQ, 0, 1, number
        yield RET, 0, 0, RET_TRACE
    yield RET, 0, 0, RET_ALLOW


def _call(request: int, pid: int, data: int) -> None:
    if _libc.ptrace(request, pid, 0, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace request {request}")
