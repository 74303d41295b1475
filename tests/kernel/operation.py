# SPDX-License-Identifier: GPL-2.0-only
"""The operations on files that are tried: what each does, and the actions that it is asked for."""

from __future__ import annotations

import ctypes
import dataclasses
import fcntl
import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from landlock_bpf.abi import Action
from landlock_bpf.compare.calls import check, swap

# What is done for the actions that Landlock lacks is in further.py.

# A program that needs no other file: no interpreter, no library.
STATIC_PROGRAM = Path("/bin/busybox")
URANDOM = os.makedev(1, 9)
ZERO = os.makedev(1, 5)
LOOP = os.makedev(7, 0)
RNDGETENTCNT = 0x80045200

_libc = ctypes.CDLL(None, use_errno=True)


def populate(folder: Path, *, program: bool = False) -> Path:
    """Make a folder with something for each operation, a program only where asked, and give it back."""
    folder.mkdir(parents=True)
    for name in ("file", "victim"):
        (folder / name).write_text("text")
    if program:
        shutil.copy(STATIC_PROGRAM, folder / "program")
    for name in ("folder", "other"):
        (folder / name).mkdir()
    (folder / "other" / "file").write_text("text")
    (folder / "link").symlink_to("file")
    os.mkfifo(folder / "fifo")
    os.mknod(folder / "socket", stat.S_IFSOCK | 0o600)
    os.mknod(folder / "device", stat.S_IFCHR | 0o666, URANDOM)
    os.mknod(folder / "disk", stat.S_IFBLK | 0o600, LOOP)
    return folder


def touch(path: Path | str, flags: int) -> None:
    os.close(os.open(path, flags, 0o600))


def with_opened(path: Path, flags: int, use: Callable[[int], object]) -> None:
    """Use a descriptor: Python's own files ask for more, fstat(2) first of all."""
    fd = os.open(path, flags)
    try:
        use(fd)
    finally:
        os.close(fd)


def command(path: Path, number: int) -> None:
    """Give a command of ioctl(2), whose argument is at most 64 bytes, to a file that is open for reading."""
    with_opened(path, os.O_RDONLY, lambda fd: fcntl.ioctl(fd, number, bytes(64)))


def read(folder: Path) -> None:
    touch(folder / "file", os.O_RDONLY)


def write(folder: Path) -> None:
    touch(folder / "file", os.O_WRONLY)


def append(folder: Path) -> None:
    touch(folder / "file", os.O_WRONLY | os.O_APPEND)


def update(folder: Path) -> None:
    touch(folder / "file", os.O_RDWR)


def execute(folder: Path) -> None:
    pid = os.posix_spawn(folder / "program", ["true"], {})
    if status := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise OSError(-1, f"it ran, and exited with {status}")


def read_dir(folder: Path) -> None:
    touch(folder, os.O_RDONLY | os.O_DIRECTORY)


def rmdir(folder: Path) -> None:
    (folder / "folder").rmdir()


def unlink(folder: Path) -> None:
    (folder / "file").unlink()


def unlink_device(folder: Path) -> None:
    (folder / "device").unlink()


def make_char(folder: Path) -> None:
    os.mknod(folder / "new", stat.S_IFCHR | 0o600, ZERO)


def make_block(folder: Path) -> None:
    os.mknod(folder / "new", stat.S_IFBLK | 0o600, LOOP)


def make_dir(folder: Path) -> None:
    (folder / "new").mkdir()


def make_reg(folder: Path) -> None:
    os.mknod(folder / "new", stat.S_IFREG | 0o600)


def make_untyped(folder: Path) -> None:
    check(_libc.mknod(os.fsencode(folder / "new"), 0o600, ctypes.c_ulong(0)))


