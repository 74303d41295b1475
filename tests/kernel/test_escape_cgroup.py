# SPDX-License-Identifier: GPL-2.0-only
"""No way out of a control group's domain by the lists of tasks elsewhere; and who is put into it is nobody's prey there."""

from __future__ import annotations

import errno
import glob
import os
import re
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest
import rule
import tracing
import way
from member import Member
from test_confine import confine

from landlock_bpf import cgroup as groups
from landlock_bpf import controller, engine, events, record
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

pytestmark = pytest.mark.usefixtures("forgotten")

LISTS = ("cgroup.procs", "cgroup.threads")
READ = Action.READ_FILE


@pytest.mark.parametrize("name", LISTS)
def test_list_of_tasks(name: str, home_domain: str, home: Path, elsewhere: Path) -> None:
    (home / "inner").mkdir()
    with Member(home) as member, Member(elsewhere) as free:
        for group in (elsewhere, elsewhere.parent, Path("/sys/fs/cgroup")):
            assert free.errno(way.write_only, group / name) == 0, group
            assert member.errno(way.write_only, group / name) == errno.EPERM, group
            assert member.errno(way.reopen, group / name) == errno.EPERM, group
            assert member.errno(way.read_only, group / name) == 0, group
            assert member.errno(way.write_only, group / name) == errno.EPERM, "nothing remembered is taken for it"
        assert member.errno(way.write_only, home / name) == 0
        assert member.errno(way.write_only, home / "inner" / name) == 0


def test_moves_inside(home_domain: str, home: Path, secret: Path) -> None:
    (home / "inner").mkdir()
    with Member(home) as member:
        assert member.errno(way.enter, home / "inner") == 0
        assert member.errno(way.read_only, secret) == errno.EACCES
        assert member.errno(way.enter, home) == 0
        assert member.errno(way.read_only, secret) == errno.EACCES


def test_reported(home_domain: str, home: Path, elsewhere: Path) -> None:
    for _ in events.read(follow=False):
        pass
    with Member(home) as member:
        member.errno(way.enter, elsewhere)
    (denial,) = events.read(follow=False)
    assert (denial.hook, denial.reason, denial.error) == ("file_open", "domain", "EPERM")
    assert denial.path == str(elsewhere / "cgroup.procs")


@pytest.mark.parametrize("name", ["open_up", "give_away"])
def test_list_given_away(name: str, home_domain: str, home: Path, elsewhere: Path) -> None:
    """Somebody unprivileged outside could move us, were it his."""
    with Member(home) as member, Member() as free:
        assert member.errno(getattr(way, name), elsewhere / "cgroup.procs") == errno.EPERM
        assert free.errno(getattr(way, name), elsewhere / "cgroup.procs") == 0


def test_clone_into_cgroup(home_domain: str, home: Path, elsewhere: Path) -> None:
    with Member(home) as member, Member() as free:
        assert free.errno(way.clone_into, elsewhere) == 0
        assert member.errno(way.clone_into, elsewhere) == errno.EPERM


def test_inner_domain(home_domain: str, home: Path, attach: rule.Attach, tree: Path) -> None:
    inner = home / "inner"
    inner.mkdir()
    attach(rule.make(Action.WRITE_FILE, rule.deny(tree, Action.WRITE_FILE), default="allow"), cgroup=inner)
    with Member(inner) as member:
        assert member.errno(way.enter, home) == errno.EPERM
    with Member(home) as member:
        assert member.errno(way.enter, inner) == 0


def seize(pid: int) -> list[str]:
    tracing.attach_to(pid)
    return possessions(pid)


def possessions(pid: int) -> list[str]:
    """Name what the descriptors of a process stand for, and what it has in memory."""
    opened = [os.readlink(path) for path in glob.glob(f"/proc/{pid}/fd/*") if os.path.lexists(path)]
    return opened + re.findall(r"\S+$", Path(f"/proc/{pid}/maps").read_text(), re.M)


def of_the_engine(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(("anon_inode:bpf", str(record.RUN)))]


