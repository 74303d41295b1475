# SPDX-License-Identifier: GPL-2.0-only
"""Disks by other ways than their nodes: who reads or copies a disk has what its filesystems deny."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import mmap
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import deadline
import filesystem
import operation
import pytest
import rule
import way
from member import Member

from landlock_bpf import controller, events
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls, uring

# include/uapi/scsi/sg.h, linux/nvme_ioctl.h, mmc/ioctl.h, cciss_ioctl.h and btrfs.h; drivers/message/fusion, and megaraid,
# mpt3sas and aacraid in drivers/scsi
BTRFS_IOC_ADD_DEV, BTRFS_IOC_RM_DEV = 0x5000940A, 0x5000940B
NVME_URING_CMD_IO = 0xC0484E80
COMMANDS = {
    "SG_IO": 0x2285,
    "NVME_IOCTL_ADMIN_CMD": 0xC0484E41,
    "NVME_IOCTL_SUBMIT_IO": 0x40304E42,
    "NVME_IOCTL_IO_CMD": 0xC0484E43,
    "NVME_IOCTL_ADMIN64_CMD": 0xC0504E47,
    "NVME_IOCTL_IO64_CMD": 0xC0504E48,
    "NVME_IOCTL_IO64_CMD_VEC": 0xC0504E49,
    "MMC_IOC_CMD": 0xC048B300,
    "MMC_IOC_MULTI_CMD": 0xC008B301,
    "CCISS_PASSTHRU": 0xC058420B,
    "CCISS_PASSTHRU32": 0xC054420B,
    "CCISS_BIG_PASSTHRU": 0xC0604212,
    "CCISS_BIG_PASSTHRU32": 0xC0584212,
    "MEGASAS_IOC_FIRMWARE": 0xC1944D01,
    "MEGASAS_IOC_FIRMWARE32": 0xC1144D01,
    "MPT3COMMAND": 0xC0484C14,
    "MPT3COMMAND32": 0xC0384C14,
    "MPTCOMMAND": 0xC0486D14,
    "MPTCOMMAND32": 0xC0386D14,
    "FSACTL_SENDFIB": 0x42008,
    "FSACTL_SEND_RAW_SRB": 0x4204C,
    "BTRFS_IOC_ADD_DEV": BTRFS_IOC_ADD_DEV,
    "BTRFS_IOC_RM_DEV": BTRFS_IOC_RM_DEV,
    "BTRFS_IOC_RM_DEV_V2": 0x5000943A,
    "BTRFS_IOC_DEV_REPLACE": 0xCA289435,
}
SWAP_PAGES = 64


@pytest.fixture
def deny(tree: Path, attach: rule.Attach) -> Callable[[], object]:
    """Put a policy in force that speaks of nothing that is tried here."""
    return lambda: attach(rule.make(Action.READ_FILE, rule.deny(tree / "secret", Action.READ_FILE), default="allow"))


def test_commands_to_drivers(inside: Member, deny: Callable[[], object]) -> None:
    """The nodes of NVMe's controllers and of SCSI's bsg have no fixed numbers: refused is what they are told."""
    before = {name: inside.errno(filesystem.command, "/dev/null", number) for name, number in COMMANDS.items()}
    assert before == dict.fromkeys(COMMANDS, errno.ENOTTY)
    deny()
    after = {name: inside.errno(filesystem.command, "/dev/null", number) for name, number in COMMANDS.items()}
    assert after == dict.fromkeys(COMMANDS, errno.EACCES)


@contextlib.contextmanager
def nvme(folder: Path) -> Iterator[Path]:
    """Have an NVMe disk of the kernel's own making; gives the character device of its namespace."""
    for module in ("nvmet", "nvme-loop"):
        subprocess.run(["modprobe", module], check=True)
    (folder / "nvme.img").write_bytes(bytes(8 << 20))
    with filesystem.mounted("none", folder / "config", "configfs") as config:
        subsystem, port = config / "nvmet/subsystems/disk", config / "nvmet/ports/1"
        space, link = subsystem / "namespaces/1", port / "subsystems/disk"
        for made in (subsystem, space, port):
            made.mkdir()
        (subsystem / "attr_allow_any_host").write_text("1")
        for name, value in (("device_path", str(folder / "nvme.img")), ("buffered_io", "1"), ("enable", "1")):
            (space / name).write_text(value)
        (port / "addr_trtype").write_text("loop")
        link.symlink_to(subsystem)
        fabrics = os.open("/dev/nvme-fabrics", os.O_RDWR)
        os.write(fabrics, b"transport=loop,nqn=disk")
        number = os.read(fabrics, 100).decode().partition("instance=")[2].partition(",")[0]
        os.close(fabrics)
        node = Path(f"/dev/ng{number}n1")
        deadline.until(node.exists, "there is the node of its namespace")
        try:
            yield node
        finally:
            Path(f"/sys/class/nvme/nvme{number}/delete_controller").write_text("1")
            link.unlink()
            for made in (port, space, subsystem):
                made.rmdir()


