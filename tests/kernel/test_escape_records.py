# SPDX-License-Identifier: GPL-2.0-only
"""The records of commands and their lock: no member of a domain reads, changes or removes them, or keeps commands out."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import operation
import path_call
import pytest
import rule
import way
from member import Member

from landlock_bpf import controller, record
from landlock_bpf.abi import Action

FS_XFLAG_IMMUTABLE = 0x8


def test_records(bound: Member, outside: Member, reported: Callable[[], set[tuple[str, str]]]) -> None:
    """A forged record would weaken a domain at its next update; who can read the lock file can hold up all commands."""
    for path in (record.RUN / "lock", *record.RULESETS.iterdir()):
        assert outside.errno(way.read_only, path) == 0, path
        assert bound.errno(way.read_only, path) == errno.EPERM, path
        assert bound.errno(os.truncate, path, 0) == errno.EPERM, path
        assert bound.errno(os.unlink, path) == errno.EPERM, path
    made = record.RULESETS / "0.json"
    assert bound.errno(os.mkdir, made) == errno.EPERM
    assert bound.errno(os.symlink, "/", made) == errno.EPERM
    for folder in (record.RUN, record.RULESETS):
        assert bound.errno(os.rename, folder, folder.with_name("elsewhere")) == errno.EPERM
        assert bound.errno(os.chmod, folder, 0o777) == errno.EPERM
    hooks = {"file_open", "path_truncate", "path_unlink", "path_mkdir", "path_symlink", "path_rename", "path_chmod"}
    assert reported() == {(hook, "domain") for hook in hooks}


def test_attributes_of_records(tree: Path, bound: Member, outside: Member) -> None:
    """Whom a list of access lets in could hold the lock, in no domain."""
    (tree / "file").write_text("")
    assert bound.errno(path_call.set_named, tree / "file", path_call.ACL, path_call.ACL_VALUE) == 0
    assert bound.errno(os.removexattr, tree / "file", path_call.ACL) == 0
    for path in (record.RUN / "lock", record.RULESETS):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert bound.errno(path_call.set_named, path, path_call.ACL, path_call.ACL_VALUE) == errno.EPERM, path
        try:
            assert outside.errno(path_call.set_named, path, path_call.ACL, path_call.ACL_VALUE) == 0, path
            assert bound.errno(os.removexattr, path, path_call.ACL) == errno.EPERM, path
            assert outside.errno(os.removexattr, path, path_call.ACL) == 0, path
        finally:
            path.chmod(mode)


def test_records_that_nobody_can_change(tree: Path, bound: Member, outside: Member) -> None:
    """Commands open their lock to write, whoever gives them."""
    lock = record.RUN / "lock"
    try:
        if outside.errno(path_call.set_flags, lock, FS_XFLAG_IMMUTABLE) == errno.ENOSYS:
            pytest.skip("absent: inode_file_setattr")
        assert outside.errno(way.write_only, lock) == errno.EPERM
    finally:
        outside.errno(path_call.set_flags, lock, 0)
    for path in (lock, record.RUN, record.RULESETS):
        assert bound.errno(path_call.set_flags, path, FS_XFLAG_IMMUTABLE) == errno.EPERM, path
    assert outside.errno(way.write_only, lock) == 0
    (tree / "file").write_text("")
    for flags in (FS_XFLAG_IMMUTABLE, 0):
        assert bound.errno(path_call.set_flags, tree / "file", flags) == 0


def test_files_made_among_the_records(
    alone: controller.Controller, inside: Member, attach: rule.Attach, outside: Member
) -> None:
    """Whatever a policy speaks of: neither actions nor denials of this one need the hook, and no other domain is there."""
    attach(rule.make(Action.READ_FILE, default="allow"))
    for make in (operation.make_fifo, operation.make_sock, operation.create):
        for folder in (record.RUN, record.RULESETS):
            made = folder / "new"
            assert inside.errno(make, folder) == errno.EPERM, (make.__name__, folder)
            assert not made.exists(), (make.__name__, folder)
            assert outside.errno(make, folder) == 0, (make.__name__, folder)
            made.unlink()
