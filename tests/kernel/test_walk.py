# SPDX-License-Identifier: GPL-2.0-only
"""Where walks end: at the root, where there is no place or no mount in a namespace, at hidden mount points, or too deep."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

import filesystem
import operation
import pytest
import rule
from member import Member

from landlock_bpf import action_table
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

_libc = ctypes.CDLL(None, use_errno=True)


def memfd(flags: int = 0) -> None:
    made = os.memfd_create("test", flags)
    try:
        os.utime(made)
        operation.touch(f"/proc/self/fd/{made}", os.O_RDWR)
    finally:
        os.close(made)


def pipe() -> None:
    ends = os.pipe()
    try:
        operation.touch(f"/proc/self/fd/{ends[0]}", os.O_RDONLY)
    finally:
        for end in ends:
            os.close(end)


@pytest.mark.parametrize("reopen", [memfd, pipe], ids=lambda row: row.__name__)
def test_what_has_no_place_is_not_ruled(reopen: Callable[[], None], inside: Member, attach: rule.Attach) -> None:
    # /proc/self is a link, and following one is no action.
    attach(rule.make(action_table.ALL))
    assert inside.errno(reopen) == 0


def huge_memfd() -> None:
    memfd(os.MFD_HUGETLB)


def message_queue() -> None:
    made = operation.check(_libc.mq_open(b"/landlock-bpf-test", os.O_CREAT | os.O_RDWR, 0o600, None))
    try:
        os.utime(made)
    finally:
        os.close(made)
    operation.check(_libc.mq_unlink(b"/landlock-bpf-test"))


@pytest.mark.parametrize("act", [huge_memfd, message_queue], ids=lambda row: row.__name__)
def test_mounts_of_the_kernel_itself(act: Callable[[], None], tree: Path, inside: Member, attach: rule.Attach) -> None:
    """They are in no namespace, but no mount that somebody detached."""
    ruled = Action.READ_FILE | Action.UTIME
    attach(rule.make(ruled, rule.deny(tree, ruled), default="allow"))
    assert inside.errno(act) == 0


@pytest.mark.parametrize("default", ["allow", "deny"])
def test_detached_mount(default: str, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """A mount in no namespace is a walk that found nothing: denied, unless a rule on the way decides."""
    for name in ("ruled", "free"):
        (tree / name).mkdir()
        (tree / name / "file").write_text("")
    read = Action.READ_FILE
    attach(rule.make(read, rule.allow(tree / "ruled", read), default=default))
    assert inside.errno(clone_and_open, tree / "ruled") == 0
    assert inside.errno(clone_and_open, tree / "free") == errno.EACCES
    assert inside.errno(operation.touch, tree / "free/file", os.O_RDONLY) == (errno.EACCES if default == "deny" else 0)


def clone_and_open(folder: Path) -> None:
    mount = calls.open_tree(folder, calls.OPEN_TREE_CLONE)
    try:
        os.close(os.open("file", os.O_RDONLY, dir_fd=mount))
    finally:
        os.close(mount)


def test_hidden_mountpoint(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """A denial on a directory that is mounted over later holds for what covers it; a permission there does not."""
    for name in ("denied", "allowed"):
        (tree / name).mkdir()
    read = Action.READ_FILE
    domain = rule.make(read, rule.allow(tree / "allowed", read))
    other = rule.make(read, rule.allow("/", read), rule.deny(tree / "denied", read))
    with filesystem.mounted("none", tree / "plain", "tmpfs"):
        attach(other)
        with filesystem.mounted("none", tree / "denied", "tmpfs"):
            (tree / "denied/file").write_text("")
            (tree / "plain/file").write_text("")
            assert inside.errno(operation.touch, tree / "denied/file", os.O_RDONLY) == errno.EACCES
            assert inside.errno(operation.touch, tree / "plain/file", os.O_RDONLY) == 0
        (tree / "allowed/file").write_text("")
        attach_inner = inside.cgroup / "inner"
        attach_inner.mkdir()
        attach(domain, cgroup=attach_inner)
        with Member(attach_inner) as inner:
            assert inner.errno(operation.touch, tree / "allowed/file", os.O_RDONLY) == 0
            with filesystem.mounted("none", tree / "allowed", "tmpfs"):
                (tree / "allowed/file").write_text("")
                assert inner.errno(operation.touch, tree / "allowed/file", os.O_RDONLY) == errno.EACCES


def test_depth(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """256 directories up to the root are walked; what lies deeper is denied, allowed or not."""
    read = Action.READ_FILE
    above = len(tree.parts) - 1  # names from the root on
    deep = tree
    folders = {}
    for depth in range(above + 1, 260):
        deep = deep / "d"
        deep.mkdir()
        (deep / "f").write_text("")
        folders[depth] = deep
    attach(rule.make(read, rule.allow("/", read)))
    # The root is one of the directories.
    assert inside.errno(operation.touch, folders[200] / "f", os.O_RDONLY) == 0
    assert inside.errno(operation.touch, folders[255] / "f", os.O_RDONLY) == 0
    assert inside.errno(operation.touch, folders[259] / "f", os.O_RDONLY) == errno.EACCES


def test_too_deep(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """What lies deeper than is walked may lie in what is denied: it is denied where all else is allowed, too."""
    deep = tree
    while len(deep.parts) < 260:
        deep /= "d"
        deep.mkdir()
    (deep / "file").write_text("")
    (tree / "secret").mkdir()
    attach(rule.make(Action.READ_FILE, rule.deny(tree / "secret", Action.READ_FILE), default="allow"))
    assert inside.errno(operation.touch, deep / "file", os.O_RDONLY) == errno.EACCES
    assert inside.errno(operation.touch, deep.parents[20] / "d", os.O_RDONLY) == 0
