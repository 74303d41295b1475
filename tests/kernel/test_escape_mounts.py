# SPDX-License-Identifier: GPL-2.0-only
"""Mounts at the places by which commands find the engine, its records and the cgroups: none is changed for anybody outside.

What stands for the host is a mount namespace with a process in it that is in no domain. A member there, whose policy allows
mounts everywhere, is refused; in a namespace of its own it may do the same, and the process outside may do it where it is.
"""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import filesystem
import pytest
import rule
import way
from member import Member

from landlock_bpf import approach
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

ROOT, RUN, SYS = Path("/"), Path("/run"), Path("/sys")
MS_MOVE, MS_SLAVE = 0x2000, 0x80000
MOVE_MOUNT_BENEATH = 0x200


def cover(place: Path, _top: Path) -> None:
    calls.mount("none", place, "tmpfs")


def bind_over(place: Path, top: Path) -> None:
    calls.mount(top, place, flags=calls.MS_BIND)


def unmount(place: Path, _top: Path) -> None:
    calls.umount(place, calls.MNT_DETACH)


def make_read_only(place: Path, _top: Path) -> None:
    calls.mount("none", place, flags=calls.MS_REMOUNT | calls.MS_BIND | calls.MS_RDONLY)


def move_away(place: Path, top: Path) -> None:
    calls.mount(place, top / "empty", flags=MS_MOVE)


def move_away_by_descriptor(place: Path, top: Path) -> None:
    move(place, top / "empty", 0)


def move_over(place: Path, top: Path) -> None:
    move(top / "mounted", place, calls.OPEN_TREE_CLONE)


def move_beneath(place: Path, top: Path) -> None:
    move(top / "mounted", place, calls.OPEN_TREE_CLONE, MOVE_MOUNT_BENEATH)


def pivot_root(_place: Path, top: Path) -> None:
    calls.pivot_root(top / "mounted", top / "mounted" / "old")


def move(source: Path, target: Path, tree_flags: int, flags: int = 0) -> None:
    opened = calls.open_tree(source, tree_flags)
    try:
        words = opened, b"", calls.AT_FDCWD, os.fsencode(target), flags | calls.MOVE_MOUNT_F_EMPTY_PATH
        calls.system_call(calls.SYS_MOVE_MOUNT, *words)
    finally:
        os.close(opened)


@dataclasses.dataclass(frozen=True)
class Row:
    """A trick, where it is done, and the hook that refuses it."""

    run: Callable[[Path, Path], None]
    place: Path
    hook: str

    def __str__(self) -> str:
        return f"{self.run.__name__}-{self.place}"


TRICKS = (
    *(Row(cover, place, "sb_mount") for place in (RUN, SYS, SYS / "fs", approach.PROC, approach.PROC / "1", ROOT)),
    Row(bind_over, RUN, "sb_mount"),
    Row(make_read_only, RUN, "sb_mount"),
    Row(move_away, RUN, "sb_mount"),
    *(Row(unmount, place, "sb_umount") for place in (RUN, SYS, approach.PROC)),
    *(Row(run, RUN, "move_mount") for run in (move_away_by_descriptor, move_over, move_beneath)),
    Row(pivot_root, ROOT, "sb_pivotroot"),
)


@pytest.fixture
def host(tree: Path) -> Iterator[Member]:
    """A process in no domain, in a mount namespace where what a test spoils is nobody else's."""
    with Member(before=lambda: filesystem.unshare(tree)) as started:
        yield started


def enter(host: Member) -> None:
    calls.check(calls.libc.setns(os.pidfd_open(host.pid), calls.CLONE_NEWNS))


@pytest.fixture
def bound(host: Member, cgroup: Path, attach: rule.Attach) -> Iterator[Member]:
    """A member in the same mount namespace, whose policy allows mounts everywhere."""
    with Member(cgroup, before=lambda: enter(host)) as started:
        attach(rule.make(Action.MOUNT, rule.allow("/", Action.MOUNT)))
        yield started


@pytest.mark.parametrize("row", TRICKS, ids=str)
def test_by_one_among_others(
    row: Row, host: Member, bound: Member, tree: Path, reported: Callable[[], set[tuple[str, str]]]
) -> None:
    assert bound.errno(row.run, row.place, tree) == errno.EPERM
    assert reported() == {(row.hook, "domain")}
    bound.ask(calls.unshare)
    assert bound.errno(row.run, row.place, tree) == 0
    assert host.errno(row.run, row.place, tree) == 0
    assert reported() == set()


def share() -> None:
    calls.mount("none", ROOT, flags=calls.MS_REC | calls.MS_SHARED)


