# SPDX-License-Identifier: GPL-2.0-only
"""Hooks that are told no mount ask on all those of the task's namespace on which an object is to be seen: all must allow."""

from __future__ import annotations

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

from landlock_bpf import policy
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

ACTIONS = (
    Action.CHDIR
    | Action.ACCESS
    | Action.READLINK
    | Action.GETXATTR
    | Action.LISTXATTR
    | Action.UTIME
    | Action.SETXATTR
    | Action.REMOVEXATTR
    | Action.SET_ACL
)
ROWS = tuple(row for row in further.OPERATIONS if not row.actions & ~ACTIONS)


def outcomes(member: Member, top: Path) -> dict[str, int]:
    return {row.name: member.errno(row.run, top / row.name) for row in ROWS}


def populate(top: Path) -> Path:
    for row in ROWS:
        row.populate(top / row.name)
    return top


def denial(secret: Path) -> policy.Policy:
    return rule.make(ACTIONS, rule.deny(secret, ACTIONS), default="allow")


DENIED = {row.name: errno.EACCES for row in ROWS}
DONE = dict.fromkeys(DENIED, 0)


@pytest.fixture
def top(tree: Path) -> Path:
    """Two folders with something for each operation, one to be denied with a place in it, and one with places that is not."""
    for name in ("shared", "twin", "secret"):
        populate(tree / name)
    for name in ("secret/view", "open/view", "open/secret", "open/inner"):
        (tree / name).mkdir(parents=True)
    return tree


@pytest.fixture
def shown(top: Path) -> Iterator[Path]:
    """The same, the shared one seen in the other two: the mount that is to be denied is neither the oldest nor the newest."""
    with (
        filesystem.mounted(top / "shared", top / "secret/view", flags=calls.MS_BIND),
        filesystem.mounted(top / "shared", top / "open/view", flags=calls.MS_BIND),
    ):
        yield top


def test_denied_on_one_of_its_mounts(shown: Path, inside: Member, attach: rule.Attach) -> None:
    """By whatever path: which of the mounts was used is not known."""
    assert {action for action in Action if action & ACTIONS} == {each for row in ROWS for each in Action if each & row.actions}
    attach(denial(shown / "secret"))
    for place in ("shared", "open/view", "secret/view"):
        assert outcomes(inside, shown / place) == DENIED, place
    assert outcomes(inside, shown / "twin") == DONE
    with Member() as free:
        assert outcomes(free, shown / "open/view") == DONE


def test_stat_is_told_the_mount(shown: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rule.make(Action.STAT, rule.deny(shown / "secret", Action.STAT), default="allow"))
    place = ROWS[0].name
    found = {name: inside.errno(further.stat_file, shown / name / place) for name in ("shared", "open/view", "secret/view")}
    assert found == {"shared": 0, "open/view": 0, "secret/view": errno.EACCES}


def test_what_is_denied_shown_elsewhere(top: Path, inside: Member, attach: rule.Attach) -> None:
    """It, and what lies beneath it."""
    attach(denial(top / "secret"))
    inner = top / "secret" / ROWS[0].name
    with (
        filesystem.mounted(top / "secret", top / "open/secret", flags=calls.MS_BIND) as all_of_it,
        filesystem.mounted(inner, top / "open/inner", flags=calls.MS_BIND) as part,
    ):
        assert outcomes(inside, all_of_it) == DENIED
        assert inside.errno(further.readlink, part) == errno.EACCES
        assert inside.errno(further.chdir, part) == errno.EACCES
        assert outcomes(inside, top / "twin") == DONE
        with Member() as free:
            assert outcomes(free, all_of_it) == DONE


def test_in_another_mount_namespace(top: Path, cgroup: Path, attach: rule.Attach) -> None:
    """What is mounted in one is not asked for in the other."""

    def apart() -> None:
        calls.unshare()
        calls.mount(top / "shared", top / "secret/view", flags=calls.MS_BIND)

    with Member(cgroup, before=apart) as there, Member(cgroup) as here:
        with filesystem.mounted(top / "twin", top / "secret/view", flags=calls.MS_BIND):
            attach(denial(top / "secret"))
            assert outcomes(there, top / "shared") == DENIED
            assert outcomes(here, top / "twin") == DENIED
            assert outcomes(here, top / "shared") == DONE
            assert outcomes(there, top / "twin") == DONE


_kept: dict[str, int] = {}


def keep_and_leave(place: Path) -> None:
    """Have a mount by a descriptor alone: that of the mount namespace that is left."""
    _kept["place"] = os.open(place, os.O_PATH)
    calls.unshare()
    calls.umount(place, calls.MNT_DETACH)


def read_kept_link(name: str) -> None:
    os.readlink(f"{name}/link", dir_fd=_kept["place"])


def test_seen_in_other_namespaces_alone(tree: Path, inside: Member, attach: rule.Attach) -> None:
    with filesystem.mounted("none", tree / "mounted", "tmpfs") as place:
        for name in ("secret", "twin"):
            operation.populate(place / name)
        inside.ask(keep_and_leave, place)
        assert inside.errno(read_kept_link, "secret") == 0
        attach(denial(place / "secret"))
        assert inside.errno(read_kept_link, "secret") == errno.EACCES
        assert inside.errno(read_kept_link, "twin") == 0
