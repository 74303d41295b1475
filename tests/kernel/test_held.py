# SPDX-License-Identifier: GPL-2.0-only
"""What a process has from before its domain, other than open files: it gives no right that the policy denies."""

from __future__ import annotations

import dataclasses
import errno
import mmap
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import operation
import pytest
import ring
import rule
import tracing
from member import Member

from landlock_bpf import controller, policy
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls, programs

pytestmark = pytest.mark.usefixtures("cleared")
Bind = Callable[[policy.Policy], object]


@dataclasses.dataclass
class Held:
    """What a member holds."""

    mapping: mmap.mmap | None = None
    rings: list[ring.Ring] = dataclasses.field(default_factory=list)
    pidfd: int = -1
    folder: int = -1


_held = Held()


@pytest.fixture(params=["cgroup", "process"])
def bind(request: pytest.FixtureRequest, inside: Member, attach: rule.Attach, live: controller.Controller) -> Bind:
    """Put the member under a policy: in a domain of its control group, or in one of its own."""

    def bind(wanted: policy.Policy) -> None:
        if request.param == "cgroup":
            attach(wanted)
            return
        pidfd = os.pidfd_open(inside.pid)
        try:
            live.confine(pidfd, [wanted])
        finally:
            os.close(pidfd)

    return bind


@pytest.fixture
def secret(tree: Path) -> Path:
    """A file deep in the folder that is denied."""
    path = tree / "secret" / "inner" / "file"
    path.parent.mkdir(parents=True)
    path.write_text("text")
    return path


def deny(secret: Path) -> policy.Policy:
    return rule.make(Action.READ_FILE, rule.deny(secret.parents[1], Action.READ_FILE), default="allow")


def map_file(path: Path) -> None:
    with open(path, "rb") as file:
        _held.mapping = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)


def open_mapping(path: Path) -> None:
    """Open the file of a mapping anew."""
    found = re.search(rf"^0*(\w+)-0*(\w+) .* {re.escape(str(path))}$", Path("/proc/self/maps").read_text(), re.M)
    assert found
    operation.touch(f"/proc/self/map_files/{found[1]}-{found[2]}", os.O_RDONLY)


def test_mapping(secret: Path, inside: Member, bind: Bind) -> None:
    inside.ask(map_file, secret)
    assert inside.errno(open_mapping, secret) == 0
    bind(deny(secret))
    assert inside.errno(open_mapping, secret) == errno.EACCES


def make_rings() -> None:
    _held.rings = [ring.Ring(), ring.Ring()]


def open_by_ring(path: Path) -> None:
    os.close(_held.rings.pop().openat(path))


def test_ring(secret: Path, inside: Member, bind: Bind) -> None:
    """The thread that takes its entries is bound with its process."""
    inside.ask(make_rings)
    assert inside.errno(open_by_ring, secret) == 0
    bind(deny(secret))
    assert inside.errno(open_by_ring, secret) == errno.EACCES


def hold_process(pid: int) -> None:
    _held.pidfd = os.pidfd_open(pid)
    _held.folder = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY)


def take_descriptor() -> None:
    os.close(calls.system_call(tracing.SYS_PIDFD_GETFD, _held.pidfd, 0, 0))


def enter_mounts() -> None:
    programs.in_child(lambda: calls.check(calls.libc.setns(_held.pidfd, calls.CLONE_NEWNS)))


def open_memory() -> None:
    os.close(os.open("mem", os.O_RDWR, dir_fd=_held.folder))


def read_root() -> None:
    os.readlink("root", dir_fd=_held.folder)


def open_file() -> None:
    os.close(os.open("fd/0", os.O_RDONLY, dir_fd=_held.folder))


PROCESS = {
    take_descriptor: errno.EPERM,
    enter_mounts: errno.EPERM,
    open_memory: errno.EACCES,
    read_root: errno.EACCES,
    open_file: errno.EACCES,
}


@pytest.fixture
def outsider() -> Iterator[int]:
    """A process in no domain, whose first descriptor is /dev/null."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.write(told, b"1")
        signal.pause()
        os._exit(0)
    os.read(ready, 1)
    yield pid
    os.close(ready)
    os.close(told)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_process(secret: Path, outsider: int, inside: Member, bind: Bind) -> None:
    """Who is traced is asked each time, whatever names the process."""
    inside.ask(hold_process, outsider)
    assert {act: inside.errno(act) for act in PROCESS} == dict.fromkeys(PROCESS, 0)
    bind(deny(secret))
    assert {act: inside.errno(act) for act in PROCESS} == PROCESS
