# SPDX-License-Identifier: GPL-2.0-only
"""Operations on open files, and on descriptors that come from elsewhere: inherited, received, taken."""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import mmap
import os
import socket
import struct
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf.compare import calls
from landlock_bpf.compare.operation import AROUND, READ, UNSAID, WRITE, Table
from landlock_bpf.compare.operations_reading import expect_text
from landlock_bpf.compare.scene import BESIDE, ELSEWHERE, INSIDE, READ_ONLY, TEXT, Scene

if TYPE_CHECKING:
    from landlock_bpf.compare.stage import Stage

TABLE = Table("descriptors")
SYS_PIDFD_GETFD = 438  # include/uapi/asm-generic/unistd.h
RNDGETENTCNT, FIONREAD = 0x80045200, 0x541B
_OPENED = "Landlock, AppArmor, TOMOYO and our policies decide at open(2); 2017's rules are asked at each use."


@TABLE.at(INSIDE, need=READ, why=_OPENED)
def read_inherited(_folder: Path, scene: Scene) -> None:
    """read(2) a denied file that was left open at the start."""
    if os.read(scene.file, len(TEXT)) != TEXT.encode():
        raise FileNotFoundError(errno.ENOENT, "another file stands there")


@TABLE.at(INSIDE, need=READ, why="To lock is no access for Landlock; 2017 had an event for it, our policies have an action.")
def lock_inherited(_folder: Path, scene: Scene) -> None:
    """flock(2) a denied file that was left open at the start."""
    fcntl.flock(scene.file, fcntl.LOCK_SH)


@TABLE.at(INSIDE, need=READ, why="Only rules that are asked about fcntl(2) itself see this; Landlock has no right for it.")
def fcntl_inherited(_folder: Path, scene: Scene) -> None:
    """fcntl(2) F_GETFL on a denied file that was left open at the start."""
    fcntl.fcntl(scene.file, fcntl.F_GETFL)


@TABLE.at(
    INSIDE,
    need=READ,
    why="Landlock rules on the ioctl(2)s of devices alone; TOMOYO and our policies have a word for those of files.",
)
def ioctl_inherited(_folder: Path, scene: Scene) -> None:
    """ioctl(2) FIONREAD on a denied file that was left open at the start."""
    fcntl.ioctl(scene.file, FIONREAD, bytes(4))


@TABLE.at(
    INSIDE,
    need=READ,
    why="It takes a hook on fstat(2); AppArmor's refuses a file of another mount namespace, which has no path here.",
)
def fstat_inherited(_folder: Path, scene: Scene) -> None:
    """fstat(2) a denied file that was left open at the start."""
    os.fstat(scene.file)


@TABLE.at(INSIDE, need=READ, why="To map is to read, by a descriptor that is there: refused by what is asked at each use.")
def map_inherited(_folder: Path, scene: Scene) -> None:
    """mmap(2) a denied file that was left open at the start."""
    calls.map_file(scene.file, mmap.PROT_READ)


@TABLE.at(INSIDE, need=READ, why="To map as code is asked about by a hook of its own, open file or not.")
def map_inherited_as_code(_folder: Path, scene: Scene) -> None:
    """mmap(2) with PROT_EXEC a denied file that was left open at the start."""
    calls.map_file(scene.file, mmap.PROT_READ | mmap.PROT_EXEC)


@TABLE.at(INSIDE, need=AROUND, why="To open it anew is to open it: asked wherever reading is, and a mask does not cover it.")
def reopen_inherited(_folder: Path, scene: Scene) -> None:
    """open(2) by /proc/self/fd a denied file that was left open at the start."""
    expect_text(os.open(f"/proc/self/fd/{scene.file}", os.O_RDONLY))


