# SPDX-License-Identifier: GPL-2.0-only
"""The actions that policies speak of, and the hooks of the engine: one row each. The template makes a wrapper of every hook."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from typing import Literal

from landlock_bpf import abi
from landlock_bpf.abi import Action


@dataclasses.dataclass(frozen=True)
class ActionRow:
    """An access right.

    `on` is the object that is asked: for a right on a directory's content, the directory. `landlock_abi` is the first
    ABI of the landlock syscalls that has the right, with upstream's name and meaning; None where it is ours alone.
    """

    name: str
    action: Action
    on: Literal["file", "dir", "both"]
    landlock_abi: int | None
    doc: str


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
    ActionRow("refer", Action.REFER, "dir", 2, "Link or rename a file from or to a different directory."),
    ActionRow("truncate", Action.TRUNCATE, "file", 3, "Truncate a file: truncate(2), ftruncate(2), creat(2), O_TRUNC."),
    ActionRow("ioctl_dev", Action.IOCTL_DEV, "file", 5, "Use ioctl(2) on an opened character or block device."),
)

ALL = Action(0)
FILE = Action(0)  # those that make sense on an object that is not a directory
for _row in ACTIONS:
    ALL |= _row.action
    if _row.on != "dir":
        FILE |= _row.action


def names(actions: int) -> tuple[str, ...]:
    """Name the actions of a mask, in the table's order."""
    return tuple(row.name for row in ACTIONS if actions & row.action)


class Need(enum.Flag):
    """What in a live domain needs a hook whichever actions it handles."""

    DOMAIN = enum.auto()  # any domain
    PROCESS = enum.auto()  # a process domain
    DENIAL = enum.auto()  # a rule that denies, for it seals its object
    PROGRAMS = enum.auto()  # rule programs


@dataclasses.dataclass(frozen=True)
class HookRow:
    """A program of the engine and the kernel's hook or tracepoint that it is for.

    `args` are the kernel's own, as (C type, name); for an LSM hook with a verdict, that of the LSM before comes after
    the last of them: `len(args)` must be what the running kernel's BTF says. `body` is the C function that the wrapper
    calls with all of `args`. It is attached while a live domain handles one of `actions` or has what `need` says.
    """

    name: str
    kind: Literal["lsm", "tp_btf"]
    args: tuple[tuple[str, str], ...]
    actions: Action = Action(0)
    need: Need = Need(0)
    void: bool = False

    @property
    def body(self) -> str:
        """Name the C function of the hook."""
        return f"on_{self.name}"

    @property
    def number(self) -> int | None:
        """Give the number by which events name it; None where it never denies."""
        member = abi.Hook.__members__.get(self.name.upper())
        return None if member is None else int(member)


def parameters(declaration: str) -> tuple[tuple[str, str], ...]:
    """Split a C parameter list into types and names."""
    parts = (part.strip() for part in declaration.split(","))
    found = []
    for part in parts:
        start = max(part.rfind(" "), part.rfind("*")) + 1
        found.append((part[:start].strip(), part[start:]))
    return tuple(found)


_MAKE_BY_LINK = Action.MAKE_CHAR | Action.MAKE_REG | Action.MAKE_SOCK | Action.MAKE_FIFO | Action.MAKE_BLOCK | Action.MAKE_SYM
_MAKE_BY_RENAME = _MAKE_BY_LINK | Action.MAKE_DIR | Action.REMOVE_DIR | Action.REMOVE_FILE
_MAKE_BY_MKNOD = Action.MAKE_CHAR | Action.MAKE_REG | Action.MAKE_SOCK | Action.MAKE_FIFO | Action.MAKE_BLOCK
_AT_OPEN = Action.TRUNCATE | Action.IOCTL_DEV  # decided when the file is opened, remembered till it is closed