def test_seized_as_it_enters(
    home_domain: str, secret: Path, tree: Path, home: Path, live: controller.Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is made to enter has nothing by which a member could rule over the engine, nor a lock, from the moment on."""
    entered = groups.enter

    def enter_and_be_seized(path: Path, process: int = 0) -> None:
        entered(path, process)
        (tree / "found").write_text("\n".join(member.ask(seize, process or os.getpid())))

    monkeypatch.setattr(groups, "enter", enter_and_be_seized)
    (tree / "other").write_text("")
    policies = [rule.make(READ, rule.deny(tree / "other", READ), default="allow")]
    found = engine.find()
    assert found
    with Member(home) as member, found, record.alone("test", "tests"):
        assert found.domains and found.tasks and found.state
        inherited = of_the_engine(possessions(os.getpid()))
        assert {"anon_inode:bpf-map", f"{record.RUN}/test.lock"} <= set(inherited)
        with live.prepare(policies, cgroup=home) as confinement, Member(before=confinement.enter) as confined:
            for had in ((tree / "found").read_text().splitlines(), member.ask(seize, confined.pid)):
                assert "[stack]" in had and len(had) > 3
                assert not of_the_engine(had)
            assert confined.errno(way.read_only, secret) == errno.EACCES
            assert confined.errno(way.read_only, tree / "other") == errno.EACCES
            assert member.errno(way.read_only, tree / "other") == 0
    (record.RUN / "test.lock").unlink()


def wait_in_child() -> int:
    """Have a child that waits; left over, it would hold open the pipes that other members wait on."""
    pid = os.fork()
    if pid == 0:
        calls.end_with_parent()
        signal.pause()
    return pid


def end_child(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_stranger_drawn_in(home_domain: str, secret: Path, home: Path, elsewhere: Path) -> None:
    """Who may write to the list of tasks inside can name any process. It is in the domain then, but nobody's prey there."""
    refused = tracing.refusals(elsewhere)
    with Member(home) as member, Member(home) as beside, Member(elsewhere) as stranger:
        assert stranger.errno(way.read_only, secret) == 0
        member.ask((home / "cgroup.procs").write_text, str(stranger.pid))
        assert stranger.errno(way.read_only, secret) == errno.EACCES
        child = stranger.ask(wait_in_child)
        for pid in (stranger.pid, child):
            assert {access: member.errno(access, pid) for access in tracing.ACCESSES} == refused
            assert {access: beside.errno(access, pid) for access in tracing.ACCESSES} == refused
        stranger.ask(end_child, child)
        allowed = dict.fromkeys(tracing.ACCESSES, 0)
        with tracing.child(home) as pid:  # by itself
            assert {access: member.errno(access, pid) for access in tracing.ACCESSES} == allowed
        for group in (elsewhere, home):
            (group / "cgroup.procs").write_text(str(stranger.pid))
        child = stranger.ask(wait_in_child)
        assert {access: member.errno(access, child) for access in tracing.ACCESSES} == allowed
        stranger.ask(end_child, child)
        assert stranger.errno(way.read_only, secret) == errno.EACCES


def test_moved_by_who_is_confined(
    home_domain: str, secret: Path, home: Path, elsewhere: Path, tree: Path, live: controller.Controller
) -> None:
    """Who is in the domain of a process is nobody outside: members he moves stay, and strangers are no prey."""
    refused = tracing.refusals(elsewhere)
    with Member(elsewhere) as mover, Member(home) as member, Member(home) as beside, Member(elsewhere) as stranger:
        confine(live, mover.pid, tree)
        mover.ask((elsewhere / "cgroup.procs").write_text, str(member.pid))
        assert member.errno(way.read_only, secret) == errno.EACCES
        mover.ask((home / "cgroup.procs").write_text, str(stranger.pid))
        assert stranger.errno(way.read_only, secret) == errno.EACCES
        assert {access: beside.errno(access, stranger.pid) for access in tracing.ACCESSES} == refused
        (elsewhere / "cgroup.procs").write_text(str(member.pid))
        assert member.errno(way.read_only, secret) == 0


def put_child(group: Path) -> int:
    """Fork, as a container's engine does, and put the child into a control group; gives its number."""
    child = wait_in_child()
    (group / "cgroup.procs").write_text(str(child))
    return child


def test_children_of_who_is_confined(
    home_domain: str, home: Path, elsewhere: Path, tree: Path, live: controller.Controller
) -> None:
    """They are in his domain as well, and no strangers where he puts them."""
    with Member(elsewhere) as mover, Member(home) as beside:
        confine(live, mover.pid, tree)
        child = mover.ask(put_child, home)
        allowed = dict.fromkeys(tracing.ACCESSES, 0)
        assert {access: beside.errno(access, child) for access in tracing.ACCESSES} == allowed
        mover.ask(end_child, child)
