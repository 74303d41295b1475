# SPDX-License-Identifier: GPL-2.0-only
"""System calls that Python has no function for."""

from __future__ import annotations

import ctypes
import os

from landlock_bpf import errors

# include/uapi/linux/membarrier.h
MEMBARRIER_CMD_QUERY, MEMBARRIER_CMD_GLOBAL = 0, 1

# arch/x86/entry/syscalls/syscall_64.tbl; all newer architectures share include/uapi/asm-generic/unistd.h.
_MEMBARRIER = {"x86_64": 324}.get(os.uname().machine, 283)

_libc = ctypes.CDLL(None, use_errno=True)


def membarrier(command: int) -> int:
    """Call membarrier(2): MEMBARRIER_CMD_GLOBAL returns after an RCU grace period, MEMBARRIER_CMD_QUERY gives a mask.

    On a CPU isolated by nohz_full the kernel answers EINVAL to the first (kernel/sched/membarrier.c).
    """
    result = _libc.syscall(ctypes.c_long(_MEMBARRIER), ctypes.c_int(command), ctypes.c_uint(0), ctypes.c_int(0))
    if result < 0:
        raise errors.KernelError("wait for a grace period with", "membarrier", ctypes.get_errno())
    return int(result)
