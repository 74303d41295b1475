# SPDX-License-Identifier: GPL-2.0-only
"""The C library, for system calls that Python has no function for."""

from __future__ import annotations

import ctypes
import functools

from landlock_bpf import errors

_PR_SET_NO_NEW_PRIVS = 38  # include/uapi/linux/prctl.h


@functools.cache
def library() -> ctypes.CDLL:
    """Give it, once loaded; ctypes.get_errno() tells what a function left in errno."""
    loaded = ctypes.CDLL(None, use_errno=True)
    loaded.mmap.restype = ctypes.c_void_p
    loaded.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
    return loaded


def set_no_new_privs() -> None:
    """Set no_new_privs on this thread, for good."""
    if library().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise errors.KernelError("set", "no_new_privs", ctypes.get_errno())
