# SPDX-License-Identifier: GPL-2.0-only
"""`attach --sticky`: whoever was in the cgroup stays in the domain, wherever somebody outside moves him."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import operation
import pytest
import rule
from member import Member
from test_confine import in_a_child

from landlock_bpf import controller
from landlock_bpf.abi import Action

pytestmark = pytest.mark.usefixtures("cleared")
READ = Action.READ_FILE


@pytest.fixture
def elsewhere(cgroup: Path) -> Iterator[Path]:
    path = cgroup.with_name(f"{cgroup.name}-elsewhere")
    path.mkdir()
    yield path
    path.rmdir()


def policy(path: Path) -> rule.policy.Policy:
    return rule.make(READ, rule.deny(path, READ), default="allow")


def move(member: Member, place: Path) -> None:
    """Move a process, as somebody outside."""
    (place / "cgroup.procs").write_text(str(member.pid))


def opens(member: Member, path: Path) -> int:
    return member.errno(operation.touch, path, os.O_RDONLY)


@pytest.mark.parametrize("sticky", [True, False])
def test_moved_by_others(sticky: bool, secret: Path, cgroup: Path, elsewhere: Path, live: controller.Controller) -> None:
    """Those who were there before and those who came later, and their children; from one that is not sticky they leave."""
    expected = errno.EACCES if sticky else 0
    with Member(cgroup) as before, live.attach("sticky", [policy(secret)], cgroup, sticky=sticky) as domain:
        with Member(cgroup) as later:
            for each in (before, later):
                assert opens(each, secret) == errno.EACCES
                move(each, elsewhere)
                assert opens(each, secret) == expected
                assert each.ask(in_a_child, secret) == expected
            move(later, cgroup)
            assert opens(later, secret) == errno.EACCES
            move(later, elsewhere)
            assert opens(later, secret) == expected
        assert domain.show().sticky == sticky
        domain.detach()
        assert opens(before, secret) == 0


def test_one_inside_a_sticky_one(
    secret: Path, tree: Path, cgroup: Path, elsewhere: Path, live: controller.Controller, listed: Callable[[], list[str]]
) -> None:
    """Who is moved out of both leaves neither; after the sticky one was detached, the other is as it was."""
    other = tree / "other"
    other.write_text("")
    inner = cgroup / "inner"
    inner.mkdir()
    live.attach("inside", [policy(other)], inner)
    live.attach("sticky", [policy(secret)], cgroup, sticky=True)
    with Member(inner) as member, Member(inner) as second:
        move(member, elsewhere)
        assert (opens(member, secret), opens(member, other)) == (errno.EACCES, errno.EACCES)
        live.detach("sticky")
        move(second, elsewhere)
        assert (opens(second, secret), opens(second, other)) == (0, 0)
    live.detach("inside")
    assert not listed()
