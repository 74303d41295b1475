# SPDX-License-Identifier: GPL-2.0-only
"""Android's binder, with no more of its protocol than it takes to send a file descriptor to another process."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import signal
import stat
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

# include/uapi/linux/android/binder.h
WRITE_READ, SET_CONTEXT_MGR_EXT = 0xC0306201, 0x4018620D
BC_TRANSACTION = 0x40406300
BR_NOOP, BR_TRANSACTION_COMPLETE, BR_SPAWN_LOOPER, BR_FAILED_REPLY = 0x720C, 0x7206, 0x720D, 0x7211
TYPE_BINDER, TYPE_FD = 0x73622A85, 0x66642A85
FLAG_ACCEPTS_FDS, TF_ONE_WAY = 0x100, 1
_TRANSACTION = struct.Struct("=IQQIIiIQQQQ")  # the command, and struct binder_transaction_data
_WRITE_READ = struct.Struct("=6Q")
_OBJECT = struct.Struct("=IIIIQ")  # struct binder_fd_object
_MAPPED = 1 << 16


def make_device(path: Path) -> None:
    """Load the driver and make its device."""
    subprocess.run(["modprobe", "binder_linux", "devices=binder"], check=True)
    minors = {name: int(number) for number, name in map(str.split, Path("/proc/misc").read_text().splitlines())}
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(10, minors["binder"]))


@contextlib.contextmanager
def to_send(folder: Path) -> Iterator[Callable[[], None]]:
    """Have a function that sends `from/file` to a process that takes it."""
    device = folder / "binder"
    make_device(device)
    with open(folder / "from" / "file", "rb") as sent, _partner(device):
        fd = os.open(device, os.O_RDWR)
        with _mapping(fd):
            yield lambda: _send(fd, sent.fileno())


@contextlib.contextmanager
def _mapping(fd: int) -> Iterator[None]:
    """Map a device: it takes no message before that."""
    with mmap.mmap(fd, _MAPPED, mmap.MAP_PRIVATE, mmap.PROT_READ):
        yield


@contextlib.contextmanager
def _partner(device: Path) -> Iterator[None]:
    """Have a process that takes what is sent to nobody in particular."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            fd = os.open(device, os.O_RDWR)
            with _mapping(fd):
                fcntl.ioctl(fd, SET_CONTEXT_MGR_EXT, struct.pack("=IIQQ", TYPE_BINDER, FLAG_ACCEPTS_FDS, 0, 0))
                os.write(told, b"1")
                signal.pause()
        finally:
            os._exit(1)
    os.close(told)
    assert os.read(ready, 1), "the partner did not come up"
    os.close(ready)
    try:
        yield
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def _send(fd: int, sent: int) -> None:
    """Send a descriptor; PermissionError where the driver gives the transaction back."""
    objects = ctypes.create_string_buffer(_OBJECT.pack(TYPE_FD, 0, sent, 0, 0))
    offsets = ctypes.create_string_buffer(struct.pack("=Q", 0))
    addresses = ctypes.addressof(objects), ctypes.addressof(offsets)
    transaction = _TRANSACTION.pack(BC_TRANSACTION, 0, 0, 1, TF_ONE_WAY, 0, 0, _OBJECT.size, 8, *addresses)
    written, read = ctypes.create_string_buffer(transaction), ctypes.create_string_buffer(256)
    words = _WRITE_READ.pack(len(transaction), 0, ctypes.addressof(written), 256, 0, ctypes.addressof(read))
    done = _WRITE_READ.unpack(fcntl.ioctl(fd, WRITE_READ, words))
    answers = set(struct.unpack_from(f"={done[4] // 4}I", read)) - {BR_NOOP, BR_SPAWN_LOOPER}
    if answers == {BR_FAILED_REPLY}:
        raise PermissionError(errno.EPERM, "the driver gives it back")
    assert answers == {BR_TRANSACTION_COMPLETE}, answers
