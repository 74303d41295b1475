# SPDX-License-Identifier: GPL-2.0-only
"""Operations that change what files hold, and that make new ones."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import stat
from pathlib import Path

from landlock_bpf.compare import calls
from landlock_bpf.compare.operation import WRITE, Table
from landlock_bpf.compare.scene import BENEATH, BESIDE, INSIDE, READ_ONLY, Scene

TABLE = Table("writing")
CREATING = Table("creating")
ZERO, LOOP = os.makedev(1, 5), os.makedev(7, 0)

_SPECIAL = "Landlock has a right for each kind of file that is made; a read-only mount knows none and refuses all."


def _write(path: Path, flags: int) -> None:
    fd = os.open(path, flags, 0o600)
    os.write(fd, b"more")
    os.close(fd)


@TABLE.at(
    INSIDE,
    BENEATH,
    BESIDE,
    READ_ONLY,
    need=WRITE,
    why="All but seccomp can keep a tree read-only; a secret within a writable one is what Landlock cannot except.",
)
def write(folder: Path, _scene: Scene) -> None:
    """open(2) a file and write to it."""
    _write(folder / "file", os.O_WRONLY)


@TABLE.at(
    READ_ONLY,
    need=WRITE,
    why="To append is to write for all of them; AppArmor and TOMOYO alone have a right of its own for it.",
)
def append(folder: Path, _scene: Scene) -> None:
    """open(2) a file with O_APPEND and write to it."""
    _write(folder / "file", os.O_WRONLY | os.O_APPEND)


@TABLE.at(
    INSIDE,
    BESIDE,
    READ_ONLY,
    need=WRITE,
    why="truncate(2) opens nothing: Landlock learnt it with ABI 3, and until then could not keep a file from being emptied.",
)
def truncate(folder: Path, _scene: Scene) -> None:
    """truncate(2) a file by its path."""
    calls.check(calls.libc.truncate(os.fsencode(folder / "file"), ctypes.c_long(1)))


@TABLE.at(
    READ_ONLY,
    need=WRITE,
    why="O_TRUNC empties a file that is opened to be read, too: a right of its own since Landlock's ABI 3.",
)
def truncate_at_open(folder: Path, _scene: Scene) -> None:
    """open(2) a file with O_RDONLY and O_TRUNC."""
    os.close(os.open(folder / "file", os.O_RDONLY | os.O_TRUNC))


@TABLE.at(BESIDE, need=WRITE, why="What may be written may be mapped to be written: nobody asks again.")
def map_and_write(folder: Path, _scene: Scene) -> None:
    """mmap(2) a file with MAP_SHARED, and write to the memory."""
    fd = os.open(folder / "file", os.O_RDWR)
    with mmap.mmap(fd, 0) as memory:
        memory[0:4] = b"more"
    os.close(fd)


@CREATING.at(
    INSIDE,
    BENEATH,
    BESIDE,
    READ_ONLY,
    need=WRITE,
    why="Making is asked of the directory: all mechanisms with paths know it, and Landlock cannot except one beneath another.",
)
def create(folder: Path, _scene: Scene) -> None:
    """open(2) a new file with O_CREAT and write to it."""
    _write(folder / "new", os.O_WRONLY | os.O_CREAT | os.O_EXCL)


@CREATING.at(INSIDE, BESIDE, READ_ONLY, need=WRITE, why="A file without a name leaves nothing in the tree; it still uses it.")
def create_unnamed(folder: Path, _scene: Scene) -> None:
    """open(2) with O_TMPFILE."""
    os.close(os.open(folder, os.O_WRONLY | os.O_TMPFILE, 0o600))


@CREATING.at(
    READ_ONLY,
    need=WRITE,
    also=(BESIDE,),
    why="Made where it may be, named where it may not: linkat(2) is asked of the directory.",
)
def name_unnamed(folder: Path, scene: Scene) -> None:
    """linkat(2) a file made with O_TMPFILE elsewhere."""
    fd = os.open(scene.at(BESIDE), os.O_WRONLY | os.O_TMPFILE, 0o600)
    at, source = calls.AT_FDCWD, f"/proc/self/fd/{fd}".encode()
    calls.check(calls.libc.linkat(at, source, at, os.fsencode(folder / "new"), calls.AT_SYMLINK_FOLLOW))


@CREATING.at(INSIDE, BENEATH, BESIDE, READ_ONLY, need=WRITE, why=_SPECIAL)
def make_directory(folder: Path, _scene: Scene) -> None:
    """mkdir(2)."""
    (folder / "new").mkdir()


@CREATING.at(INSIDE, BESIDE, READ_ONLY, need=WRITE, why=_SPECIAL)
def make_symlink(folder: Path, _scene: Scene) -> None:
    """symlink(2)."""
    (folder / "new").symlink_to("file")


@CREATING.at(INSIDE, BESIDE, READ_ONLY, need=WRITE, why=_SPECIAL)
def make_fifo(folder: Path, _scene: Scene) -> None:
    """mkfifo(3): a named pipe."""
    os.mkfifo(folder / "new")


@CREATING.at(INSIDE, BESIDE, READ_ONLY, need=WRITE, why=_SPECIAL)
def make_socket(folder: Path, _scene: Scene) -> None:
    """bind(2) a socket to a path."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "new"))


@CREATING.at(INSIDE, BESIDE, READ_ONLY, need=WRITE, why=_SPECIAL)
def make_character_device(folder: Path, _scene: Scene) -> None:
    """mknod(2) a character device."""
    os.mknod(folder / "new", stat.S_IFCHR | 0o600, ZERO)


@CREATING.at(INSIDE, BESIDE, READ_ONLY, need=WRITE, why=_SPECIAL)
def make_block_device(folder: Path, _scene: Scene) -> None:
    """mknod(2) a block device."""
    os.mknod(folder / "new", stat.S_IFBLK | 0o600, LOOP)


@TABLE.at(
    INSIDE,
    BESIDE,
    need=WRITE,
    why="A device is not its file: mounts can refuse all devices (nodev), the others ask as for any file.",
)
def open_device(folder: Path, _scene: Scene) -> None:
    """open(2) a character device of the tree to write to it."""
    os.close(os.open(folder / "device", os.O_RDWR))
