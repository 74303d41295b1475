# SPDX-License-Identifier: GPL-2.0-only
"""A FUSE filesystem that a member serves gives nothing that the member may not have, where a policy lets it be mounted."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import fuse
import pytest
import rule
from member import Member

from landlock_bpf import action_table
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

SERVED_BY = {"reading": (False, errno.EACCES), "passing_through": (True, errno.EIO)}  # as the kernel has it where open fails


def read_by(place: Path, target: Path, by_path: bool) -> None:
    assert fuse.read_by(place, target, by_path=by_path) == b"text"


@pytest.mark.parametrize("way", SERVED_BY)
def test_served_by_a_member(way: str, tree: Path, cgroup: Path, attach: rule.Attach) -> None:
    subprocess.run(["modprobe", "fuse"], check=True)
    by_path, refused = SERVED_BY[way]
    for name in ("before", "secret", "public"):
        (tree / "mounted" / name).mkdir(parents=True)
        (tree / name / "inner").mkdir(parents=True)
        (tree / name / "inner" / "file").write_text("text")
    with Member(cgroup, before=calls.unshare) as inside:
        assert inside.errno(read_by, tree / "mounted/before", tree / "secret/inner/file", by_path) == 0
        allowed = rule.allow(tree / "mounted", Action.MOUNT)
        attach(
            rule.make(action_table.ALL | Action.MOUNT, rule.deny(tree / "secret", action_table.ALL), allowed, default="allow")
        )
        assert inside.errno(read_by, tree / "mounted/secret", tree / "secret/inner/file", by_path) == refused
        assert inside.errno(read_by, tree / "mounted/public", tree / "public/inner/file", by_path) == 0
