# SPDX-License-Identifier: GPL-2.0-only
"""Rule programs that are asked of flock(2) alone, the hook with the fewest questions, and members that try it."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
from collections.abc import Callable
from pathlib import Path

import rule
from member import Member

from landlock_bpf import rule_request

NO = errno.EPERM
SHARED, EXCLUSIVE = fcntl.LOCK_SH, fcntl.LOCK_EX
BEFORE = """\
#include <uapi/linux/bpf.h>
#include <uapi/linux/fcntl.h>
#include "bpf_helpers.h"
"""
RULE = """
SEC("landlock1")
static int decide(struct landlock_context *ctx)
{
	return %s;
}

SEC("subtype")
static const union bpf_prog_subtype _subtype = {
	.landlock_rule = { .abi = 1, .event = LANDLOCK_SUBTYPE_EVENT_FS_LOCK },
};

SEC("license")
static const char _license[] = "GPL";
"""
# What a rule program denies, as C says it: security_file_lock() is given the type of the lock, F_RDLCK 0 or F_WRLCK 1.
SAYS = {
    "shared": RULE % "ctx->arg2 == 0",
    "exclusive": RULE % "ctx->arg2 == 1",
    "nothing": RULE % "0",
    "view": "LANDLOCK_FSVIEW(trees, 4);\n" + RULE % "bpf_fsview_lookup(&trees, (void *)ctx->arg1) != LANDLOCK_MARK_RW",
}
ENGINE, LSM_CGROUP, AUTO = rule_request.ATTACH

Compiled = Callable[..., rule_request.Request]


def compile_into(folder: Path) -> Compiled:
    """Give a function that compiles rule programs by the names of what they deny."""

    def make(*names: str, **options: object) -> rule_request.Request:
        for name in names:
            (folder / f"{name}.c").write_text(BEFORE + SAYS[name])
        return rule.programs(*(folder / f"{name}.c" for name in names), **options)  # type: ignore[arg-type]

    return make


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
