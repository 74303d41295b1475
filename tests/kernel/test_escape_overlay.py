# SPDX-License-Identifier: GPL-2.0-only
"""What an overlayfs does by itself, beneath itself, is not asked again; who has other credentials for a while is."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import rule
from member import Member

from landlock_bpf.abi import Action
from landlock_bpf.compare import calls, uring

NAME = "user.escape"


@pytest.fixture
def layers(tree: Path) -> Iterator[Path]:
    """A folder with an overlayfs on `merged`, and its layers."""
    for name in ("lower", "upper", "work", "merged"):
        (tree / name).mkdir()
    (tree / "lower" / "low").write_text("")
    options = f"lowerdir={tree}/lower,upperdir={tree}/upper,workdir={tree}/work"
    calls.mount("overlay", tree / "merged", "overlay", data=options)
    (tree / "merged" / "up").write_text("")
    yield tree
    calls.umount(tree / "merged")


def set_attribute(path: Path) -> None:
    os.setxattr(path, NAME, b"x")


def set_by_personality(path: Path) -> None:
    """Set it with credentials that we no longer have."""
    uring.setxattr(path, NAME, b"x", before=lambda: os.setgroups([4711]))


def ask_access(path: Path) -> None:
    """Have the kernel take other credentials to say what our real user may; the directories above are closed to that one."""
    folder = os.open(path.parent, os.O_PATH)
    os.setresuid(65534, 0, 0)
    if not os.access(path.name, os.R_OK, dir_fd=folder):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.mark.parametrize("name", ["up", "low"])
def test_what_it_does_by_itself(name: str, layers: Path, cgroup: Path, attach: rule.Attach) -> None:
    """The layers are seen in the same namespace and no rule allows anything there; a copy-up sets attributes as well."""
    attach(rule.make(Action.SETXATTR, rule.allow(layers / "merged", Action.SETXATTR)))
    with Member(cgroup) as bound:
        assert bound.errno(set_attribute, layers / "merged" / name) == 0
        assert bound.errno(set_attribute, layers / "upper" / name) == errno.EACCES


def test_personality_is_no_overlay(layers: Path, cgroup: Path, attach: rule.Attach) -> None:
    attach(rule.make(Action.SETXATTR, rule.allow(layers / "merged", Action.SETXATTR)))
    with Member(cgroup) as bound, Member() as free:
        assert bound.errno(set_attribute, layers / "merged" / "up") == 0  # its credentials are known
        assert bound.errno(set_by_personality, layers / "upper" / "up") == errno.EACCES
        assert free.errno(set_by_personality, layers / "upper" / "up") == 0


def test_access_is_no_overlay(layers: Path, cgroup: Path, attach: rule.Attach) -> None:
    attach(rule.make(Action.ACCESS, rule.deny(layers / "upper", Action.ACCESS), default="allow"))
    with Member(cgroup) as bound, Member() as free:
        assert bound.errno(ask_access, layers / "upper" / "up") == errno.EACCES
        assert free.errno(ask_access, layers / "upper" / "up") == 0


def test_credentials_are_forgotten(layers: Path, cgroup: Path, attach: rule.Attach) -> None:
    """Their address is used again once the overlayfs is gone."""
    from landlock_bpf import engine

    attach(rule.make(Action.SETXATTR, rule.allow(layers / "merged", Action.SETXATTR)))
    found = engine.find()
    assert found
    with Member(cgroup) as bound, found:
        assert bound.errno(set_attribute, layers / "merged" / "up") == 0
        known = len(list(found.creators.keys()))
        assert known
        calls.umount(layers / "merged")
        assert len(list(found.creators.keys())) == known - 1
    calls.mount("overlay", layers / "merged", "overlay", data=f"lowerdir={layers}/lower:{layers}/upper")
