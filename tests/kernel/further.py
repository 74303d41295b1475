# SPDX-License-Identifier: GPL-2.0-only
"""The operations that are tried for the actions that Landlock lacks."""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import mmap
import os
import socket
import stat
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from operation import Operation, bind_at, check, with_opened

from landlock_bpf.abi import Action
from landlock_bpf.compare import programs

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

AT_FDCWD = -100
PIDFD_GETFD = 438  # the same on all architectures but alpha
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS = 0x80086601, 0x40086602
FIONREAD = 0x541B
ATTRIBUTE, OTHER = "trusted.attribute", "trusted.other"
ACL = "system.posix_acl_access"
# Version 2; user, group and others, as a mode of 644 has them.
ACL_ENTRIES = struct.pack("=I", 2) + b"".join(struct.pack("=HHi", tag, perm, -1) for tag, perm in ((1, 6), (4, 4), (0x20, 4)))
_BLOCKS = Path("/sys/class/block")
# What others listen on, till the end.
_listening: list[socket.socket] = []


def by_path(path: Path, use: Callable[[int], object]) -> None:
    with_opened(path, os.O_PATH | os.O_NOFOLLOW, use)


def opened(path: Path, use: Callable[[int], object]) -> None:
    with_opened(path, os.O_RDONLY, use)


def chdir(folder: Path) -> None:
    programs.in_child(lambda: os.chdir(folder / "folder"))


def fchdir(folder: Path) -> None:
    by_path(folder / "folder", lambda fd: programs.in_child(lambda: os.fchdir(fd)))


def access(folder: Path) -> None:
    check(_libc.faccessat(AT_FDCWD, os.fsencode(folder / "file"), os.R_OK, 0))


def access_there(folder: Path) -> None:
    check(_libc.faccessat(AT_FDCWD, os.fsencode(folder / "folder"), os.F_OK, 0))


def stat_file(folder: Path) -> None:
    os.stat(folder / "file")


def stat_folder(folder: Path) -> None:
    os.stat(folder / "folder")


def stat_link(folder: Path) -> None:
    os.lstat(folder / "link")


def fstat(folder: Path) -> None:
    by_path(folder / "file", os.fstat)


def readlink(folder: Path) -> None:
    os.readlink(folder / "link")


def getxattr(folder: Path) -> None:
    os.getxattr(folder / "file", ATTRIBUTE)


def get_acl(folder: Path) -> None:
    os.getxattr(folder / "file", ACL)


def listxattr(folder: Path) -> None:
    os.listxattr(folder / "file")


def file_getattr(folder: Path) -> None:
    opened(folder / "file", lambda fd: fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(8)))


def chmod(folder: Path) -> None:
    os.chmod(folder / "file", 0o600)


def chmod_folder(folder: Path) -> None:
    os.chmod(folder / "folder", 0o700)


def fchmod(folder: Path) -> None:
    opened(folder / "file", lambda fd: os.fchmod(fd, 0o600))


def chown(folder: Path) -> None:
    os.chown(folder / "file", 1, 1)


def chown_link(folder: Path) -> None:
    os.lchown(folder / "link", 1, 1)


def utime(folder: Path) -> None:
    os.utime(folder / "file", (1, 1))


def utime_now(folder: Path) -> None:
    os.utime(folder / "folder")


def setxattr(folder: Path) -> None:
    os.setxattr(folder / "file", OTHER, b"x")


def removexattr(folder: Path) -> None:
    os.removexattr(folder / "file", ATTRIBUTE)


def set_acl(folder: Path) -> None:
    os.setxattr(folder / "file", ACL, ACL_ENTRIES)


def remove_acl(folder: Path) -> None:
    os.removexattr(folder / "file", ACL)


def file_setattr(folder: Path) -> None:
    opened(folder / "file", lambda fd: fcntl.ioctl(fd, FS_IOC_SETFLAGS, bytes(8)))


def flock(folder: Path) -> None:
    opened(folder / "file", lambda fd: fcntl.flock(fd, fcntl.LOCK_SH))


def setlk(folder: Path) -> None:
    lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
    opened(folder / "file", lambda fd: fcntl.fcntl(fd, fcntl.F_SETLK, lock))


def getfl(folder: Path) -> None:
    opened(folder / "file", lambda fd: fcntl.fcntl(fd, fcntl.F_GETFL))


def ioctl_file(folder: Path) -> None:
    opened(folder / "file", lambda fd: fcntl.ioctl(fd, FIONREAD, bytes(4)))


def mapped(fd: int, protection: int, use: Callable[[int], object] = lambda address: None) -> None:
    address = _libc.mmap(None, mmap.PAGESIZE, protection, mmap.MAP_PRIVATE, fd, 0)
    if address == ctypes.c_void_p(-1).value:
        check(-1)
    try:
        use(address)
    finally:
        _libc.munmap(address, mmap.PAGESIZE)


def map_exec(folder: Path) -> None:
    opened(folder / "file", lambda fd: mapped(fd, mmap.PROT_READ | mmap.PROT_EXEC))


def mprotect_exec(folder: Path) -> None:
    def protect(address: int) -> None:
        check(_libc.mprotect(address, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC))

    opened(folder / "file", lambda fd: mapped(fd, mmap.PROT_READ, protect))


def chroot(folder: Path) -> None:
    programs.in_child(lambda: os.chroot(folder / "folder"))


