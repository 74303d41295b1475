# SPDX-License-Identifier: GPL-2.0-only
"""Mounts stay as they are in a domain that rules on any action: EPERM for each change of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import filesystem
import pytest
import rule
from member import Member

from landlock_bpf import action_table, controller
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls


def mount(top: Path) -> None:
    calls.mount("none", top / "empty", "tmpfs")


def bind(top: Path) -> None:
    calls.mount(top / "mounted", top / "empty", flags=calls.MS_BIND)


def remount(top: Path) -> None:
    calls.mount("none", top / "mounted", flags=calls.MS_REMOUNT | calls.MS_RDONLY)


def remount_bind(top: Path) -> None:
    calls.mount("none", top / "mounted", flags=calls.MS_REMOUNT | calls.MS_BIND | calls.MS_RDONLY)


def propagate(top: Path) -> None:
    calls.mount("none", top / "mounted", flags=calls.MS_SHARED)


def umount(top: Path) -> None:
    calls.umount(top / "mounted")


def umount_lazily(top: Path) -> None:
    calls.umount(top / "mounted", calls.MNT_DETACH)


def move_mount(top: Path) -> None:
    detached = calls.open_tree(top / "mounted", calls.OPEN_TREE_CLONE)
    try:
        calls.move_mount(detached, top / "empty")
    finally:
        os.close(detached)


def pivot_root(top: Path) -> None:
    calls.pivot_root(top / "mounted", top / "mounted" / "old")


CHANGES = (mount, bind, remount, remount_bind, propagate, umount, umount_lazily, move_mount, pivot_root)
by_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


@pytest.fixture
def own(cgroup: Path, tree: Path) -> Member:
    """A member in a mount namespace of its own, with a tmpfs mounted there."""
    with Member(cgroup, before=lambda: filesystem.unshare(tree)) as started:
        yield started


@by_change
def test_in_no_domain(change: Callable[[Path], None], own: Member, tree: Path) -> None:
    assert own.errno(change, tree) == 0


@by_change
def test_in_a_domain(change: Callable[[Path], None], own: Member, tree: Path, attach: rule.Attach) -> None:
    attach(rule.make(Action.MAKE_SOCK, rule.allow("/", Action.MAKE_SOCK)))
    assert own.errno(change, tree) == errno.EPERM


def test_another_domain_does_not_matter(own: Member, tree: Path, attach: rule.Attach, cgroup: Path) -> None:
    (cgroup / "inner").mkdir()
    attach(rule.make(action_table.ALL), cgroup=cgroup / "inner")
    assert own.errno(umount, tree) == 0


def test_both_directories_of_a_new_root(own: Member, tree: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """What the old root is mounted on is covered by it."""
    allowed = rule.allow(tree, Action.MOUNT)
    name = attach(rule.make(Action.MOUNT, allowed, rule.deny(tree, Action.MOUNT, "old"), default="allow"))
    assert own.errno(pivot_root, tree) == errno.EPERM
    live.update(name, [rule.make(Action.MOUNT, allowed, rule.deny(tree, Action.MOUNT, "other"), default="allow")])
    assert own.errno(pivot_root, tree) == 0
