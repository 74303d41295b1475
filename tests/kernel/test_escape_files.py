# SPDX-License-Identifier: GPL-2.0-only
"""Files and folders by which the kernel is controlled, in /proc, /sys and elsewhere: not written or made in any domain."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import filesystem
import fuse
import pytest
import way
from member import Member

from landlock_bpf.compare import calls

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


def test_files_that_end_a_filesystem(tree: Path, bound: Member, outside: Member) -> None:
    """What others mount in its place has no rules."""
    (tree / "target").write_text("")
    (tree / "place").mkdir()
    with Member() as server:
        fd = server.ask(fuse.hold, tree / "place", tree / "target")
        with mounted("fusectl", "/sys/fs/fuse/connections"):
            number = os.minor((tree / "place").stat().st_dev)
            control = Path(f"/sys/fs/fuse/connections/{number}/abort")
            assert outside.errno(way.write_only, control) == 0
            assert bound.errno(way.write_only, control) == errno.EPERM
        server.ask(os.close, fd)
        calls.umount(tree / "place")


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
