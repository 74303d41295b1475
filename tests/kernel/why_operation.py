# SPDX-License-Identifier: GPL-2.0-only
"""The operations that `why` is asked about: what each does to a path, and the questions about it."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from pathlib import Path

import further
import operation

from landlock_bpf.abi import Action
from landlock_bpf.compare import programs

ACTIONS = (
    Action.READ_FILE,
    Action.WRITE_FILE,
    Action.READ_DIR,
    Action.MAKE_REG,
    Action.MAKE_DIR,
    Action.MAKE_SYM,
    Action.MAKE_FIFO,
    Action.REMOVE_FILE,
    Action.REMOVE_DIR,
    Action.REFER,
    Action.TRUNCATE,
    Action.CHDIR,
    Action.ACCESS,
    Action.STAT,
    Action.READLINK,
    Action.GETXATTR,
    Action.LISTXATTR,
    Action.SETXATTR,
    Action.CHMOD,
    Action.CHOWN,
    Action.UTIME,
    Action.LOCK,
    Action.MAP_EXEC,
)
HANDLED = Action(sum(ACTIONS))
ATTRIBUTE = "trusted.attribute"


def read(path: Path) -> None:
    operation.touch(path, os.O_RDONLY)


def write(path: Path) -> None:
    operation.touch(path, os.O_WRONLY)


def listing(path: Path) -> None:
    operation.touch(path, os.O_RDONLY | os.O_DIRECTORY)


def create(path: Path) -> None:
    operation.touch(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def symlink(path: Path) -> None:
    os.symlink("elsewhere", path)


def truncate(path: Path) -> None:
    os.truncate(path, 1)


def chdir(path: Path) -> None:
    programs.in_child(lambda: os.chdir(path))


def access(path: Path) -> None:
    if not os.access(path, os.F_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def getxattr(path: Path) -> None:
    os.getxattr(path, ATTRIBUTE)


def setxattr(path: Path) -> None:
    os.setxattr(path, ATTRIBUTE, b"x")


def chmod(path: Path) -> None:
    os.chmod(path, 0o700)


def chown(path: Path) -> None:
    os.chown(path, 0, 0)


def flock(path: Path) -> None:
    further.opened(path, lambda fd: fcntl.flock(fd, fcntl.LOCK_SH))


def map_exec(path: Path) -> None:
    further.opened(path, lambda fd: further.mapped(fd, mmap.PROT_READ | mmap.PROT_EXEC))


# What is done, whether to a folder, a file, a link itself or to nothing yet, and what `why` is asked about it.
ONE = (
    (read, "file", ("read_file",)),
    (write, "file", ("write_file",)),
    (listing, "folder", ("read_dir",)),
    (create, "none", ("make_reg", "write_file")),
    (os.mkdir, "none", ("make_dir",)),
    (symlink, "none", ("make_sym",)),
    (os.mkfifo, "none", ("make_fifo",)),
    (os.unlink, "file", ("remove_file",)),
    (os.unlink, "link", ("remove_file",)),
    (os.rmdir, "folder", ("remove_dir",)),
    (truncate, "file", ("truncate",)),
    (chdir, "folder", ("chdir",)),
    (access, "file", ("access",)),
    (access, "folder", ("access",)),
    (os.stat, "file", ("stat",)),
    (os.stat, "folder", ("stat",)),
    (os.readlink, "link", ("readlink",)),
    (getxattr, "file", ("getxattr",)),
    (os.listxattr, "folder", ("listxattr",)),
    (setxattr, "folder", ("setxattr",)),
    (chmod, "file", ("chmod",)),
    (chown, "folder", ("chown",)),
    (os.utime, "file", ("utime",)),
    (flock, "file", ("read_file", "lock")),
    (map_exec, "file", ("read_file", "map_exec")),
)
TWO = ((os.rename, "rename"), (os.link, "link"))
