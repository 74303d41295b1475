# SPDX-License-Identifier: GPL-2.0-only
"""Commands of ioctl(2) that any file of a filesystem takes, and that go round its paths: refused, whatever the file."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import filesystem
import operation
import pytest
import rule
import way
from member import Member

from landlock_bpf import action_table
from landlock_bpf.abi import Action

# include/uapi/linux/fs.h, fsverity.h, fscrypt.h, btrfs.h, msdos_fs.h and auto_fs.h
FS_IOC_SETVERSION = 0x40087602
FS_IOC_ENABLE_VERITY, FS_IOC_SET_ENCRYPTION_POLICY = 0x40806685, 0x800C6613
BTRFS_IOC_SUBVOL_CREATE, BTRFS_IOC_SUBVOL_CREATE_V2, BTRFS_IOC_INO_PATHS = 0x5000940E, 0x50009418, 0xC0389423
AUTOFS_IOC_EXPIRE_MULTI = 0x40049366
FS_IOC_SHUTDOWN, FIFREEZE, FITHAW = 0x8004587D, 0xC0045877, 0xC0045878
FAT_IOCTL_GET_ATTRIBUTES, FAT_IOCTL_SET_ATTRIBUTES = 0x80047210, 0x40047211
# Those that change which object a file is, that make something without a name being asked for, or that tell of any file.
COMMANDS = {
    "FS_IOC_SETVERSION": FS_IOC_SETVERSION,
    "FS_IOC32_SETVERSION": 0x40047602,
    "EXT4_IOC_SETVERSION_OLD": 0x40086604,
    "EXT4_IOC32_SETVERSION_OLD": 0x40046604,
    "OCFS2_IOC_REFLINK": 0x40186F04,
    "BTRFS_IOC_SUBVOL_CREATE": BTRFS_IOC_SUBVOL_CREATE,
    "BTRFS_IOC_SUBVOL_CREATE_V2": BTRFS_IOC_SUBVOL_CREATE_V2,
    "BTRFS_IOC_INO_PATHS": BTRFS_IOC_INO_PATHS,
    "FS_IOC_REMOVE_ENCRYPTION_KEY": 0xC0406618,
    "FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS": 0xC0406619,
    "XFS_IOC_FSBULKSTAT": 0xC0205865,
    "XFS_IOC_FSBULKSTAT_SINGLE": 0xC0205866,
    "XFS_IOC_BULKSTAT": 0x8040587F,
    "XFS_IOC_ATTRLIST_BY_HANDLE": 0x4058587A,
    "XFS_IOC_ATTRLIST_BY_HANDLE_32": 0x4038587A,
    "XFS_IOC_ATTRMULTI_BY_HANDLE": 0x4048587B,
    "XFS_IOC_ATTRMULTI_BY_HANDLE_32": 0x4024587B,
    "XFS_IOC_FSBULKSTAT_32": 0xC0105865,
    "XFS_IOC_FSBULKSTAT_SINGLE_32": 0xC0105866,
    "XFS_IOC_GETPARENTS_BY_HANDLE": 0xC040583F,
    "XFS_IOC_READLINK_BY_HANDLE": 0xC038586C,
    "XFS_IOC_READLINK_BY_HANDLE_32": 0xC01C586C,
    "FS_IOC_SHUTDOWN": FS_IOC_SHUTDOWN,
    "AUTOFS_IOC_READY": 0x9360,
    "AUTOFS_IOC_CATATONIC": 0x9362,
    "AUTOFS_IOC_EXPIRE": 0x810C9365,
    "AUTOFS_IOC_EXPIRE_MULTI": AUTOFS_IOC_EXPIRE_MULTI,
    "AUTOFS_DEV_IOCTL_OPENMOUNT": 0xC0189374,
    "AUTOFS_DEV_IOCTL_SETPIPEFD": 0xC0189378,
    "AUTOFS_DEV_IOCTL_EXPIRE": 0xC018937C,
}


def test_refused_whatever_the_file(tree: Path, inside: Member, attach: rule.Attach) -> None:
    before = {name: inside.errno(filesystem.command, "/dev/null", number) for name, number in COMMANDS.items()}
    assert before == dict.fromkeys(COMMANDS, errno.ENOTTY)
    attach(rule.make(Action.READ_FILE, rule.deny(tree / "secret", Action.READ_FILE), default="allow"))
    after = {name: inside.errno(filesystem.command, "/dev/null", number) for name, number in COMMANDS.items()}
    assert after == dict.fromkeys(COMMANDS, errno.EACCES)


def test_filesystem_ended_or_frozen(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """It would be so for everybody, and what is mounted in its place has no rules."""
    with filesystem.image("ext4", tree, megabytes=16) as place:
        for command in (FIFREEZE, FITHAW):
            assert inside.errno(filesystem.command, place, command) == 0
        attach(rule.make(Action.READ_FILE, rule.deny(place / "secret", Action.READ_FILE), default="allow"))
        assert inside.errno(filesystem.command, place, FIFREEZE) == errno.EACCES
        assert inside.errno(filesystem.command, place, FS_IOC_SHUTDOWN, struct.pack("=i", 0)) == errno.EACCES
        (place / "file").write_text("")
        filesystem.command(place, FS_IOC_SHUTDOWN, struct.pack("=i", 0))
        with pytest.raises(OSError, match="Input/output error"):
            (place / "other").write_text("")


READING, SETTING = FAT_IOCTL_GET_ATTRIBUTES, FAT_IOCTL_SET_ATTRIBUTES


@pytest.mark.parametrize(
    ("denied", "refused"), [(Action.CHMOD, SETTING), (Action.FILE_SETATTR, SETTING), (Action.FILE_GETATTR, READING)]
)
def test_attributes_of_fat(denied: Action, refused: int, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """They are a file's mode, too."""
    (tree / "file").write_text("")
    attach(rule.make(denied, rule.deny(tree / "file", denied), default="allow"))
    for command in (READING, SETTING):
        expected = errno.EACCES if command == refused else errno.ENOTTY
        assert inside.errno(filesystem.command, tree / "file", command, bytes(4)) == expected


