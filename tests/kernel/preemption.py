# SPDX-License-Identifier: GPL-2.0-only
"""Who is interrupted where: on one processor nobody else would do anything in the middle of a call of a hook."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PREEMPTION = Path("/sys/kernel/debug/sched/preempt")


@contextlib.contextmanager
def full() -> Iterator[None]:
    """Have tasks interrupted in the kernel, too (CONFIG_PREEMPT_DYNAMIC)."""
    if not PREEMPTION.exists():
        pytest.skip("absent: PREEMPT_DYNAMIC")
    (before,) = re.findall(r"\((\w+)\)", PREEMPTION.read_text())
    PREEMPTION.write_text("full")
    try:
        yield
    finally:
        PREEMPTION.write_text(before)


@contextlib.contextmanager
def urgent() -> Iterator[None]:
    """Run before all others: whoever has the processor is interrupted, and goes on when this one waits or has done."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
