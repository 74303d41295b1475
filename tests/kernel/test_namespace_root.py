# SPDX-License-Identifier: GPL-2.0-only
"""A mount namespace whose root is a mount beneath a denial: no way leads above it there, and the denial holds all the same."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import operation
import pytest
import rule
from member import Member

from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

READ, WRITE = Action.READ_FILE, Action.WRITE_FILE
FILE = "/file"


@pytest.fixture
def mounted(tree: Path) -> Iterator[Path]:
    """A filesystem of its own in a folder to be denied."""
    point = tree / "denied" / "mounted"
    point.mkdir(parents=True)
    calls.mount("none", point, "tmpfs")
    (point / "old").mkdir()
    (point / "file").write_text("")
    yield point
    calls.umount(point, calls.MNT_DETACH)


@pytest.fixture
def rooted(cgroup: Path, mounted: Path) -> Iterator[Member]:
    """A member whose root is that filesystem's, as open_tree(OPEN_TREE_NAMESPACE) and setns(2) make it since 7.3."""

    def prepare() -> None:
        calls.unshare()
        calls.pivot_root(mounted, mounted / "old")
        os.chdir("/")
        calls.umount(Path("/old"), calls.MNT_DETACH)

    with Member(cgroup, before=prepare) as started:
        yield started


def test_a_denial_above_holds(attach: rule.Attach, rooted: Member, tree: Path) -> None:
    assert rooted.errno(operation.touch, FILE, os.O_RDONLY) == 0
    attach(rule.make(READ, rule.deny(tree / "denied", READ), default="allow"))
    assert rooted.errno(operation.touch, FILE, os.O_RDONLY) == errno.EACCES
    assert rooted.errno(operation.touch, FILE, os.O_WRONLY) == 0


def test_a_nearer_permission_holds(attach: rule.Attach, rooted: Member, tree: Path, mounted: Path) -> None:
    denied = rule.deny(tree / "denied", READ | WRITE)
    attach(rule.make(READ | WRITE, denied, rule.allow(mounted, READ), default="allow"))
    assert rooted.errno(operation.touch, FILE, os.O_RDONLY) == 0
    assert rooted.errno(operation.touch, FILE, os.O_WRONLY) == errno.EACCES


def test_what_is_mounted_in_the_open_too_is_left_alone(attach: rule.Attach, inside: Member, tree: Path, mounted: Path) -> None:
    (tree / "open").mkdir()
    calls.mount(mounted, tree / "open", flags=calls.MS_BIND)
    try:
        attach(rule.make(READ, rule.deny(tree / "denied", READ), default="allow"))
        assert inside.errno(operation.touch, tree / "open" / "file", os.O_RDONLY) == 0
        assert inside.errno(operation.touch, mounted / "file", os.O_RDONLY) == errno.EACCES
    finally:
        calls.umount(tree / "open")
