# SPDX-License-Identifier: GPL-2.0-only
"""System calls on open files, by which hooks are made to ask: reading and writing, commands, mappings."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import operation
from operation import check

from landlock_bpf.compare import uring

NULL_COMMAND = 0x4242  # drivers/char/mem.c takes any
# include/uapi/asm-generic/unistd.h
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
# arch/x86/entry/syscalls/syscall_64.tbl
SYS_GETDENTS64 = 217
# int f(edi, esi, edx): ioctl(2), 54 in syscall_32.tbl, as 32-bit programs call it
IA32_CALL = bytes.fromhex("53 b8 36000000 89fb 89f1 cd80 5b c3".replace(" ", ""))
MAP_32BIT = 0x40
F_NOTIFY, DN_CREATE = 1026, 4

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.mmap.restype = ctypes.c_void_p
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


@contextlib.contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """Keep a file open while the block runs."""
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def to_read(folder: Path) -> contextlib.AbstractContextManager[int]:
    return opened(folder / "from" / "file", os.O_RDONLY)


def to_update(folder: Path) -> contextlib.AbstractContextManager[int]:
    return opened(folder / "from" / "file", os.O_RDWR)


def to_list(folder: Path) -> contextlib.AbstractContextManager[int]:
    return opened(folder / "from", os.O_RDONLY | os.O_DIRECTORY)


def to_command(folder: Path) -> contextlib.AbstractContextManager[int]:
    return opened(folder / "from" / "device", os.O_RDONLY)


def read(fd: int) -> None:
    os.read(fd, 1)


def write(fd: int) -> None:
    os.write(fd, b"x")


def getdents(fd: int) -> None:
    check(_libc.syscall(SYS_GETDENTS64, fd, ctypes.create_string_buffer(1024), 1024))


def ftruncate(fd: int) -> None:
    os.ftruncate(fd, 1)


def flock(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_EX)


def setlk(fd: int) -> None:
    fcntl.lockf(fd, fcntl.LOCK_SH)


def getfl(fd: int) -> None:
    fcntl.fcntl(fd, fcntl.F_GETFL)


def ioctl(fd: int) -> None:
    fcntl.ioctl(fd, operation.RNDGETENTCNT, bytes(4))


def ioctl_ia32(fd: int, command: int) -> None:
    """Call ioctl(2) as 32-bit programs do."""
    anywhere_low = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT
    code = _libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC, anywhere_low, -1, 0)
    ctypes.memmove(code, IA32_CALL, len(IA32_CALL))
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_uint, ctypes.c_uint)(code)
    if (result := call(fd, command, code + mmap.PAGESIZE // 2)) < 0:
        raise OSError(-result, os.strerror(-result))


@contextlib.contextmanager
def to_command_ia32(folder: Path) -> Iterator[Callable[[], None]]:
    with to_command(folder) as fd:
        yield lambda: ioctl_ia32(fd, operation.RNDGETENTCNT)


@contextlib.contextmanager
def to_command_uring(folder: Path) -> Iterator[Callable[[], int]]:
    """Have a ring with a command to a device that takes any."""
    (folder / "from" / "device").unlink()
    os.mknod(folder / "from" / "device", stat.S_IFCHR | 0o703, os.makedev(1, 3))
    with to_command(folder) as fd, uring.entry(uring.OP_URING_CMD, 0, 0, fd, NULL_COMMAND, 0, 0, 0, 1) as submit:
        yield submit


def notify(fd: int) -> None:
    fcntl.fcntl(fd, F_NOTIFY, DN_CREATE)


def receive(fd: int) -> None:
    pidfd = check(_libc.syscall(SYS_PIDFD_OPEN, os.getpid(), 0))
    check(_libc.syscall(SYS_PIDFD_GETFD, pidfd, fd, 0))


def map_file(fd: int, protection: int, flags: int) -> int:
    """Map a page of a file, and give its address."""
    address = _libc.mmap(None, mmap.PAGESIZE, protection, flags, fd, 0)
    if address == ctypes.c_void_p(-1).value:
        check(-1)
    return int(address)


def protect(address: int, protection: int) -> None:
    check(_libc.mprotect(address, mmap.PAGESIZE, protection))