@pytest.mark.parametrize(
    "row", [row for row in TRICKS if row.place in (RUN, SYS) and row.run in (cover, unmount, move_over)], ids=str
)
def test_by_one_whose_mounts_spread(row: Row, host: Member, bound: Member, tree: Path) -> None:
    """In a namespace of its own, but what it mounts there would be there for those outside as well."""
    host.ask(share)
    bound.ask(calls.unshare_mounts)
    assert bound.errno(row.run, row.place, tree) == errno.EPERM
    before = host.ask(os.stat, row.place)
    with Member(before=lambda: enter(host)) as free:
        free.ask(calls.unshare_mounts)
        assert free.errno(row.run, row.place, tree) == 0
    assert host.ask(os.stat, row.place) != before


def beneath_a_private_one(place: Path, top: Path) -> None:
    """What comes beneath it is mounted on the directory where it is, and spreads with what that is on."""
    calls.mount("none", place, flags=calls.MS_PRIVATE)
    move_beneath(place, top)


def test_beneath_a_mount_that_does_not_spread(host: Member, bound: Member, tree: Path) -> None:
    host.ask(share)
    bound.ask(calls.unshare_mounts)
    assert bound.errno(beneath_a_private_one, RUN, tree) == errno.EPERM
    with Member(before=lambda: enter(host)) as free:
        free.ask(calls.unshare_mounts)
        assert free.errno(beneath_a_private_one, RUN, tree) == 0


def make_slave() -> None:
    calls.mount("none", ROOT, flags=calls.MS_REC | MS_SLAVE)


def test_one_that_no_longer_shares_its_mounts(host: Member, bound: Member, tree: Path) -> None:
    """As containers begin: what is mounted outside comes in, and nothing gets out."""
    host.ask(share)
    bound.ask(calls.unshare_mounts)
    assert bound.errno(make_slave) == 0
    before = host.ask(os.stat, RUN)
    assert bound.errno(cover, RUN, tree) == 0
    assert host.ask(os.stat, RUN) == before


def test_the_same_directory_in_another_place(bound: Member, tree: Path) -> None:
    """By what is mounted elsewhere nobody comes to the engine."""
    there = tree / "empty"
    assert bound.errno(bind_over, there, RUN) == 0
    assert bound.errno(cover, there, tree) == 0
    assert bound.errno(unmount, there, tree) == 0
    assert bound.errno(unmount, there, tree) == 0


def test_another_directory_that_is_shared(host: Member, bound: Member, tree: Path) -> None:
    host.ask(share)
    assert bound.errno(cover, tree / "empty", tree) == 0


def test_a_peer_of_its_mount_in_another_place(host: Member, bound: Member, tree: Path) -> None:
    """What is mounted on it is mounted on what it was made of."""
    host.ask(share)
    there = tree / "empty"
    assert bound.errno(bind_over, there, RUN) == 0
    assert bound.errno(cover, there, tree) == errno.EPERM
    before = host.ask(os.stat, RUN)
    assert host.errno(cover, there, tree) == 0
    assert host.ask(os.stat, RUN) != before


@pytest.mark.parametrize("spoil", [way.remove_dir, way.rename])
def test_the_directory_beneath_a_mount(
    spoil: Callable[[Path], None], tree: Path, cgroup: Path, attach: rule.Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gone in a namespace where nothing is mounted on it, the mount is gone for others."""
    point = tree / "around" / "point"
    point.mkdir(parents=True)
    calls.mount("none", point, "tmpfs")
    monkeypatch.setattr(approach, "PROC", point)
    try:
        with Member(cgroup, before=calls.unshare) as bound, Member(before=calls.unshare) as free:
            attach(rule.make(Action.MOUNT, rule.allow("/", Action.MOUNT)))
            for each in (bound, free):
                assert each.errno(unmount, point, tree) == 0
            assert bound.errno(spoil, point) == errno.EPERM
            assert bound.errno(way.rename, point.parent) == errno.EPERM
            assert point.is_mount()
            assert free.errno(spoil, point) == 0
            assert not point.is_mount()
    finally:
        if point.is_mount():
            calls.umount(point)


def test_the_filesystem_of_the_records_made_read_only(host: Member, bound: Member) -> None:
    """For all mounts of it, whatever the namespace."""
    bound.ask(calls.unshare)
    assert bound.errno(calls.mount, "none", RUN, "", calls.MS_REMOUNT) == errno.EPERM
    assert host.errno(calls.mount, "none", RUN, "", calls.MS_REMOUNT) == 0
