# SPDX-License-Identifier: GPL-2.0-only
"""Operations that change what is said about files: modes, owners, times, attributes, ACLs, flags."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from pathlib import Path

from landlock_bpf.compare import calls, uring
from landlock_bpf.compare.operation import METADATA, Table
from landlock_bpf.compare.scene import ACL, ACL_VALUE, ATTRIBUTE, BENEATH, BESIDE, INSIDE, READ_ONLY, Scene

TABLE = Table("metadata")
# include/uapi/asm-generic/unistd.h and include/uapi/linux/fs.h
SYS_FCHMODAT2, SYS_FILE_SETATTR = 452, 469
FS_IOC_SETFLAGS, FS_NODUMP = 0x40086602, 0x40
FS_XFLAG_NODUMP = 0x80
_LACKS = "Landlock has no right for metadata; seccomp can refuse the system call for all files or for none."
_NO_RIGHT = "Landlock, AppArmor and TOMOYO have no right for it; seccomp can refuse the system call for all files or for none."


@TABLE.at(INSIDE, BENEATH, BESIDE, READ_ONLY, need=METADATA, why=_LACKS)
def chmod(folder: Path, _scene: Scene) -> None:
    """chmod(2) a file."""
    os.chmod(folder / "file", 0o600)


@TABLE.at(READ_ONLY, need=METADATA, why=_LACKS)
def chmod_directory(folder: Path, _scene: Scene) -> None:
    """chmod(2) a directory."""
    os.chmod(folder / "folder", 0o700)


@TABLE.at(
    READ_ONLY,
    need=METADATA,
    why="A descriptor for reading is enough to change the mode, so the right to open does not guard it.",
)
def fchmod(folder: Path, _scene: Scene) -> None:
    """fchmod(2) a file that was opened to be read."""
    os.fchmod(os.open(folder / "file", os.O_RDONLY), 0o600)


@TABLE.at(
    READ_ONLY,
    need=METADATA,
    why="Filters written before this system call was there let it pass, unless they refuse what they do not know.",
    lacks="fchmodat2(2) came with Linux 6.6",
)
def fchmodat2(folder: Path, _scene: Scene) -> None:
    """fchmodat2(2) a file by a descriptor that was opened with O_PATH."""
    fd = os.open(folder / "file", os.O_PATH)
    calls.system_call(SYS_FCHMODAT2, fd, b"", 0o600, calls.AT_EMPTY_PATH)


@TABLE.at(
    READ_ONLY, need=METADATA, why="The path says /proc, the file is another: path-based mechanisms must follow it, and do."
)
def chmod_through_proc(folder: Path, _scene: Scene) -> None:
    """chmod(2) by /proc/self/fd of a descriptor that was opened with O_PATH."""
    os.chmod(f"/proc/self/fd/{os.open(folder / 'file', os.O_PATH)}", 0o600)


@TABLE.at(INSIDE, BESIDE, READ_ONLY, need=METADATA, why=_LACKS)
def chown(folder: Path, _scene: Scene) -> None:
    """chown(2) a file."""
    os.chown(folder / "file", 1, 1)


@TABLE.at(READ_ONLY, need=METADATA, why=_LACKS)
def lchown(folder: Path, _scene: Scene) -> None:
    """lchown(2) a symbolic link."""
    os.lchown(folder / "link", 1, 1)


@TABLE.at(INSIDE, BESIDE, READ_ONLY, need=METADATA, why=_NO_RIGHT)
def utime(folder: Path, _scene: Scene) -> None:
    """utimensat(2): set a file's times."""
    os.utime(folder / "file", (1, 1))


@TABLE.at(
    READ_ONLY,
    need=METADATA,
    why="The kernel lets whoever may write set the times to now; who has a right for times asks as for any other time.",
)
def utime_now(folder: Path, _scene: Scene) -> None:
    """utimensat(2): set a directory's times to now."""
    os.utime(folder / "folder")


@TABLE.at(INSIDE, BESIDE, READ_ONLY, need=METADATA, why=_NO_RIGHT)
def setxattr(folder: Path, _scene: Scene) -> None:
    """setxattr(2)."""
    os.setxattr(folder / "file", "user.other", b"x")


@TABLE.at(READ_ONLY, need=METADATA, why=_NO_RIGHT)
def removexattr(folder: Path, _scene: Scene) -> None:
    """removexattr(2)."""
    os.removexattr(folder / "file", ATTRIBUTE)


@TABLE.at(
    READ_ONLY,
    need=METADATA,
    why="The ring calls the file system without the system call that a filter knows; a filter must refuse rings.",
)
def setxattr_by_ring(folder: Path, _scene: Scene) -> None:
    """IORING_OP_SETXATTR: set an attribute through io_uring."""
    uring.setxattr(folder / "file", "user.other", b"x")


@TABLE.at(
    INSIDE,
    BESIDE,
    READ_ONLY,
    need=METADATA,
    why="An ACL is set as an attribute is, but a hook of its own asks about it; Landlock, AppArmor and TOMOYO have none.",
)
def set_acl(folder: Path, _scene: Scene) -> None:
    """setxattr(2) an ACL, as setfacl(1) does."""
    os.setxattr(folder / "file", ACL, ACL_VALUE)


@TABLE.at(
    BESIDE,
    READ_ONLY,
    need=METADATA,
    why="Flags are set by an ioctl(2) on a file opened to be read; a filter can tell the command, this rule program does not.",
)
def set_flags(folder: Path, _scene: Scene) -> None:
    """ioctl(2) FS_IOC_SETFLAGS, as chattr(1) does."""
    fcntl.ioctl(os.open(folder / "file", os.O_RDONLY), FS_IOC_SETFLAGS, struct.pack("q", FS_NODUMP))


@TABLE.at(
    INSIDE,
    READ_ONLY,
    need=METADATA,
    why="The system call is new, and takes a path; older filters do not know it.",
    lacks="file_setattr(2) came with Linux 6.17",
)
def file_setattr(folder: Path, _scene: Scene) -> None:
    """file_setattr(2): set flags by path."""
    wanted = struct.pack("QIIII", FS_XFLAG_NODUMP, 0, 0, 0, 0)  # struct file_attr
    name = os.fsencode(folder / "file")
    calls.system_call(SYS_FILE_SETATTR, calls.AT_FDCWD, name, wanted, ctypes.c_size_t(len(wanted)), 0)
