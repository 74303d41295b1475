# SPDX-License-Identifier: GPL-2.0-only
"""The policies that ship: each is put in force, and does what its head says."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import operation
import pytest
from member import Member

from landlock_bpf import controller, policy

POLICIES = Path(__file__).parent.parent.parent / "policies"


def write(path: Path) -> None:
    operation.touch(path, os.O_WRONLY | os.O_CREAT)


def read(path: Path) -> None:
    operation.touch(path, os.O_RDONLY)


def execute(path: Path) -> None:
    pid = os.posix_spawn(path, [str(path), "true"], {})
    os.waitpid(pid, 0)


Try = tuple[Callable[..., None], str, int]
NO = errno.EACCES

# What is tried under each, in a home directory that is also the working directory.
TRIES: dict[str, tuple[Try, ...]] = {
    "home-minus-ssh": (
        (read, "HOME/.ssh/id_demo", NO),
        (read, "HOME/.ssh", NO),
        (write, "HOME/.ssh/new", NO),
        (read, "HOME/work/x", 0),
        (write, "HOME/work/x", 0),
        (read, "HOME", 0),
        (read, "/etc/passwd", 0),
        (execute, "/bin/busybox", 0),
    ),
    "read-only-system": (
        (read, "HOME/work/x", 0),
        (write, "HOME/work/x", NO),
        (write, "HOME/work/new", NO),
        (write, "/dev/shm/landlock-bpf-new", 0),
        (write, "/dev/null", 0),
        (execute, "/bin/busybox", 0),
    ),
    "secrets-denied": (
        (read, "HOME/.ssh/id_demo", NO),
        (read, "HOME/.ssh", NO),
        (write, "HOME/.ssh/new", 0),
        (read, "/etc/shadow", NO),
        (read, "/etc/passwd", 0),
        (write, "HOME/work/x", 0),
    ),
    "build": (
        (write, "HOME/made", 0),
        (read, "HOME/work/x", 0),
        (execute, "/usr/bin/env", 0),
        (write, "/dev/null", 0),
        (read, "/etc/passwd", 0),
        (write, "/run/landlock-bpf-new", NO),
        (read, "/root", NO),
    ),
    "compare": (
        (read, "HOME/work/x", 0),
        (write, "HOME/work/x", 0),
        (read, "HOME/work/secret/x", NO),
        (write, "HOME/work/secret/new", NO),
        (read, "HOME/ro/x", 0),
        (write, "HOME/ro/x", NO),
        (read, "/etc/passwd", 0),
    ),
    "container": (
        (read, "HOME/rootfs/x", 0),
        (write, "HOME/rootfs/new", 0),
        (read, "HOME/rootfs", 0),
        (read, "HOME/work/x", NO),
        (write, "HOME/work/x", NO),
        (os.stat, "HOME/work/x", NO),
        (os.chdir, "HOME", NO),
        (read, "/etc/passwd", NO),
    ),
}


@pytest.fixture
def home() -> Path:
    """A home directory that no rule on temporary files speaks of."""
    path = Path("/run/landlock-bpf-tests-home")
    if not path.exists():
        for name in (".ssh/id_demo", "work/x", "work/secret/x", "ro/x", "rootfs/x"):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text("")
    return path


def test_none_is_left_out() -> None:
    assert sorted(TRIES) == sorted(path.stem for path in POLICIES.glob("*.toml"))


@pytest.mark.parametrize("name", TRIES)
def test_policy(name: str, home: Path, cgroup: Path, live: controller.Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    policies = policy.load(POLICIES / f"{name}.toml", {"HOME": str(home)})
    tries = [(act, Path(path.replace("HOME", str(home))), expected) for act, path, expected in TRIES[name]]
    with Member(cgroup) as free:
        assert [free.errno(act, path) for act, path, _ in tries if act is not write] == [0] * sum(
            act is not write for act, _, _ in tries
        )
    with live.prepare(policies, cgroup=cgroup) as confinement:
        with Member(before=confinement.enter) as confined:
            assert [(path, confined.errno(act, path)) for act, path, _ in tries] == [(path, no) for _, path, no in tries]
