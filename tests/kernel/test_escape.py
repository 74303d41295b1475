# SPDX-License-Identifier: GPL-2.0-only
"""No way out through the kernel: what would weaken the engine is refused in every domain, and to nobody else.

Each way is tried by a process outside first, for which it goes as its row says; then by one in a domain that rules on
something else, which gets EPERM and is reported. So a test here fails where a way is refused to all, or could not be tried.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filesystem
import operation
import pytest
import rule
import trigger
import way
from member import Member

from landlock_bpf import abi, controller, engine, record
from landlock_bpf.abi import Action

PINS = way.BPFFS / "escape"  # not landlock-bpf-: those are cleared up
FS_XFLAG_IMMUTABLE = 0x8
FOREIGN = Path("/sys/fs/cgroup/landlock-bpf-tests")


@pytest.fixture
def outside() -> Iterator[Member]:
    """A process in no domain."""
    with Member() as started:
        yield started


@pytest.fixture
def bound(inside: Member, attach: rule.Attach) -> Member:
    """A process in a domain whose policy speaks of nothing that is tried here."""
    attach(rule.make(Action.MAKE_FIFO, default="allow"))
    return inside


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


# What controls the kernel; what is not there in this guest is left out below.
VITAL = (
    "/proc/sys/kernel/ftrace_enabled",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/kexec_load_disabled",
    "/proc/sys/kernel/unprivileged_bpf_disabled",
    "/proc/sys/kernel/usermodehelper/bset",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/fs/protected_symlinks",
    "/proc/sys/net/core/bpf_jit_enable",
    "/proc/sys/net/core/bpf_jit_harden",
    "/proc/sys/net/core/bpf_jit_kallsyms",
    "/proc/sys/net/core/bpf_jit_limit",
    "/proc/sysrq-trigger",
    "/proc/irq/default_smp_affinity",
    "/sys/kernel/mm/ksm/run",
    "/sys/kernel/debug/clear_warn_once",
    "/sys/kernel/tracing/tracing_on",
    "/sys/module/kernel/parameters/panic",
    "/sys/power/state",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    "/sys/devices/system/machinecheck/machinecheck0/check_interval",
)
# By these a disk goes and comes back with another number, its filesystem with no rule.
PRESENCE = (
    "/sys/devices/pci0000:00/0000:00:00.0/remove",
    "/sys/devices/pci0000:00/0000:00:00.0/rescan",
    "/sys/devices/pci0000:00/0000:00:00.0/driver_override",
    "/sys/devices/pci0000:00/pci_bus/0000:00/rescan",
)
HARMLESS = (
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/user/max_user_namespaces",
    "/proc/self/comm",
    "/proc/self/oom_score_adj",
    "/sys/devices/virtual/net/lo/mtu",
    "/sys/devices/pci0000:00/0000:00:00.0/power/control",
)


def there(paths: tuple[str, ...]) -> list[str]:
    return [path for path in paths if os.path.exists(path)]


def test_files_that_control_the_kernel(bound: Member, outside: Member, reported: Callable[[], set[tuple[str, str]]]) -> None:
    with mounted("debugfs", "/sys/kernel/debug"), mounted("tracefs", "/sys/kernel/tracing"):
        tried = there(VITAL)
        assert len(tried) >= 15, tried
        for path in tried:
            assert outside.errno(way.write_only, path) == 0, path
            assert bound.errno(way.write_only, path) == errno.EPERM, path
            assert bound.errno(way.reopen, path) == errno.EPERM, path
            bound.errno(way.read_only, path)  # of some nobody may: it is the walk that is remembered
            assert bound.errno(way.write_only, path) == errno.EPERM, path
    # The kernel asks for itself whether tracefs may be read.
    assert reported() - {("locked_down", "domain")} == {("file_open", "domain")}
    assert bound.errno(way.read_only, "/proc/sys/kernel/core_pattern") == 0


def test_files_by_which_disks_come_and_go(bound: Member, outside: Member) -> None:
    for path in PRESENCE:
        assert outside.errno(way.write_only, path) == 0, path
        assert bound.errno(way.write_only, path) == errno.EPERM, path


# Filesystems that have one, with what they are mounted with; the twin of that in cgroup v1 is written as usual.
STARTERS = (("cgroup", "none,name=landlock-bpf-tests", "release_agent"), ("binfmt_misc", "", "register"))


@pytest.mark.parametrize(("kind", "data", "name"), STARTERS, ids=[row[0] for row in STARTERS])
def test_files_that_name_a_program(
    kind: str, data: str, name: str, tree: Path, bound: Member, outside: Member, reported: Callable[[], set[tuple[str, str]]]
) -> None:
    """The kernel starts it: for nobody in particular, or for whoever executes something."""
    subprocess.run(["modprobe", "-a", "-q", "binfmt_misc"], check=True)
    with filesystem.mounted("none", tree / "mounted", kind, data=data) as place:
        for path in (place / name, place / ("notify_on_release" if kind == "cgroup" else "status")):
            assert outside.errno(way.write_only, path) == 0, path
        assert bound.errno(way.write_only, place / name) == errno.EPERM
        assert bound.errno(way.reopen, place / name) == errno.EPERM
        assert reported() == {("file_open", "domain")}
        if kind == "cgroup":
            assert bound.errno(way.write_only, place / "notify_on_release") == 0


FOLDERS = (("tracefs", "/sys/kernel/tracing", "instances"), ("configfs", "/sys/kernel/config", "nvmet/hosts"))


@pytest.mark.parametrize(("kind", "place", "around"), FOLDERS)
def test_folders_that_control_the_kernel(kind: str, place: str, around: str, bound: Member, outside: Member) -> None:
    """By a folder of configfs somebody is let in to a disk that is served to others; it takes no writing."""
    subprocess.run(["modprobe", "nvmet"], check=True)
    with mounted(kind, place):
        folder = Path(place, around, "landlock-bpf")
        assert bound.errno(way.make_dir, folder) == errno.EPERM
        assert outside.errno(way.make_dir, folder) == 0
        assert bound.errno(way.remove_dir, folder) == errno.EPERM
        assert outside.errno(way.remove_dir, folder) == 0


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
    assert bound.errno(trigger.set_named, tree / "file", trigger.ACL, trigger.ACL_VALUE) == 0
    assert bound.errno(os.removexattr, tree / "file", trigger.ACL) == 0
    for path in (record.RUN / "lock", record.RULESETS):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert bound.errno(trigger.set_named, path, trigger.ACL, trigger.ACL_VALUE) == errno.EPERM, path
        try:
            assert outside.errno(trigger.set_named, path, trigger.ACL, trigger.ACL_VALUE) == 0, path
            assert bound.errno(os.removexattr, path, trigger.ACL) == errno.EPERM, path
            assert outside.errno(os.removexattr, path, trigger.ACL) == 0, path
        finally:
            path.chmod(mode)


def test_records_that_nobody_can_change(tree: Path, bound: Member, outside: Member) -> None:
    """Commands open their lock to write, whoever gives them."""
    lock = record.RUN / "lock"
    try:
        if outside.errno(trigger.set_flags, lock, FS_XFLAG_IMMUTABLE) == errno.ENOSYS:
            pytest.skip("absent: inode_file_setattr")
        assert outside.errno(way.write_only, lock) == errno.EPERM
    finally:
        outside.errno(trigger.set_flags, lock, 0)
    for path in (lock, record.RUN, record.RULESETS):
        assert bound.errno(trigger.set_flags, path, FS_XFLAG_IMMUTABLE) == errno.EPERM, path
    assert outside.errno(way.write_only, lock) == 0
    (tree / "file").write_text("")
    for flags in (FS_XFLAG_IMMUTABLE, 0):
        assert bound.errno(trigger.set_flags, tree / "file", flags) == 0


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


def test_files_that_control_less(bound: Member) -> None:
    for path in there(HARMLESS):
        assert bound.errno(way.write_only, path) == 0, path


@contextlib.contextmanager
def mounted(kind: str, place: str) -> Iterator[None]:
    """Have a filesystem of the kernel mounted, as most systems have."""
    if os.path.ismount(place) or not os.path.isdir(place):
        yield
        return
    way.mount(kind, place)
    try:
        yield
    finally:
        way.check(way._libc.umount2(os.fsencode(place), way.MNT_DETACH))


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
def test_mounts_by_which_the_engine_is_found(place: str, cgroup: Path, attach: rule.Attach, outside: Member) -> None:
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


def test_descriptors_that_are_received(
    bound: Member, outside: Member, reported: Callable[[], set[tuple[str, str]]], cgroup: Path, attach: rule.Attach
) -> None:
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
