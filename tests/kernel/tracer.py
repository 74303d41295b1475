# SPDX-License-Identifier: GPL-2.0-only
"""A tracer that runs a function in a child, and kills it before the Nth system call that may change anything."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

# include/uapi/linux/ptrace.h
PTRACE_TRACEME, PTRACE_SYSCALL, PTRACE_SETOPTIONS, PTRACE_GET_SYSCALL_INFO = 0, 24, 0x4200, 0x420E
PTRACE_O_TRACESYSGOOD, PTRACE_O_EXITKILL = 1, 1 << 20
PTRACE_SYSCALL_INFO_ENTRY = 1
STOPPED_BY_SYSCALL = signal.SIGTRAP | 0x80

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


class SyscallInfo(ctypes.Structure):
    """struct ptrace_syscall_info at an entry."""

    _fields_ = [
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("nr", ctypes.c_uint64),
        ("args", ctypes.c_uint64 * 6),
    ]


def run(function: Callable[[], object], last: int) -> bool:
    """Call a function in a child that is killed before its change number `last`; whether it came to its end before that."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _libc.ptrace(PTRACE_TRACEME, 0, None, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            function()
            status = 0
        finally:
            os._exit(status)
    os.waitpid(pid, 0)
    _call(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)
    changes, passed_on = 0, 0
    while True:
        _call(PTRACE_SYSCALL, pid, 0, passed_on)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            assert status == 0, f"it failed by itself: {status:#x}"
            return True
        passed_on = 0
        if os.WSTOPSIG(status) != STOPPED_BY_SYSCALL:
            passed_on = os.WSTOPSIG(status)
        elif _is_change(pid):
            changes += 1
            if changes == last:
                os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                assert os.WIFSIGNALED(status)
                return False


def _is_change(pid: int) -> bool:
    """Whether a stopped process is about to do a system call that may change something."""
    info = SyscallInfo()
    _call(PTRACE_GET_SYSCALL_INFO, pid, ctypes.sizeof(info), ctypes.addressof(info))
    if info.op != PTRACE_SYSCALL_INFO_ENTRY:
        return False
    if info.nr == BPF:
        return info.args[0] not in LOOKS
    if info.nr == OPENAT:
        return bool(info.args[2] & (os.O_CREAT | os.O_TRUNC))
    return info.nr in CHANGES


def _call(request: int, pid: int, address: int, data: int) -> None:
    if _libc.ptrace(request, pid, address, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace request {request}")
