# SPDX-License-Identifier: GPL-2.0-only
"""Processor time, in nanoseconds of the clock: waiting is not counted, nor what the kernel does later for nobody."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Sequence

from landlock_bpf import errors


def of_command(words: Sequence[str]) -> float:
    """Give what a command takes, with all that it waits for; Error if it fails."""
    nothing = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1)]
    child = os.posix_spawnp(words[0], list(words), os.environ, file_actions=nothing)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise errors.Error(f"cannot measure {words[0]}: it ended with status {os.waitstatus_to_exitcode(status)}")
    return _sum(usage)


def of_step(step: Callable[[], object]) -> float:
    """Give what a function takes in this process, programs that it starts included."""
    before, children = time.process_time_ns(), resource.getrusage(resource.RUSAGE_CHILDREN)
    step()
    own = time.process_time_ns() - before
    return own + _sum(resource.getrusage(resource.RUSAGE_CHILDREN)) - _sum(children)


def _sum(usage: resource.struct_rusage) -> float:
    # The kernel scales both so that their sum is what was run, to the microsecond.
    return round((usage.ru_utime + usage.ru_stime) * 1e6) * 1e3