def create(folder: Path) -> None:
    touch(folder / "new", os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def make_tmpfile(folder: Path) -> None:
    touch(folder, os.O_WRONLY | os.O_TMPFILE)


def make_fifo(folder: Path) -> None:
    os.mkfifo(folder / "new")


def make_sock(folder: Path) -> None:
    os.mknod(folder / "new", stat.S_IFSOCK | 0o600)


def bind(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        bind_at(made, folder / "new")


def bind_at(made: socket.socket, path: Path) -> None:
    """Bind a socket to a path of any length: that of a socket has 108 bytes at most."""
    fd = os.open(path.parent, os.O_PATH)
    try:
        made.bind(f"/proc/self/fd/{fd}/{path.name}")
    finally:
        os.close(fd)


def make_sym(folder: Path) -> None:
    (folder / "new").symlink_to("file")


def truncate(folder: Path) -> None:
    check(_libc.truncate(os.fsencode(folder / "file"), ctypes.c_long(1)))


def truncate_at_open(folder: Path) -> None:
    touch(folder / "file", os.O_WRONLY | os.O_TRUNC)


def create_over(folder: Path) -> None:
    touch(folder / "file", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)


def truncate_opened(folder: Path) -> None:
    with_opened(folder / "file", os.O_RDWR, lambda fd: os.ftruncate(fd, 1))


def ioctl(folder: Path) -> None:
    with_opened(folder / "device", os.O_RDONLY, lambda fd: fcntl.ioctl(fd, RNDGETENTCNT, bytes(4)))


def link(folder: Path) -> None:
    os.link(folder / "file", folder / "new")


def link_fifo(folder: Path) -> None:
    os.link(folder / "fifo", folder / "new")


def link_across(folder: Path) -> None:
    os.link(folder / "file", folder / "other" / "new")


def rename(folder: Path) -> None:
    os.rename(folder / "file", folder / "new")


def rename_over(folder: Path) -> None:
    os.rename(folder / "file", folder / "victim")


def rename_dir(folder: Path) -> None:
    os.rename(folder / "folder", folder / "new")


def rename_dir_over(folder: Path) -> None:
    os.rename(folder / "other", folder / "folder")


def rename_link(folder: Path) -> None:
    os.rename(folder / "link", folder / "new")


def rename_socket(folder: Path) -> None:
    os.rename(folder / "socket", folder / "new")


def rename_device(folder: Path) -> None:
    os.rename(folder / "device", folder / "new")


def rename_disk(folder: Path) -> None:
    os.rename(folder / "disk", folder / "new")


def rename_across(folder: Path) -> None:
    os.rename(folder / "file", folder / "other" / "new")


def rename_dir_across(folder: Path) -> None:
    os.rename(folder / "folder", folder / "other" / "new")


def exchange(folder: Path) -> None:
    swap(folder / "file", folder / "fifo")


def exchange_with_dir(folder: Path) -> None:
    swap(folder / "file", folder / "folder")


def exchange_across(folder: Path) -> None:
    swap(folder / "file", folder / "other" / "file")


@dataclasses.dataclass(frozen=True)
class Operation:
    """A row: what is done in a populated folder, and all actions it is asked for. `target` is asked, if not the folder.

    `also` are actions that it needs, and whose denial it does not tell by an errno of its own. `make` makes the target
    where populate() does not.
    """

    run: Callable[[Path], None]
    actions: Action
    target: str = ""
    also: Action = Action(0)
    make: Callable[[Path], object] | None = None

    @property
    def name(self) -> str:
        return self.run.__name__

    def populate(self, folder: Path) -> Path:
        """Make a folder with all that it takes."""
        populate(folder, program=self.target == "program")
        if self.make:
            self.make(folder)
        return folder


_MOVE_FILE = Action.REMOVE_FILE | Action.MAKE_REG
_MOVE_DIR = Action.REMOVE_DIR | Action.MAKE_DIR

OPERATIONS = (
    Operation(read, Action.READ_FILE, "file"),
    Operation(write, Action.WRITE_FILE, "file"),
    Operation(append, Action.WRITE_FILE, "file"),
    Operation(update, Action.READ_FILE | Action.WRITE_FILE, "file"),
    # As upstream: what is executed is opened to be read.
    Operation(execute, Action.READ_FILE | Action.EXECUTE, "program", Action.MAP_EXEC),
    Operation(read_dir, Action.READ_DIR),
    Operation(rmdir, Action.REMOVE_DIR),
    Operation(unlink, Action.REMOVE_FILE),
    Operation(unlink_device, Action.REMOVE_FILE),
    Operation(make_char, Action.MAKE_CHAR),
    Operation(make_block, Action.MAKE_BLOCK),
    Operation(make_dir, Action.MAKE_DIR),
    Operation(make_reg, Action.MAKE_REG),
    Operation(make_untyped, Action.MAKE_REG),
    Operation(create, Action.MAKE_REG | Action.WRITE_FILE),
    Operation(make_tmpfile, Action.WRITE_FILE),
    Operation(make_fifo, Action.MAKE_FIFO),
    Operation(make_sock, Action.MAKE_SOCK),
    Operation(bind, Action.MAKE_SOCK),
    Operation(make_sym, Action.MAKE_SYM),
    Operation(truncate, Action.TRUNCATE, "file"),
    Operation(truncate_at_open, Action.WRITE_FILE | Action.TRUNCATE, "file"),
    Operation(create_over, Action.WRITE_FILE | Action.TRUNCATE, "file"),
    Operation(truncate_opened, Action.READ_FILE | Action.WRITE_FILE | Action.TRUNCATE, "file"),
    Operation(ioctl, Action.READ_FILE | Action.IOCTL_DEV, "device", Action.IOCTL),
    Operation(link, Action.MAKE_REG),
    Operation(link_fifo, Action.MAKE_FIFO),
    Operation(link_across, Action.MAKE_REG | Action.REFER),
    Operation(rename, _MOVE_FILE),
    Operation(rename_over, _MOVE_FILE),
    Operation(rename_dir, _MOVE_DIR),
    Operation(rename_dir_over, _MOVE_DIR),
    Operation(rename_link, Action.REMOVE_FILE | Action.MAKE_SYM),
    Operation(rename_socket, Action.REMOVE_FILE | Action.MAKE_SOCK),
    Operation(rename_device, Action.REMOVE_FILE | Action.MAKE_CHAR),
    Operation(rename_disk, Action.REMOVE_FILE | Action.MAKE_BLOCK),
    Operation(rename_across, _MOVE_FILE | Action.REFER),
    Operation(rename_dir_across, _MOVE_DIR | Action.REFER),
    Operation(exchange, _MOVE_FILE | Action.MAKE_FIFO),
    Operation(exchange_with_dir, _MOVE_FILE | _MOVE_DIR),
    Operation(exchange_across, _MOVE_FILE | Action.REFER),
)
