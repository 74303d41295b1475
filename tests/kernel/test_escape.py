# SPDX-License-Identifier: GPL-2.0-only
"""No way out through the kernel: what would weaken the engine is refused in every domain, and to nobody else.

Each way is tried by a process outside first, for which it goes as its row says; then by one in a domain that rules on
something else, which gets EPERM and is reported. So a test here fails where a way is refused to all, or could not be tried.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rule
import way
from member import Member

from landlock_bpf import abi, controller, engine
from landlock_bpf.abi import Action

PINS = way.BPFFS / "escape"  # not landlock-bpf-: those are cleared up
FOREIGN = Path("/sys/fs/cgroup/landlock-bpf-tests")


@dataclasses.dataclass(frozen=True)
class Row:
    """A way: how it goes outside (an errno, 0: well), and the hook that refuses it inside."""

    run: Callable[..., Any]
    hook: str
    outside: int = 0
    arguments: tuple[Any, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.run.__name__


KERNEL = (
    Row(way.make_map, "bpf"),
    Row(way.init_module, "kernel_load_data", errno.ENOEXEC),
    Row(way.finit_module, "kernel_read_file", errno.ENOEXEC),
    Row(way.finit_compressed, "kernel_read_file", errno.EINVAL),
    Row(way.kexec_load, "kernel_load_data"),
    Row(way.kexec_file_load, "kernel_read_file", errno.ENOEXEC),
    Row(way.read_memory, "locked_down"),
    Row(way.read_kcore, "locked_down"),
    Row(way.use_ports, "locked_down"),
    Row(way.count_kernel, "perf_event_open"),
    Row(way.type_for_others, "file_ioctl"),
)


@pytest.mark.parametrize("row", KERNEL, ids=str)
def test_kernel(row: Row, bound: Member, outside: Member, reported: Callable[[], set[tuple[str, str]]]) -> None:
    assert outside.errno(row.run) == row.outside
    assert reported() == set()
    assert bound.errno(row.run) == errno.EPERM
    assert (row.hook, "domain") in reported()


# include/uapi/linux/kd.h and input.h: what the keys of all consoles give.
KEYBOARD = {
    "KDSKBENT": 0x4B47,
    "KDSKBSENT": 0x4B49,
    "KDSKBDIACR": 0x4B4B,
    "KDSETKEYCODE": 0x4B4D,
    "KDSKBDIACRUC": 0x4BFB,
    "EVIOCSKEYCODE": 0x40084504,
    "EVIOCSKEYCODE_V2": 0x40284504,
}


def test_commands_of_keyboards(bound: Member, outside: Member) -> None:
    """They are refused before any driver is asked: the terminal here has no keyboard."""
    found = {name: outside.errno(way.command_to_terminal, command) for name, command in KEYBOARD.items()}
    assert found == dict.fromkeys(KEYBOARD, errno.ENOTTY)
    found = {name: bound.errno(way.command_to_terminal, command) for name, command in KEYBOARD.items()}
    assert found == dict.fromkeys(KEYBOARD, errno.EPERM)


def test_every_bpf_command(bound: Member, outside: Member) -> None:
    assert outside.ask(way.bpf_errnos) - {errno.EPERM}
    assert bound.ask(way.bpf_errnos) == {errno.EPERM}


def test_counting_oneself_is_no_way_out(bound: Member, cgroup: Path) -> None:
    with Member(cgroup) as unprivileged:
        expected = unprivileged.errno(way.count_own)
    assert expected in (0, errno.EACCES), "the kernel's own perf_event_paranoid"


@pytest.fixture
def pins() -> Iterator[Path]:
    """A folder of the bpffs with a pinned map."""
    PINS.mkdir()
    way.pin_map(PINS / "map")
    (PINS / "folder").mkdir()
    yield PINS
    for path in PINS.iterdir():
        path.rmdir() if path.is_dir() else path.unlink()
    PINS.rmdir()


PIN_ROWS = (
    Row(way.unlink, "path_unlink", arguments=("map",)),
    Row(way.remove_dir, "path_rmdir", arguments=("folder",)),
    Row(way.rename, "path_rename", arguments=("map",)),
    Row(way.link, "path_link", arguments=("map",)),
    Row(way.symlink, "path_symlink", arguments=("map",)),
    Row(way.make_dir, "path_mkdir", arguments=("new",)),
    Row(way.open_up, "path_chmod", arguments=("map",)),
    Row(way.give_away, "path_chown", arguments=("map",)),
)


@pytest.mark.parametrize("row", PIN_ROWS, ids=str)
def test_pins(row: Row, pins: Path, bound: Member, outside: Member, reported: Callable[[], set[tuple[str, str]]]) -> None:
    target = pins / row.arguments[0]
    assert bound.errno(row.run, target) == errno.EPERM
    assert reported() == {(row.hook, "domain")}
    assert outside.errno(row.run, target) == 0


@pytest.mark.parametrize("place", [str(way.BPFFS), "/sys/fs/cgroup"])
def test_mounts_by_which_the_engine_is_found(place: str, cgroup: Path, attach: rule.Attach) -> None:
    """Not even a policy that allows mounts lets them be covered or taken away."""
    attach(rule.make(Action.MOUNT, rule.allow("/", Action.MOUNT)))
    for run in (way.mount_over, way.remount, way.unmount):
        with Member(cgroup) as bound, Member() as free:
            assert bound.errno(run, Path(place)) == errno.EPERM
            assert free.errno(run, Path(place)) == 0


def test_filesystems_that_may_not_be_mounted(
    tree: Path, cgroup: Path, attach: rule.Attach, reported: Callable[[], set[tuple[str, str]]]
) -> None:
    """One of the options of cgroup v1 is a program that the kernel starts; an overlayfs has its layers in another place."""
    for name in ("lower", "upper", "work", "place"):
        (tree / name).mkdir()
    # Before that hook an overlayfs tries whether its upper directory takes attributes; newer kernels do as its maker then.
    attributes = {("inode_setxattr", "domain")}
    mounts: tuple[tuple[str, str, set[tuple[str, str]]], ...] = (
        ("cgroup", "none,name=landlock-bpf", set()),
        ("overlay", f"lowerdir={tree}/lower,upperdir={tree}/upper,workdir={tree}/work", attributes),
        ("overlay", f"lowerdir={tree}/lower:{tree}/upper", set()),
    )
    attach(rule.make(Action.MOUNT, rule.allow("/", Action.MOUNT)))
    with Member(cgroup) as bound, Member() as free:
        bound.ask(way.own_mounts)
        free.ask(way.own_mounts)
        assert bound.errno(way.make_overlay, tree) == errno.EPERM
        assert reported() == {("sb_set_mnt_opts", "domain")}
        assert free.errno(way.make_overlay, tree) == 0
        for kind, data, tried in mounts:
            assert bound.errno(way.mount, kind, tree / "place", 0, data) == errno.EPERM
            assert reported() - tried == {("sb_set_mnt_opts", "domain")}
            assert free.errno(way.mount, kind, tree / "place", 0, data) == 0
        assert bound.errno(way.mount, "tmpfs", tree / "place") == 0


def test_unload(bound: Member, live: controller.Controller) -> None:
    assert bound.ask(unload) != 0
    assert engine.PINS.is_dir()
    assert any(info.kind == abi.Kind.CGROUP for info in live.list())


def unload() -> int:
    return subprocess.run(
        [*way.module_of_the_command(), "unload"], check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ).returncode


def test_in_process_domains(live: controller.Controller, cleared: None) -> None:
    """What binds members of a control group binds process domains as well."""
    with Member() as member:
        pidfd = os.pidfd_open(member.pid)
        try:
            live.confine(pidfd, [rule.make(Action.MAKE_FIFO, default="allow")])
        finally:
            os.close(pidfd)
        assert member.ask(way.bpf_errnos) == {errno.EPERM}
        assert member.errno(way.init_module) == errno.EPERM
        assert member.errno(way.write_only, "/proc/sys/kernel/core_pattern") == errno.EPERM


def test_where_no_policy_is_enforced(inside: Member, attach: rule.Attach, reported: Callable[[], set[tuple[str, str]]]) -> None:
    """A domain that merely reports lets these pass too, and says so."""
    attach(rule.make(Action.MAKE_FIFO, default="allow", permissive=True))
    assert inside.errno(way.kexec_load) == 0
    assert ("kernel_load_data", "domain") in reported()


def test_descriptors_that_are_received(bound: Member, reported: Callable[[], set[tuple[str, str]]], cgroup: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    vital = Path("/proc/sys/kernel/core_pattern"), FOREIGN / "cgroup.procs"
    for path, arrives in (*((path, False) for path in vital), (Path("/dev/null"), True)):
        for place, expected in ((cgroup, arrives), (None, True)):
            # Forked here, it has the socket; the domain is there already.
            with Member(place) as receiver:
                way.send(ours, path)
                assert (receiver.errno(receive_from, theirs.fileno()) == 0) == expected, (path, place)
    assert ("file_receive", "domain") in reported()
    ours.close()
    theirs.close()


def receive_from(descriptor: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as channel:
        channel.settimeout(5)
        way.receive(channel)
