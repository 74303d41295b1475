# SPDX-License-Identifier: GPL-2.0-only
"""file_getattr(2) and file_setattr(2), which take a path and open nothing: newer kernels have a hook for each."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import operation
import path_call
import pytest
import rule
from member import Member

from landlock_bpf import controller
from landlock_bpf.abi import Action


def get_attributes(folder: Path) -> None:
    path_call.get_flags(folder / "file")


def set_attributes(folder: Path) -> None:
    path_call.set_flags(folder / "file", 0)


# The latter reads them first.
CALLS = (
    (get_attributes, "inode_file_getattr", Action.FILE_GETATTR),
    (set_attributes, "inode_file_setattr", Action.FILE_SETATTR),
)


@pytest.mark.parametrize(("call", "hook", "action"), CALLS, ids=[row[1] for row in CALLS])
def test_by_path(
    call: Callable[[Path], None], hook: str, action: Action, tree: Path, inside: Member, attach: rule.Attach,
    live: controller.Controller, reported: Callable[[], set[tuple[str, str]]],
) -> None:  # fmt: skip
    secret, twin = operation.populate(tree / "secret"), operation.populate(tree / "twin")
    if inside.errno(call, secret) == errno.ENOSYS:
        pytest.skip(f"absent: {hook}")
    other = ({Action.FILE_GETATTR, Action.FILE_SETATTR} - {action}).pop()
    name = attach(rule.make(action, rule.deny(secret, action), default="allow"))
    assert inside.errno(call, secret) == errno.EACCES
    assert reported() == {(hook, "rule")}
    assert inside.errno(call, twin) == 0
    live.update(name, [rule.make(action, rule.allow(twin, action))])
    assert (inside.errno(call, secret), inside.errno(call, twin)) == (errno.EACCES, 0)
    live.update(name, [rule.make(other, rule.allow(tree, other))])
    assert inside.errno(call, secret) == 0
