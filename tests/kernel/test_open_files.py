# SPDX-License-Identifier: GPL-2.0-only
"""Files that members have open when a policy is put in force: listed where they give what it denies, else it is denied."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import rule
from member import Member

from landlock_bpf import controller, errors
from landlock_bpf.abi import Action

pytestmark = pytest.mark.usefixtures("cleared")


@pytest.mark.parametrize(
    ("denied", "names", "held"),
    [
        (Action.READ_FILE, (), True),
        (Action.READ_FILE, ("*.pem",), True),
        (Action.READ_FILE, ("*.key",), False),
        (Action.WRITE_FILE, (), False),
        (Action.CHMOD, (), False),
        (Action.MAKE_DIR, (), False),
    ],
)
def test_what_members_have_open(
    denied: Action, names: tuple[str, ...], held: bool, tree: Path, cgroup: Path, inside: Member, live: controller.Controller
) -> None:
    path = tree / "x.pem"
    path.write_text("x")
    fd = inside.ask(os.open, path, os.O_RDONLY)
    wanted = rule.make(denied, rule.deny(tree, denied, *names), default="allow")
    if held:
        with pytest.raises(errors.BusyError, match=r"x\.pem"):
            live.attach("test", [wanted], cgroup, strict=True)
    domain = live.attach("test", [wanted], cgroup, strict=not held)
    assert [each.path for each in domain.held if each.fd == fd] == [str(path)] * held
    assert inside.errno(os.open, path, os.O_RDONLY) == (errno.EACCES if held else 0)
    assert inside.ask(os.pread, fd, 1, 0) == b"x"
    assert inside.errno(os.fchmod, fd, 0o600) == (errno.EACCES if denied == Action.CHMOD else 0)
