# SPDX-License-Identifier: GPL-2.0-only
"""The actions that policies speak of: one row each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from landlock_bpf import abi
from landlock_bpf.abi import Action


class ActionRow(NamedTuple):
    """An access right.

    `on` is the object that is asked: for a right on a directory's content, the directory. `landlock_abi` is the first
    ABI of the landlock syscalls that has the right, with upstream's name and meaning; None where it is ours alone.
    `group` is the group of ours that it belongs to. `singly`: it must be named, for no group, `all` included, has it.
    `withheld`: every policy handles it, and it is allowed only where a rule says so, whatever the default. `error` is the
    errno of its denial.
    """

    name: str
    action: Action
    on: Literal["file", "dir", "both"]
    landlock_abi: int | None
    doc: str
    group: str = ""
    singly: bool = False
    withheld: bool = False
    error: str = "EACCES"


ACTIONS = (
    ActionRow("execute", Action.EXECUTE, "file", 1, "Execute a file."),
    ActionRow("write_file", Action.WRITE_FILE, "file", 1, "Open a file with write access."),
    ActionRow("read_file", Action.READ_FILE, "file", 1, "Open a file with read access."),
    ActionRow("read_dir", Action.READ_DIR, "dir", 1, "Open a directory or list its content."),
    ActionRow("remove_dir", Action.REMOVE_DIR, "dir", 1, "Remove an empty directory or rename one."),
    ActionRow("remove_file", Action.REMOVE_FILE, "dir", 1, "Unlink (or rename) a file."),
    ActionRow("make_char", Action.MAKE_CHAR, "dir", 1, "Create (or rename or link) a character device."),
    ActionRow("make_dir", Action.MAKE_DIR, "dir", 1, "Create (or rename) a directory."),
    ActionRow("make_reg", Action.MAKE_REG, "dir", 1, "Create (or rename or link) a regular file."),
    ActionRow("make_sock", Action.MAKE_SOCK, "dir", 1, "Create (or rename or link) a UNIX domain socket."),
    ActionRow("make_fifo", Action.MAKE_FIFO, "dir", 1, "Create (or rename or link) a named pipe."),
    ActionRow("make_block", Action.MAKE_BLOCK, "dir", 1, "Create (or rename or link) a block device."),
    ActionRow("make_sym", Action.MAKE_SYM, "dir", 1, "Create (or rename or link) a symbolic link."),
    ActionRow("refer", Action.REFER, "dir", 2, "Link or rename a file from or to a different directory.", error="EXDEV"),
    ActionRow("truncate", Action.TRUNCATE, "file", 3, "Truncate a file: truncate(2), ftruncate(2), creat(2), O_TRUNC."),
    ActionRow("ioctl_dev", Action.IOCTL_DEV, "file", 5, "Use ioctl(2) on an opened character or block device."),
    ActionRow("chdir", Action.CHDIR, "dir", None, "Change the working directory: chdir(2), fchdir(2), chroot(2).", singly=True),
    ActionRow("access", Action.ACCESS, "both", None, "Ask what would be allowed: access(2), faccessat2(2).", singly=True),
    ActionRow("stat", Action.STAT, "both", None, "Read size, owner, mode and times: stat(2), statx(2).", "read_metadata"),
    ActionRow("readlink", Action.READLINK, "file", None, "Read what a symbolic link says: readlink(2).", "read_metadata"),
    ActionRow("getxattr", Action.GETXATTR, "both", None, "Read an extended attribute, or an ACL.", "read_metadata"),
    ActionRow("listxattr", Action.LISTXATTR, "both", None, "List the extended attributes: listxattr(2).", "read_metadata"),
    ActionRow("file_getattr", Action.FILE_GETATTR, "both", None, "Read flags as lsattr(1): file_getattr(2).", "read_metadata"),
    ActionRow("chmod", Action.CHMOD, "both", None, "Change the mode: chmod(2).", "write_metadata"),
    ActionRow("chown", Action.CHOWN, "both", None, "Change the owner or the group: chown(2).", "write_metadata"),
    ActionRow("utime", Action.UTIME, "both", None, "Set the times: utimensat(2).", "write_metadata"),
    ActionRow("setxattr", Action.SETXATTR, "both", None, "Set an extended attribute: setxattr(2).", "write_metadata"),
    ActionRow("removexattr", Action.REMOVEXATTR, "both", None, "Remove an attribute: removexattr(2).", "write_metadata"),
    ActionRow("set_acl", Action.SET_ACL, "both", None, "Set or remove an ACL: setfacl(1).", "write_metadata"),
    ActionRow("file_setattr", Action.FILE_SETATTR, "both", None, "Set flags as chattr(1): file_setattr(2).", "write_metadata"),
    ActionRow("lock", Action.LOCK, "both", None, "Lock an open file: flock(2), fcntl(2) with F_SETLK."),
    ActionRow("fcntl", Action.FCNTL, "both", None, "Use fcntl(2) on an open file."),
    ActionRow("ioctl", Action.IOCTL, "both", None, "Use ioctl(2) on any open file; commands can be named."),
    ActionRow("map_exec", Action.MAP_EXEC, "file", None, "Map a file as code: mmap(2), mprotect(2) with PROT_EXEC."),
    ActionRow("chroot", Action.CHROOT, "dir", None, "Make it the root directory: chroot(2)."),
    ActionRow("receive", Action.RECEIVE, "both", None, "Receive it as a descriptor, over a socket or by pidfd_getfd(2)."),
    ActionRow("resolve_unix", Action.RESOLVE_UNIX, "file", 9, "Connect or send to a UNIX domain socket by its path."),
    ActionRow(
        "mount",
        Action.MOUNT,
        "both",
        None,
        "Mount on it, unmount it, move it, remount it, make it the root by pivot_root(2).",
        singly=True,
        withheld=True,
        error="EPERM",
    ),
    ActionRow(
        "open_block",
        Action.OPEN_BLOCK,
        "file",
        None,
        "Open a block device; use commands that reach a whole filesystem or disk, and any by io_uring to a driver's character "
        "device. Where a layer has no rule that allows it, no disk is mounted (EPERM, `sb_set_mnt_opts`).",
        singly=True,
        withheld=True,
    ),
)


def _union(rows: Iterable[ActionRow]) -> Action:
    union = Action(0)
    for row in rows:
        union |= row.action
    return union


EVERY = _union(ACTIONS)
# What the word `all` stands for.
ALL = _union(row for row in ACTIONS if not row.singly)
# Those that make sense on an object that is not a directory.
FILE = _union(row for row in ACTIONS if row.on != "dir")
# What is asked of the directory in which something is made, removed or moved.
MAKING = _union(row for row in ACTIONS if row.name.startswith("make_"))
REMOVING = _union(row for row in ACTIONS if row.name.startswith("remove_"))
OF_PARENT = MAKING | REMOVING | Action.REFER
WITHHELD = _union(row for row in ACTIONS if row.withheld)
_COMMANDS = (1 << abi.Limit.COMMAND_CLASSES) - 1 << abi.ActionBit.COMMANDS
_BY_KIND = int(FILE), int(EVERY)  # plain numbers are quicker


def asked(*, directory: bool) -> int:
    """Give the mask of actions that a directory, or what is none, is asked for."""
    return _BY_KIND[directory]


def plain(asked: int) -> Action:
    """Give the actions of a mask of the engine's, in which ioctl has a bit for each class of commands."""
    return Action((asked | Action.IOCTL if asked & _COMMANDS else asked) & EVERY)


def group(name: str) -> Action:
    """Collect the actions of one of our groups."""
    return _union(row for row in ACTIONS if row.group == name)


def names(actions: int) -> tuple[str, ...]:
    """Name the actions of a mask, in the table's order."""
    return tuple(row.name for row in ACTIONS if actions & row.action)
