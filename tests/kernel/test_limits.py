# SPDX-License-Identifier: GPL-2.0-only
"""The stated limits: up to them all works, beyond there is an error before anything changes."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import filesystem
import further
import operation
import pytest
import rule
from member import Member

from landlock_bpf import abi, controller, domain, engine, errors, events
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

READ = Action.READ_FILE


@contextlib.contextmanager
def crowd(cgroup: Path, like: str, count: int) -> Iterator[None]:
    """Fill the slots with domains that share a ruleset: a thousand attachments would take minutes."""
    live = engine.find()
    assert live
    with live:
        taken = domain.slots(live)
        shared = next(slot.ruleset for slot in taken if slot.name == like)
        free = [index for index in range(1, abi.Limit.DOMAINS + 1) if index not in {slot.index for slot in taken}]
        made = []
        for index in free[: count - len(taken)]:
            place = cgroup / f"crowd{index}"
            place.mkdir()
            number = place.stat().st_ino
            live.cgroups.update(number, index)
            domain.write(live, domain.Slot(index, shared, abi.Kind.CGROUP, place.name, number))
            made.append(place)
        try:
            yield
        finally:
            for place in made:
                place.rmdir()
            for index in free[: count - len(taken)]:
                domain.clear(live, index)


def test_domains(tree: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    most = int(abi.Limit.DOMAINS)
    (tree / "secret").write_text("")
    deny = rule.make(READ, rule.deny(tree / "secret", READ), default="allow")
    for name in ("first", "last", "beyond"):
        (cgroup / name).mkdir()
    first = attach(deny, cgroup=cgroup / "first")
    with crowd(cgroup, first, most - 1):
        attach(deny, cgroup=cgroup / "last")
        with pytest.raises(errors.LimitError, match="detach one"):
            attach(deny, cgroup=cgroup / "beyond")
        assert len(live.list()) == most
        for name, expected in (("first", errno.EACCES), ("last", errno.EACCES), ("beyond", 0)):
            with Member(cgroup / name) as inside:
                assert inside.errno(operation.touch, tree / "secret", os.O_RDONLY) == expected


def test_rules_of_all_policies_count(tree: Path, attach: rule.Attach, live: controller.Controller) -> None:
    half = int(abi.Limit.RULES) // 2
    (tree / "file").write_text("")
    rules = (rule.allow(tree / "file", READ),) * half
    more = (rule.allow(tree / "file", READ),) * (half + 1)
    before = live.list()
    with pytest.raises(errors.LimitError, match="10001 rules"):
        attach(rule.make(READ, *rules), rule.make(READ, *more))
    assert live.list() == before
    with pytest.raises(errors.PolicyError, match="more rules than the 10000"):
        rule.make(READ, *rules, *more)


def test_names_of_an_inode(tree: Path, cgroup: Path, attach: rule.Attach) -> None:
    """access(2) is told an inode alone, and asks under all its names, if they are not too many."""
    policies = {
        "handles": rule.make(Action.ACCESS, rule.allow("/", Action.ACCESS)),
        "reports": rule.make(Action.ACCESS, rule.allow("/", Action.ACCESS), permissive=True),
        "rules on something else": rule.make(READ, rule.allow("/", READ)),
    }
    (tree / "file").write_text("")
    with contextlib.ExitStack() as stack:
        members = {}
        for name, policy in policies.items():
            (cgroup / name).mkdir()
            attach(policy, cgroup=cgroup / name)
            members[name] = stack.enter_context(Member(cgroup / name))
        for number in range(1, abi.Limit.ALIASES):
            os.link(tree / "file", tree / f"link{number}")
        assert {name: member.errno(further.access, tree) for name, member in members.items()} == dict.fromkeys(policies, 0)
        for _ in events.read(follow=False):
            pass
        os.link(tree / "file", tree / "one more")
        found = {name: member.errno(further.access, tree) for name, member in members.items()}
        assert found == dict.fromkeys(policies, 0) | {"handles": errno.EACCES}
        reported = {(denial.verdict, denial.reason) for denial in events.read(follow=False)}
        assert reported == {(verdict, "crowded") for verdict in (events.DENIED, events.WOULD_BE_DENIED)}


def bind(folder: Path, place: Path, count: int) -> None:
    """Show a folder in so many places more."""
    for number in range(count):
        target = place / f"{number} of {count}"
        target.mkdir(parents=True)
        calls.mount(folder, target, flags=calls.MS_BIND)


def test_mounts_of_a_filesystem(tree: Path, cgroup: Path, attach: rule.Attach) -> None:
    """readlink(2) is told no mount, and asks on all on which the link is seen: beyond the limit nothing else denies it."""
    asked = Action.READLINK | Action.CHDIR
    for name, permissive in (("handles", False), ("reports", True)):
        (cgroup / name).mkdir()
        attach(rule.make(asked, default="allow", permissive=permissive), cgroup=cgroup / name)
    with (
        filesystem.mounted("none", tree / "mounted", "tmpfs") as place,
        Member(before=calls.unshare) as crowding,  # which has that mount once more
        Member(cgroup / "handles") as handles,
        Member(cgroup / "reports") as reports,
    ):
        folder = operation.populate(place / "folder")
        crowding.ask(bind, folder, tree / "places", abi.Limit.SHOWN - 3)
        for act in (further.readlink, further.chdir):
            assert (handles.errno(act, folder), reports.errno(act, folder)) == (0, 0)
        crowding.ask(bind, folder, tree / "places", 2)
        for _ in events.read(follow=False):
            pass
        for act in (further.readlink, further.chdir):
            assert (handles.errno(act, folder), reports.errno(act, folder)) == (errno.EACCES, 0)
        reported = {(denial.verdict, denial.hook, denial.reason) for denial in events.read(follow=False)}
        verdicts, hooks = (events.DENIED, events.WOULD_BE_DENIED), ("inode_readlink", "inode_permission")
        assert reported == {(verdict, hook, "crowded") for verdict in verdicts for hook in hooks}
        assert handles.errno(further.readlink, operation.populate(tree / "folder")) == 0


@contextlib.contextmanager
def no_room_for_opened() -> Iterator[None]:
    """Fill the map of rights refused at open, by addresses that no file has."""
    live = engine.find()
    assert live
    with live:
        fake = dict.fromkeys(range(1, abi.Limit.OPENED + 1), bytes(ctypes.sizeof(abi.Opened)))
        live.opened.update_batch(fake)
        try:
            yield
        finally:
            live.opened.delete_batch(fake)


def test_files_with_a_right_refused_at_open(tree: Path, cgroup: Path, attach: rule.Attach) -> None:
    """Without room for what is refused, which would then be allowed, the open fails; where nothing is, it does not."""
    folder, twin = operation.populate(tree / "folder"), operation.populate(tree / "twin")
    for name, permissive in (("denies", False), ("reports", True)):
        (cgroup / name).mkdir()
        allowed = rule.allow(tree / "twin", Action.TRUNCATE)
        attach(rule.make(Action.TRUNCATE, allowed, permissive=permissive), cgroup=cgroup / name)
    with Member(cgroup / "denies") as denies, Member(cgroup / "reports") as reports:
        assert denies.errno(operation.update, folder) == 0
        with no_room_for_opened():
            for _ in events.read(follow=False):
                pass
            assert denies.errno(operation.update, folder) == errno.EACCES
            seen = {(denial.verdict, denial.hook, denial.reason) for denial in events.read(follow=False)}
            assert seen == {(events.DENIED, "file_open", "full")}
            assert denies.errno(operation.read, folder) == 0
            assert denies.errno(operation.update, twin) == 0
            assert reports.errno(operation.update, folder) == 0
        assert denies.errno(operation.update, folder) == 0
        assert denies.errno(operation.truncate_opened, folder) == errno.EACCES


def down(top: Path, depth: int) -> Path:
    """Make a directory so many beneath another one."""
    path = top.joinpath(*["d"] * depth)
    path.mkdir(parents=True)
    return path


def mount_in_itself(folder: Path, place: Path, count: int) -> None:
    """Bind a folder to a place, and again to `in` there, and so on."""
    (folder / "in").mkdir()
    for _ in range(count):
        calls.mount(folder, place, flags=calls.MS_BIND)
        place /= "in"


def test_mounts_on_the_way_up(tree: Path, cgroup: Path, attach: rule.Attach) -> None:
    """Each with its filesystem's own way, which is as long as may be: so many are gone up, not a tenth more."""
    most, used = int(abi.Limit.CROSSED), 3  # "/", the tree's and the one that is made

    def prepare() -> None:
        filesystem.unshare(tree)
        folder = operation.populate(down(tree / "mounted", abi.Limit.DEPTH - 2) / "folder")
        mount_in_itself(folder, tree / "empty", most + most // 10)

    with Member(cgroup, before=prepare) as inside:
        reached = tree.joinpath("empty", *["in"] * (most - used - 1))
        beyond = tree.joinpath("empty", *["in"] * (most + most // 10 - 1))
        assert (inside.errno(operation.read, reached), inside.errno(operation.read, beyond)) == (0, 0)
        attach(rule.make(READ, rule.allow("/", READ)))
        for _ in events.read(follow=False):
            pass
        assert inside.errno(operation.read, reached) == 0
        assert inside.errno(operation.read, beyond) == errno.EACCES
        assert {(denial.hook, denial.reason) for denial in events.read(follow=False)} == {("file_open", "depth")}


def test_directories_on_the_filesystems_own_way(tree: Path, cgroup: Path, attach: rule.Attach) -> None:
    """The way that is used is short; above a bind mount a denial may be as well, so what cannot be gone up is denied."""
    deep = {"reached": int(abi.Limit.DEPTH), "beyond": abi.Limit.DEPTH + 2}

    def prepare() -> None:
        filesystem.unshare(tree)
        for name, depth in deep.items():
            folder = operation.populate(down(tree / "mounted" / name, depth - 2) / "folder")
            (tree / name).mkdir()
            calls.mount(folder, tree / name, flags=calls.MS_BIND)

    with Member(cgroup, before=prepare) as inside:
        assert [inside.errno(operation.read, tree / name) for name in deep] == [0, 0]
        attach(rule.make(READ, rule.allow("/", READ)))
        for _ in events.read(follow=False):
            pass
        assert {name: inside.errno(operation.read, tree / name) for name in deep} == {"reached": 0, "beyond": errno.EACCES}
        assert {(denial.hook, denial.reason) for denial in events.read(follow=False)} == {("file_open", "disconnected")}


def test_name(cgroup: Path, live: controller.Controller) -> None:
    policies = [rule.make(READ, default="allow")]
    live.attach("n" * 63, policies, cgroup)
    live.detach("n" * 63)
    for name in ("n" * 64, "", "a b", "a/b", "é"):
        with pytest.raises(errors.LimitError):
            live.attach(name, policies, cgroup)
