# SPDX-License-Identifier: GPL-2.0-only
"""Members that try flock(2), the hook with the fewest questions: shared.c, exclusive.c and view.c of rules/ deny it."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
from pathlib import Path

from member import Member

from landlock_bpf import rule_request

NO = errno.EPERM
SHARED, EXCLUSIVE = fcntl.LOCK_SH, fcntl.LOCK_EX
ENGINE, LSM_CGROUP, AUTO = rule_request.ATTACH


def times(request: rule_request.Request, count: int) -> rule_request.Request:
    """Give a request with its rule program so many times."""
    return dataclasses.replace(request, layer=dataclasses.replace(request.layer, rules=request.layer.rules * count))


def lock(path: Path, how: int) -> None:
    with path.open() as opened:
        fcntl.flock(opened, how | fcntl.LOCK_NB)


def hammer(path: Path, stop: Path) -> dict[int, int]:
    """Try for shared locks until a file is there; count the errnos."""
    found: dict[int, int] = {}
    with path.open() as opened:
        while not stop.exists():
            for _ in range(100):
                try:
                    fcntl.flock(opened, SHARED | fcntl.LOCK_NB)
                    number = 0
                except OSError as error:
                    number = error.errno or -1
                found[number] = found.get(number, 0) + 1
    return found


def move(cgroup: Path) -> None:
    (cgroup / "cgroup.procs").write_text("0")


def seen(member: Member, path: Path) -> tuple[int, int]:
    """Try both locks; the errno of each."""
    return member.errno(lock, path, SHARED), member.errno(lock, path, EXCLUSIVE)