HOOKS = (
    HookRow(
        "file_open",
        "lsm",
        parameters("struct file *file"),
        Action.EXECUTE | Action.WRITE_FILE | Action.READ_FILE | Action.READ_DIR | _AT_OPEN,
    ),
    HookRow("file_truncate", "lsm", parameters("struct file *file"), Action.TRUNCATE),
    HookRow("file_ioctl", "lsm", parameters("struct file *file, unsigned int cmd, unsigned long arg"), Action.IOCTL_DEV),
    HookRow("file_ioctl_compat", "lsm", parameters("struct file *file, unsigned int cmd, unsigned long arg"), Action.IOCTL_DEV),
    HookRow("file_free_security", "lsm", parameters("struct file *file"), _AT_OPEN, void=True),
    HookRow("path_truncate", "lsm", parameters("const struct path *path"), Action.TRUNCATE),
    HookRow(
        "path_unlink",
        "lsm",
        parameters("const struct path *dir, struct dentry *dentry"),
        Action.REMOVE_FILE,
        Need.DENIAL,
    ),
    HookRow("path_rmdir", "lsm", parameters("const struct path *dir, struct dentry *dentry"), Action.REMOVE_DIR, Need.DENIAL),
    HookRow("path_mkdir", "lsm", parameters("const struct path *dir, struct dentry *dentry, umode_t mode"), Action.MAKE_DIR),
    HookRow(
        "path_mknod",
        "lsm",
        parameters("const struct path *dir, struct dentry *dentry, umode_t mode, unsigned int dev"),
        _MAKE_BY_MKNOD,
    ),
    HookRow(
        "path_symlink",
        "lsm",
        parameters("const struct path *dir, struct dentry *dentry, const char *old_name"),
        Action.MAKE_SYM,
    ),
    HookRow(
        "path_link",
        "lsm",
        parameters("struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry"),
        Action.REFER | _MAKE_BY_LINK,
    ),
    HookRow(
        "path_rename",
        "lsm",
        parameters(
            "const struct path *old_dir, struct dentry *old_dentry, "
            "const struct path *new_dir, struct dentry *new_dentry, unsigned int flags"
        ),
        Action.REFER | _MAKE_BY_RENAME,
        Need.DENIAL,
    ),
    HookRow(
        "sb_mount",
        "lsm",
        parameters("const char *dev_name, const struct path *path, const char *type, unsigned long flags, void *data"),
        need=Need.DOMAIN,
    ),
    HookRow("move_mount", "lsm", parameters("const struct path *from_path, const struct path *to_path"), need=Need.DOMAIN),
    HookRow("sb_umount", "lsm", parameters("struct vfsmount *mnt, int flags"), need=Need.DOMAIN),
    HookRow("sb_remount", "lsm", parameters("struct super_block *sb, void *mnt_opts"), need=Need.DOMAIN),
    HookRow("sb_pivotroot", "lsm", parameters("const struct path *old_path, const struct path *new_path"), need=Need.DOMAIN),
    HookRow("sb_delete", "lsm", parameters("struct super_block *sb"), need=Need.DOMAIN, void=True),
    HookRow("task_alloc", "lsm", parameters("struct task_struct *task, unsigned long clone_flags"), need=Need.PROCESS),
    HookRow(
        "ptrace_access_check",
        "lsm",
        parameters("struct task_struct *child, unsigned int mode"),
        need=Need.PROGRAMS,
    ),
    HookRow("ptrace_traceme", "lsm", parameters("struct task_struct *parent"), need=Need.PROGRAMS),
    HookRow("cgroup_mkdir", "tp_btf", parameters("struct cgroup *cgrp, const char *path"), need=Need.DOMAIN, void=True),
    HookRow("cgroup_rmdir", "tp_btf", parameters("struct cgroup *cgrp, const char *path"), need=Need.DOMAIN, void=True),
)


def needed(handled: int, need: Need) -> Iterator[HookRow]:
    """Give the hooks that live domains need which handle these actions, all together, and have these things."""
    return (row for row in HOOKS if row.actions & handled or row.need & need)