def receive(folder: Path) -> None:
    def send(fd: int) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
            _data, ancillary, flags, _address = theirs.recvmsg(1, socket.CMSG_SPACE(4))
        # A descriptor that may not be received is left out.
        if flags & socket.MSG_CTRUNC:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        for _level, _type, data in ancillary:
            os.close(struct.unpack("i", data)[0])

    opened(folder / "file", send)


def pidfd_getfd(folder: Path) -> None:
    def get(fd: int) -> None:
        pidfd = os.pidfd_open(os.getpid())
        try:
            os.close(check(_libc.syscall(PIDFD_GETFD, pidfd, fd, 0)))
        finally:
            os.close(pidfd)

    opened(folder / "file", get)


def connect(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        by_path(folder, lambda fd: made.connect(f"/proc/self/fd/{fd}/listening"))


def send_to(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        by_path(folder, lambda fd: made.sendto(b"x", f"/proc/self/fd/{fd}/listening"))


def mount(folder: Path) -> None:
    target = os.fsencode(folder / "folder")
    check(_libc.mount(b"none", target, b"tmpfs", 0, None))
    check(_libc.umount2(target, 0))


def open_block(folder: Path) -> None:
    with_opened(folder / "block", os.O_RDONLY | os.O_NONBLOCK, lambda fd: None)


def give_attribute(folder: Path) -> None:
    os.setxattr(folder / "file", ATTRIBUTE, b"x")


def give_acl(folder: Path) -> None:
    # Of a user of its own: what a mode can say is not kept as an ACL.
    entries = ((1, 6, -1), (2, 4, 1), (4, 4, -1), (0x10, 4, -1), (0x20, 4, -1))
    os.setxattr(folder / "file", ACL, struct.pack("=I", 2) + b"".join(struct.pack("=HHi", *each) for each in entries))


def listen(folder: Path) -> None:
    made = socket.socket(socket.AF_UNIX)
    bind_at(made, folder / "listening")
    made.listen()
    _listening.append(made)


def listen_for_packets(folder: Path) -> None:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bind_at(made, folder / "listening")
    _listening.append(made)


def make_block(folder: Path) -> None:
    """Make a node of a block device that is there."""
    if not list(_BLOCKS.glob("*/dev")):
        subprocess.run(["modprobe", "loop"], check=True)
    device = min(_BLOCKS.glob("*/dev")).read_text()
    major, minor = map(int, device.split(":"))
    os.mknod(folder / "block", stat.S_IFBLK | 0o600, os.makedev(major, minor))


_READ = Action.READ_FILE

OPERATIONS = (
    Operation(chdir, Action.CHDIR, "folder"),
    Operation(fchdir, Action.CHDIR, "folder"),
    Operation(access, Action.ACCESS, "file"),
    Operation(access_there, Action.ACCESS, "folder"),
    Operation(stat_file, Action.STAT, "file"),
    Operation(stat_folder, Action.STAT, "folder"),
    # A rule cannot be put on a symbolic link itself: its path leads on.
    Operation(stat_link, Action.STAT),
    Operation(fstat, Action.STAT, "file"),
    Operation(readlink, Action.READLINK),
    Operation(getxattr, Action.GETXATTR, "file", make=give_attribute),
    Operation(get_acl, Action.GETXATTR, "file", make=give_acl),
    Operation(listxattr, Action.LISTXATTR, "file"),
    Operation(file_getattr, _READ | Action.FILE_GETATTR, "file", Action.IOCTL),
    Operation(chmod, Action.CHMOD, "file"),
    Operation(chmod_folder, Action.CHMOD, "folder"),
    Operation(fchmod, _READ | Action.CHMOD, "file"),
    Operation(chown, Action.CHOWN, "file"),
    Operation(chown_link, Action.CHOWN),
    Operation(utime, Action.UTIME, "file"),
    Operation(utime_now, Action.UTIME, "folder"),
    Operation(setxattr, Action.SETXATTR, "file"),
    Operation(removexattr, Action.REMOVEXATTR, "file", make=give_attribute),
    Operation(set_acl, Action.SET_ACL, "file"),
    Operation(remove_acl, Action.SET_ACL, "file", make=give_acl),
    # Newer kernels read the attributes first.
    Operation(file_setattr, _READ | Action.FILE_SETATTR, "file", Action.IOCTL | Action.FILE_GETATTR),
    Operation(flock, _READ | Action.LOCK, "file"),
    Operation(setlk, _READ | Action.LOCK, "file", Action.FCNTL),
    Operation(getfl, _READ | Action.FCNTL, "file"),
    Operation(ioctl_file, _READ | Action.IOCTL, "file"),
    Operation(map_exec, _READ | Action.MAP_EXEC, "file"),
    Operation(mprotect_exec, _READ | Action.MAP_EXEC, "file"),
    Operation(chroot, Action.CHROOT | Action.CHDIR, "folder"),
    Operation(receive, _READ | Action.RECEIVE, "file"),
    Operation(pidfd_getfd, _READ | Action.RECEIVE, "file"),
    Operation(connect, Action.RESOLVE_UNIX, "listening", make=listen),
    Operation(send_to, Action.RESOLVE_UNIX, "listening", make=listen_for_packets),
    Operation(mount, Action.MOUNT, "folder"),
    Operation(open_block, _READ | Action.OPEN_BLOCK, "block", make=make_block),
)