def command_by_ring(node: Path) -> None:
    """Give a command, by a ring whose entries are too short for it."""
    fd = os.open(node, os.O_RDONLY)
    try:
        with uring.entry(uring.OP_URING_CMD, 0, 0, fd, NVME_URING_CMD_IO, 0, 0, 0, 1) as submit:
            submit()
    finally:
        os.close(fd)


def test_commands_by_io_uring(tree: Path, inside: Member, attach: rule.Attach, live: controller.Controller) -> None:
    """They are refused before the driver has them, but where a rule allows its disks."""
    with nvme(tree) as node:
        by_driver = inside.errno(command_by_ring, node)
        assert by_driver in (errno.EOPNOTSUPP, errno.EINVAL)
        name = attach(rule.make(Action.READ_FILE, rule.deny(tree / "secret", Action.READ_FILE), default="allow"))
        assert inside.errno(way.read_only, node) == 0
        assert inside.errno(command_by_ring, node) == errno.EACCES
        live.update(name, [rule.make(Action.OPEN_BLOCK, rule.allow(node, Action.OPEN_BLOCK), default="allow")])
        assert inside.errno(command_by_ring, node) == by_driver
        live.update(name, [rule.make(Action.IOCTL_DEV | Action.OPEN_BLOCK, rule.allow(node, Action.OPEN_BLOCK))])
        assert inside.errno(command_by_ring, node) == errno.EACCES


@pytest.fixture
def disk(tree: Path) -> Iterator[Path]:
    """A loop device with nothing on it."""
    with open(tree / "disk", "wb") as made:
        made.truncate(128 << 20)
    device = subprocess.check_output(["losetup", "-f", "--show", tree / "disk"], text=True).strip()
    yield Path(device)
    subprocess.run(["losetup", "-d", device], check=True)


def test_disks_of_btrfs(tree: Path, disk: Path, inside: Member, deny: Callable[[], object]) -> None:
    """What is on its disks moves to one that is added, which may be a server of the member's own (nbd)."""
    with filesystem.image("btrfs", tree) as place:
        named = struct.pack("=q", 0) + os.fsencode(disk)
        assert inside.errno(filesystem.command, place, BTRFS_IOC_ADD_DEV, named) == 0
        assert inside.errno(filesystem.command, place, BTRFS_IOC_RM_DEV, named) == 0
        deny()
        assert inside.errno(filesystem.command, place, BTRFS_IOC_ADD_DEV, named) == errno.EACCES


