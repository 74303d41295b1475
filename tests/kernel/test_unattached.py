# SPDX-License-Identifier: GPL-2.0-only
"""Filesystems that a member makes by fsopen(2) and mounts nowhere, and those whose options it changes by fspick(2)."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import filesystem
import pytest
import rule
import way
from member import Member

from landlock_bpf import controller
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

# include/uapi/linux/mount.h and include/uapi/asm-generic/unistd.h
FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE, FSCONFIG_CMD_RECONFIGURE = 0, 1, 6, 7
SYS_FSMOUNT, SYS_FSPICK = 432, 433


def open_in(kind: str, source: str, path: str, flags: int) -> None:
    """Open a file of a filesystem by the mount that fsmount(2) gives, which is in no tree."""
    made = way.syscall(way.SYS_FSOPEN, kind.encode(), 0)
    try:
        way.syscall(way.SYS_FSCONFIG, made, FSCONFIG_SET_STRING, b"source", source.encode(), 0)
        way.syscall(way.SYS_FSCONFIG, made, FSCONFIG_CMD_CREATE, None, None, 0)
        mount = way.syscall(SYS_FSMOUNT, made, 0, 0)
        try:
            os.close(os.open(path, flags, dir_fd=mount))
        finally:
            os.close(mount)
    finally:
        os.close(made)


def make_read_only(place: Path) -> None:
    picked = way.syscall(SYS_FSPICK, calls.AT_FDCWD, os.fsencode(place), 0)
    try:
        way.syscall(way.SYS_FSCONFIG, picked, FSCONFIG_SET_FLAG, b"ro", None, 0)
        way.syscall(way.SYS_FSCONFIG, picked, FSCONFIG_CMD_RECONFIGURE, None, None, 0)
    finally:
        os.close(picked)


@pytest.fixture
def disk(tree: Path) -> Iterator[str]:
    """A loop device with a filesystem that is not mounted, and a file in it."""
    with filesystem.image("ext4", tree, megabytes=16) as place:
        (place / "file").write_text("text")
    device = subprocess.check_output(["losetup", "-f", "--show", tree / "ext4.img"], text=True).strip()
    yield device
    subprocess.run(["losetup", "-d", device], check=True)


def test_what_is_mounted_nowhere(
    disk: str, tree: Path, inside: Member, attach: rule.Attach, live: controller.Controller
) -> None:
    """Nor is a disk that may be opened read by that: where a file of it lies is not known."""
    rows = (
        ("ext4", disk, "file", os.O_RDONLY, errno.EACCES),
        ("cgroup2", "none", "cgroup.procs", os.O_WRONLY, errno.EPERM),
        ("proc", "none", "sys/kernel/core_pattern", os.O_WRONLY, errno.EPERM),
    )
    for *words, _ in rows:
        assert inside.errno(open_in, *words) == 0, words
    (tree / "secret").write_text("")
    denied = rule.deny(tree / "secret", Action.READ_FILE)
    name = attach(rule.make(Action.READ_FILE, denied, default="allow"))
    assert inside.errno(open_in, "ext4", disk, "file", os.O_RDONLY) == errno.EPERM
    opened = rule.allow(disk, Action.OPEN_BLOCK)
    live.update(name, [rule.make(Action.READ_FILE | Action.OPEN_BLOCK, denied, opened, default="allow")])
    for *words, expected in rows:
        assert inside.errno(open_in, *words) == expected, words


def test_other_options(tree: Path, inside: Member, attach: rule.Attach) -> None:
    (tree / "secret").write_text("")
    with filesystem.mounted("none", tree / "mounted", "tmpfs") as place:
        attach(rule.make(Action.READ_FILE, rule.deny(tree / "secret", Action.READ_FILE), default="allow"))
        assert inside.errno(make_read_only, place) == errno.EPERM
        with Member() as free:
            assert free.errno(make_read_only, place) == 0
