# SPDX-License-Identifier: GPL-2.0-only
"""Where the engine and the landlock system calls are known to differ: rows with their reasons, asked of the running kernel."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import chance

from landlock_bpf import landlock

# security/landlock/errata/abi-1.h
DISCONNECTED = 1 << 2


@dataclasses.dataclass(frozen=True)
class Difference:
    """A word of test_fuzz.Stage.play() that is said of upstream, or else of the engine, where this holds."""

    word: str
    upstream: bool
    reason: str
    holds: Callable[[], bool]
    matters: Callable[[chance.Case], bool]


DIFFERENCES = (
    Difference(
        "reconnects",
        True,
        "upstream goes on from the root of the mount where a directory was moved out of it; we deny what has no way up",
        lambda: bool(landlock.errata() & DISCONNECTED),
        lambda case: any(step.kind == chance.BIND for step in case.steps),
    ),
    Difference(
        "split",
        False,
        "the control group's domain is asked first, then the process's: EXDEV of the first goes before EACCES of the second",
        lambda: True,
        lambda case: 0 < case.process < len(case.layers),
    ),
    Difference(
        "guards",
        False,
        "no block device is opened in a domain without a rule of its own: what is denied on its filesystem is there to be read",
        lambda: True,
        lambda case: any(step.kind == "block" for step in case.steps) or any(each.word == "block" for each in case.operations),
    ),
    Difference(
        "swaps",
        False,
        "no file is opened for swapping without open_block: so swapon(2) opens one, with O_EXCL and without O_CREAT",
        lambda: True,
        lambda case: any(each.flags & os.O_EXCL for each in case.operations),
    ),
    Difference(
        "commands",
        False,
        "a file opened by access mode 3, which is for commands alone, is opened to be read and written: so the kernel has it",
        lambda: True,
        lambda case: any(os.O_ACCMODE in (each.flags & os.O_ACCMODE, each.flags2 & os.O_ACCMODE) for each in case.operations),
    ),
)


def words(case: chance.Case, *, upstream: bool) -> dict[str, bool]:
    """Give what Stage.play() is to be told of one of the two sides."""
    return {row.word: True for row in DIFFERENCES if row.upstream == upstream and row.matters(case) and row.holds()}