def test_disk_that_nobody_has_mounted(
    tree: Path, disk: Path, inside: Member, attach: rule.Attach, live: controller.Controller
) -> None:
    """Who may mount in a place of his own does not read a disk by that, which he may not open."""
    subprocess.run(["mkfs.ext4", "-q", disk], check=True)
    own = tree / "own"
    own.mkdir()
    inside.ask(calls.unshare_mounts)
    assert inside.errno(calls.mount, disk, own, "ext4") == 0
    inside.ask(calls.umount, own)
    allow_mounts = rule.allow(tree, Action.MOUNT)
    name = attach(rule.make(Action.MOUNT, allow_mounts, default="allow"))
    assert inside.errno(calls.mount, "none", own, "tmpfs") == 0
    assert inside.errno(calls.mount, disk, own, "ext4") == errno.EPERM
    opened = rule.make(Action.MOUNT | Action.OPEN_BLOCK, allow_mounts, rule.allow(disk, Action.OPEN_BLOCK), default="allow")
    closed = rule.make(Action.MOUNT, allow_mounts, default="allow")
    live.update(name, [opened, closed])
    for _ in events.read(follow=False):
        pass
    assert inside.errno(calls.mount, disk, own, "ext4") == errno.EPERM
    (told,) = events.read(follow=False)
    assert (told.action, told.reason, told.layer, told.verdict) == (Action.OPEN_BLOCK, "no_rule", 1, events.DENIED)
    assert told.path == "", "the hook is not told which disk it is"
    live.update(name, [opened, dataclasses.replace(closed, permissive=True)])
    assert inside.errno(calls.mount, disk, own, "ext4") == 0
    assert {each.verdict for each in events.read(follow=False) if each.layer == 1} == {events.WOULD_BE_DENIED}
    live.update(name, [opened])
    inside.ask(calls.umount, own, calls.MNT_DETACH)
    assert inside.errno(calls.mount, disk, own, "ext4") == 0


def test_files_that_control_disks(disk: Path, inside: Member, deny: Callable[[], object]) -> None:
    """By those of md, a disk is mirrored to another one."""
    control = Path("/sys/block", disk.name, "queue/read_ahead_kb")
    for path in (control, Path("/sys/class/net/lo/mtu")):
        assert inside.errno(way.write_only, path) == 0, path
    deny()
    assert inside.errno(way.write_only, control) == errno.EPERM
    assert inside.errno(way.write_only, "/sys/class/net/lo/mtu") == 0


def make_swap(path: Path) -> None:
    """Make a file to swap to, as mkswap(8) does."""
    with open(path, "wb") as made:
        made.write(bytes(mmap.PAGESIZE * SWAP_PAGES))
        made.seek(1024)
        made.write(struct.pack("=III", 1, SWAP_PAGES - 1, 0))
        made.seek(mmap.PAGESIZE - 10)
        made.write(b"SWAPSPACE2")
        made.flush()
        os.fsync(made.fileno())


def swap_on(path: Path) -> None:
    calls.check(calls.libc.swapon(os.fsencode(path), 0))


def swap_off(path: Path) -> None:
    calls.check(calls.libc.swapoff(os.fsencode(path)))


def test_swap(tree: Path, inside: Member, deny: Callable[[], object]) -> None:
    """What others have in memory, files of a tmpfs among it, is in the file that it is swapped to."""
    with filesystem.image("ext4", tree, megabytes=16) as place:
        swap = place / "swap"
        inside.ask(make_swap, swap)
        try:
            assert inside.errno(swap_on, swap) == 0
            assert inside.errno(way.read_only, swap) == 0
            swap_off(swap)
            deny()
            assert inside.errno(swap_on, swap) == errno.EACCES
            assert inside.errno(way.read_only, swap) == 0
            assert inside.errno(operation.touch, swap, os.O_RDWR | os.O_EXCL) == errno.EACCES
            assert inside.errno(operation.touch, swap, os.O_RDONLY | os.O_EXCL) == 0
            assert inside.errno(operation.touch, place, os.O_TMPFILE | os.O_RDWR | os.O_EXCL) == 0
            swap_on(swap)
            assert inside.errno(way.read_only, swap) == errno.EACCES
        finally:
            calls.libc.swapoff(os.fsencode(swap))
