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

from landlock_bpf import hooks
from landlock_bpf.abi import Action


def mount(top: Path) -> None:
    filesystem.mount("none", top / "empty", "tmpfs")


def bind(top: Path) -> None:
    filesystem.mount(top / "mounted", top / "empty", flags=filesystem.MS_BIND)


def remount(top: Path) -> None:
    filesystem.mount("none", top / "mounted", flags=filesystem.MS_REMOUNT | filesystem.MS_RDONLY)


def remount_bind(top: Path) -> None:
    filesystem.mount("none", top / "mounted", flags=filesystem.MS_REMOUNT | filesystem.MS_BIND | filesystem.MS_RDONLY)


def propagate(top: Path) -> None:
    filesystem.mount("none", top / "mounted", flags=filesystem.MS_SHARED)


def umount(top: Path) -> None:
    filesystem.umount(top / "mounted")


def umount_lazily(top: Path) -> None:
    filesystem.umount(top / "mounted", filesystem.MNT_DETACH)


def move_mount(top: Path) -> None:
    detached = filesystem.open_tree(top / "mounted", filesystem.OPEN_TREE_CLONE)
    try:
        filesystem.move_mount(detached, top / "empty")
    finally:
        os.close(detached)


def pivot_root(top: Path) -> None:
    filesystem.pivot_root(top / "mounted", top / "mounted" / "old")


CHANGES = (mount, bind, remount, remount_bind, propagate, umount, umount_lazily, move_mount, pivot_root)
by_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


@pytest.fixture
def own(cgroup: Path, tree: Path) -> Member:
    """A member in a mount namespace of its own, with a tmpfs mounted there."""
    for name in ("empty", "mounted"):
        (tree / name).mkdir()

    def prepare() -> None:
        filesystem.unshare()
        filesystem.mount("none", tree / "mounted", "tmpfs")
        (tree / "mounted" / "old").mkdir()

    with Member(cgroup, before=prepare) as started:
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
    attach(rule.make(hooks.ALL), cgroup=cgroup / "inner")
    assert own.errno(umount, tree) == 0
