# SPDX-License-Identifier: GPL-2.0-only
"""The C library, for system calls that Python has no function for."""

from __future__ import annotations

import ctypes
import functools


@functools.cache
def library() -> ctypes.CDLL:
    """Give it, once loaded; ctypes.get_errno() tells what a function left in errno."""
    return ctypes.CDLL(None, use_errno=True)
