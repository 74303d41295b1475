# SPDX-License-Identifier: GPL-2.0-only
"""Waiting for a condition with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 30.0  # for what the kernel does in its own time, on a slow emulated processor


def until(condition: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Wait for a condition; AssertionError at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.002)