@TABLE.at(
    INSIDE,
    need=AROUND,
    why="A directory's descriptor from before leads past every mask, as in the escapes of 2024; hooks at open(2) stand there.",
)
def open_at_inherited(_folder: Path, scene: Scene) -> None:
    """openat(2) from the denied directory, left open with O_PATH at the start."""
    expect_text(os.open("file", os.O_RDONLY, dir_fd=scene.folder))


@TABLE.at(
    INSIDE,
    need=AROUND,
    why="The same way with a change at its end: Landlock has no right for modes, so it lets this pass anywhere.",
)
def chmod_at_inherited(_folder: Path, scene: Scene) -> None:
    """fchmodat(2) from the denied directory, left open with O_PATH at the start."""
    os.chmod("file", 0o600, dir_fd=scene.folder)


@contextlib.contextmanager
def _sent(folder: Path, outside: Stage) -> Iterator[None]:
    """Send a denied file, opened outside."""
    fd = os.open(folder / "file", os.O_RDONLY)
    try:
        outside.channel.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    finally:
        os.close(fd)
    yield


@TABLE.at(
    INSIDE,
    need=READ,
    prepare=_sent,
    why="Landlock lets descriptors travel, AppArmor those that the unconfined opened; 2017's rules and our policies are asked.",
)
def receive(_folder: Path, scene: Scene) -> None:
    """recvmsg(2) the descriptor of a denied file from a process outside."""
    with socket.socket(fileno=os.dup(scene.channel)) as channel:
        _data, ancillary, flags, _address = channel.recvmsg(1, socket.CMSG_SPACE(4), socket.MSG_DONTWAIT)
    # A descriptor that may not be received is left out.
    if flags & socket.MSG_CTRUNC or not ancillary:
        raise PermissionError(errno.EACCES, "it did not arrive")
    expect_text(struct.unpack("i", ancillary[0][2])[0])


@TABLE.at(
    INSIDE,
    need=AROUND,
    why="It takes the right to trace: Landlock, AppArmor and we refuse that towards processes outside, mounts do not.",
)
def take_descriptor(_folder: Path, scene: Scene) -> None:
    """pidfd_getfd(2) a denied file that a process outside has open."""
    pidfd = os.pidfd_open(scene.outsider)
    expect_text_at_start(calls.system_call(SYS_PIDFD_GETFD, pidfd, scene.file, 0))


def expect_text_at_start(fd: int) -> None:
    os.lseek(fd, 0, os.SEEK_SET)
    expect_text(fd)


@TABLE.at(
    BESIDE,
    READ_ONLY,
    need=WRITE,
    why="Landlock has a right for it since ABI 5, decided at open(2); this rule program counts no ioctl(2) as a change.",
)
def ioctl_device(folder: Path, _scene: Scene) -> None:
    """ioctl(2) RNDGETENTCNT on a character device of the tree."""
    fcntl.ioctl(os.open(folder / "device", os.O_RDONLY), RNDGETENTCNT, bytes(4))


@TABLE.at(READ_ONLY, need=READ, why="Locks on files that may be read: none of these policies takes them away.")
def lock(folder: Path, _scene: Scene) -> None:
    """flock(2) a file that was opened to be read."""
    fcntl.flock(os.open(folder / "file", os.O_RDONLY), fcntl.LOCK_SH)


@TABLE.at(
    READ_ONLY, need=READ, why="A lease holds up others who open the file; only a rule on fcntl(2) tells it from other commands."
)
def lease(folder: Path, _scene: Scene) -> None:
    """fcntl(2) F_SETLEASE on a file that was opened to be read."""
    fcntl.fcntl(os.open(folder / "file", os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)


@TABLE.at(
    ELSEWHERE,
    need=UNSAID,
    why="What is typed for others is run by them; it takes CAP_SYS_ADMIN on new kernels, and who has it is refused by us.",
)
def type_for_others(_folder: Path, _scene: Scene) -> None:
    """ioctl(2) TIOCSTI: push a character into a terminal's input."""
    _ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSTI, b"\n")