def test_version_of_an_inode(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """With another one it would be another object, that no rule speaks of; to set it takes no right to write."""
    number = struct.pack("=q", 12345)
    with filesystem.image("ext3", tree, megabytes=16) as place:
        for name in ("folder", "other"):
            (place / name).mkdir()
            (place / name / "file").write_text("")
        assert inside.errno(filesystem.command, place / "other", FS_IOC_SETVERSION, number) == 0
        attach(rule.make(Action.WRITE_FILE, rule.deny(place / "folder", Action.WRITE_FILE), default="allow"))
        assert inside.errno(way.write_only, place / "folder/file") == errno.EACCES
        assert inside.errno(filesystem.command, place / "folder", FS_IOC_SETVERSION, number) == errno.EACCES
        assert inside.errno(way.write_only, place / "folder/file") == errno.EACCES
        assert inside.errno(way.write_only, place / "other/file") == 0


def make_subvolume(folder: Path, name: str) -> None:
    filesystem.command(folder, BTRFS_IOC_SUBVOL_CREATE, struct.pack("=q", 0) + name.encode())


def make_subvolume_anew(folder: Path, name: str) -> None:
    filesystem.command(folder, BTRFS_IOC_SUBVOL_CREATE_V2, bytes(56) + name.encode())


def paths_of(folder: Path, number: int) -> None:
    room = ctypes.create_string_buffer(4096)
    arguments = struct.pack("=QQ32xQ", number, len(room), ctypes.addressof(room))
    filesystem.command(folder, BTRFS_IOC_INO_PATHS, arguments)
    assert b"secret/name" in room.raw


def test_subvolumes(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """They are directories that no hook is asked for; and a file's names are told to whoever has its number."""
    with filesystem.image("btrfs", tree) as place:
        (place / "folder").mkdir()
        (place / "secret").mkdir()
        (place / "secret/name").write_text("")
        os.sync()
        number = (place / "secret/name").stat().st_ino
        for make in (make_subvolume, make_subvolume_anew):
            assert inside.errno(make, place / "folder", make.__name__) == 0
        assert inside.errno(paths_of, place, number) == 0
        rules = rule.deny(place / "folder", Action.MAKE_DIR), rule.deny(place / "later", Action.READ_FILE)
        attach(rule.make(Action.MAKE_DIR | Action.READ_FILE, *rules, default="allow"))
        assert inside.errno(way.make_dir, place / "later") == errno.EACCES
        for make in (make_subvolume, make_subvolume_anew):
            assert inside.errno(make, place / "folder", "new") == errno.EACCES
            assert inside.errno(make, place, "later") == errno.EACCES
        assert inside.errno(paths_of, place, number) == errno.EACCES
        assert sorted(each.name for each in place.iterdir()) == ["folder", "secret"]


def enable_verity(path: Path) -> None:
    arguments = struct.pack("=IIII", 1, 1, os.sysconf("SC_PAGE_SIZE"), 0)  # version, SHA-256, size of blocks, no salt
    filesystem.command(path, FS_IOC_ENABLE_VERITY, arguments)


def encrypt(path: Path) -> None:
    filesystem.command(path, FS_IOC_SET_ENCRYPTION_POLICY, bytes([0, 1, 4, 3]) + bytes(8))  # AES-256, by a key that is nowhere


@pytest.mark.parametrize(("act", "kind"), [(enable_verity, "file"), (encrypt, "folder")], ids=["verity", "encryption"])
def test_attributes(act: Callable[[Path], None], kind: str, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """They make a file that is open for reading one that nobody writes to any more, or a directory one that nobody enters."""
    disk = tree / "disk"
    with open(disk, "wb") as made:
        made.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-O", "verity,encrypt", disk], check=True)
    (tree / "place").mkdir()
    subprocess.run(["mount", "-o", "loop", disk, tree / "place"], check=True)
    try:
        for name in ("secret", "open"):
            top = tree / "place" / name
            (top / "folder").mkdir(parents=True)
            (top / "file").write_text("text")
        denied = action_table.group("write_metadata")
        attach(rule.make(denied, rule.deny(tree / "place/secret", denied), default="allow"))
        assert inside.errno(act, tree / "place/open" / kind) == 0
        assert inside.errno(act, tree / "place/secret" / kind) == errno.EACCES
        assert inside.errno(operation.touch, tree / "place/secret/file", os.O_WRONLY) == 0
    finally:
        subprocess.run(["umount", tree / "place"], check=True)
