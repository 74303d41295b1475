# SPDX-License-Identifier: GPL-2.0-only
"""The hooks of the engine: one row each. The template makes a wrapper of every hook."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Literal, NamedTuple

from landlock_bpf import abi
from landlock_bpf.abi import Action


class Need(enum.Flag):
    """What in a live domain needs a hook whichever actions it handles."""

    DOMAIN = enum.auto()  # any domain
    PROCESS = enum.auto()  # a process domain
    DENIAL = enum.auto()  # a rule that denies, for it seals its object, or a name that nobody may make
    PROGRAMS = enum.auto()  # rule programs


class HookRow(NamedTuple):
    """A program of the engine and the kernel's hook or tracepoint that it is for.

    `args` are the kernel's own, as (C type, name); for an LSM hook with a verdict, that of the LSM before comes after
    the last of them: `len(args)` must be what the running kernel's BTF says. If they are `leading`, kernels have different
    ones after these, and that verdict is not looked at: after a program that refuses the kernel runs no other anyway.
    `body` is the C function that the wrapper calls with all of `args`. It is attached while a live domain handles one of
    `actions` or has what `need` says. Kernels may lack it if it is `optional`: then another hook of the same action is
    asked, or only speed is lost.
    """

    name: str
    kind: Literal["lsm", "tp_btf", "fentry"]
    args: tuple[tuple[str, str], ...]
    actions: Action = Action(0)
    need: Need = Need(0)
    void: bool = False
    optional: bool = False
    leading: bool = False

    def fits(self, found: int | None) -> bool:
        """Tell whether a hook of so many arguments, None for no hook, is the one we know."""
        if found is None:
            return self.optional
        return found >= len(self.args) if self.leading else found == len(self.args)

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
_BY_IOCTL = Action.IOCTL_DEV | Action.IOCTL | Action.FILE_GETATTR | Action.FILE_SETATTR | Action.CHMOD
_IOCTL_ARGS = parameters("struct file *file, unsigned int cmd, unsigned long arg")
_ACL_ARGS = parameters("struct mnt_idmap *idmap, struct dentry *dentry, const char *acl_name")
_FILEATTR_ARGS = parameters("struct dentry *dentry, struct file_kattr *fa")

HOOKS = (
    HookRow(
        "file_open",
        "lsm",
        parameters("struct file *file"),
        Action.EXECUTE | Action.WRITE_FILE | Action.READ_FILE | Action.READ_DIR | Action.OPEN_BLOCK | _AT_OPEN,
        Need.DOMAIN,
    ),
    HookRow("file_truncate", "lsm", parameters("struct file *file"), Action.TRUNCATE),
    HookRow("file_ioctl", "lsm", _IOCTL_ARGS, _BY_IOCTL, Need.DOMAIN),
    HookRow("file_ioctl_compat", "lsm", _IOCTL_ARGS, _BY_IOCTL, Need.DOMAIN),
    HookRow("uring_cmd", "lsm", parameters("struct io_uring_cmd *ioucmd"), _BY_IOCTL, Need.DOMAIN, optional=True),
    HookRow("file_free_security", "lsm", parameters("struct file *file"), _AT_OPEN, void=True),
    HookRow("path_truncate", "lsm", parameters("const struct path *path"), Action.TRUNCATE, Need.DOMAIN),
    HookRow(
        "path_unlink",
        "lsm",
        parameters("const struct path *dir, struct dentry *dentry"),
        Action.REMOVE_FILE,
        Need.DENIAL | Need.DOMAIN,
    ),
    HookRow(
        "path_rmdir",
        "lsm",
        parameters("const struct path *dir, struct dentry *dentry"),
        Action.REMOVE_DIR,
        Need.DENIAL | Need.DOMAIN,
    ),
    HookRow(
        "path_mkdir",
        "lsm",
        parameters("const struct path *dir, struct dentry *dentry, umode_t mode"),
        Action.MAKE_DIR,
        Need.DOMAIN,
    ),
    HookRow(
        "path_mknod",
        "lsm",
        parameters("const struct path *dir, struct dentry *dentry, umode_t mode, unsigned int dev"),
        _MAKE_BY_MKNOD,
        Need.DENIAL | Need.DOMAIN,
    ),
    HookRow(
        "path_symlink",
        "lsm",
        parameters("const struct path *dir, struct dentry *dentry, const char *old_name"),
        Action.MAKE_SYM,
        Need.DOMAIN,
    ),
    HookRow(
        "path_link",
        "lsm",
        parameters("struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry"),
        Action.REFER | _MAKE_BY_LINK,
        Need.DOMAIN,
    ),
    HookRow(
        "path_rename",
        "lsm",
        parameters(
            "const struct path *old_dir, struct dentry *old_dentry, "
            "const struct path *new_dir, struct dentry *new_dentry, unsigned int flags"
        ),
        Action.REFER | _MAKE_BY_RENAME,
        Need.DENIAL | Need.DOMAIN,
    ),
    HookRow(
        "sb_mount",
        "lsm",
        parameters("const char *dev_name, const struct path *path, const char *type, unsigned long flags, void *data"),
        Action.MOUNT,
        Need.DOMAIN,
    ),
    HookRow(
        "move_mount", "lsm", parameters("const struct path *from_path, const struct path *to_path"), Action.MOUNT, Need.DOMAIN
    ),
    HookRow("sb_umount", "lsm", parameters("struct vfsmount *mnt, int flags"), Action.MOUNT, Need.DOMAIN),
    HookRow("sb_remount", "lsm", parameters("struct super_block *sb, void *mnt_opts"), Action.MOUNT, Need.DOMAIN),
    HookRow(
        "sb_pivotroot",
        "lsm",
        parameters("const struct path *old_path, const struct path *new_path"),
        Action.MOUNT,
        Need.DOMAIN,
    ),
    HookRow("inode_permission", "lsm", parameters("struct inode *inode, int mask"), Action.CHDIR | Action.ACCESS),
    HookRow("inode_getattr", "lsm", parameters("const struct path *path"), Action.STAT),
    HookRow("inode_readlink", "lsm", parameters("struct dentry *dentry"), Action.READLINK),
    HookRow("inode_getxattr", "lsm", parameters("struct dentry *dentry, const char *name"), Action.GETXATTR),
    HookRow("inode_get_acl", "lsm", _ACL_ARGS, Action.GETXATTR),
    HookRow("inode_listxattr", "lsm", parameters("struct dentry *dentry"), Action.LISTXATTR),
    HookRow("inode_file_getattr", "lsm", _FILEATTR_ARGS, Action.FILE_GETATTR, optional=True),
    HookRow("path_chmod", "lsm", parameters("const struct path *path, umode_t mode"), Action.CHMOD, Need.DOMAIN),
    HookRow(
        "path_chown",
        "lsm",
        parameters("const struct path *path, unsigned int uid, unsigned int gid"),
        Action.CHOWN,
        Need.DOMAIN,
    ),
    HookRow(
        "inode_setattr",
        "lsm",
        parameters("struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr"),
        Action.UTIME,
    ),
    HookRow(
        "inode_setxattr",
        "lsm",
        parameters(
            "struct mnt_idmap *idmap, struct dentry *dentry, const char *name, const void *value, unsigned long size, int flags"
        ),
        Action.SETXATTR,
        Need.DOMAIN,
    ),
    HookRow(
        "inode_removexattr",
        "lsm",
        parameters("struct mnt_idmap *idmap, struct dentry *dentry, const char *name"),
        Action.REMOVEXATTR,
        Need.DOMAIN,
    ),
    HookRow("inode_set_acl", "lsm", (*_ACL_ARGS, ("struct posix_acl *", "kacl")), Action.SET_ACL, Need.DOMAIN),
    HookRow("inode_remove_acl", "lsm", _ACL_ARGS, Action.SET_ACL, Need.DOMAIN),
    HookRow("inode_file_setattr", "lsm", _FILEATTR_ARGS, Action.FILE_SETATTR, Need.DOMAIN, optional=True),
    HookRow("file_lock", "lsm", parameters("struct file *file, unsigned int cmd"), Action.LOCK),
    HookRow("file_fcntl", "lsm", _IOCTL_ARGS, Action.FCNTL),
    HookRow(
        "mmap_file",
        "lsm",
        parameters("struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags"),
        Action.MAP_EXEC,
    ),
    HookRow(
        "file_mprotect",
        "lsm",
        parameters("struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot"),
        Action.MAP_EXEC,
    ),
    HookRow("path_chroot", "lsm", parameters("const struct path *path"), Action.CHROOT),
    HookRow("file_receive", "lsm", parameters("struct file *file"), Action.RECEIVE, Need.DOMAIN),
    HookRow(
        "unix_stream_connect",
        "lsm",
        parameters("struct sock *sock, struct sock *other, struct sock *newsk"),
        Action.RESOLVE_UNIX,
    ),
    HookRow("unix_may_send", "lsm", parameters("struct socket *sock, struct socket *other"), Action.RESOLVE_UNIX),
    HookRow("sb_delete", "lsm", parameters("struct super_block *sb"), need=Need.DOMAIN, void=True),
    HookRow(
        "sb_set_mnt_opts",
        "lsm",
        parameters("struct super_block *sb, void *mnt_opts, unsigned long kern_flags, unsigned long *set_kern_flags"),
        need=Need.DOMAIN,
    ),
    HookRow(
        "task_alloc",
        "lsm",
        parameters("struct task_struct *task, unsigned long clone_flags"),
        need=Need.PROCESS | Need.DOMAIN,
    ),
    HookRow(
        "ptrace_access_check",
        "lsm",
        parameters("struct task_struct *child, unsigned int mode"),
        need=Need.DOMAIN,
    ),
    HookRow("ptrace_traceme", "lsm", parameters("struct task_struct *parent"), need=Need.DOMAIN),
    HookRow("bpf", "lsm", parameters("int cmd"), need=Need.DOMAIN, leading=True),
    HookRow("locked_down", "lsm", parameters("int what"), need=Need.DOMAIN),
    HookRow("kernel_load_data", "lsm", parameters("int id, _Bool contents"), need=Need.DOMAIN),
    HookRow("kernel_read_file", "lsm", parameters("struct file *file, int id, _Bool contents"), need=Need.DOMAIN),
    HookRow("perf_event_open", "lsm", parameters("int type"), need=Need.DOMAIN, leading=True),
    HookRow(
        "cgroup_attach_task",
        "fentry",
        parameters("struct cgroup *dst_cgrp, struct task_struct *leader, _Bool threadgroup"),
        need=Need.DOMAIN,
        void=True,
    ),
    HookRow(
        "__d_move",
        "fentry",
        parameters("struct dentry *dentry, struct dentry *target, _Bool exchange"),
        need=Need.DOMAIN,
        void=True,
        optional=True,
    ),
    HookRow(
        "task_newtask",
        "tp_btf",
        parameters("struct task_struct *task, unsigned long clone_flags"),
        need=Need.PROCESS | Need.DOMAIN,
        void=True,
    ),
    HookRow("cgroup_mkdir", "tp_btf", parameters("struct cgroup *cgrp, const char *path"), need=Need.DOMAIN, void=True),
    HookRow("cgroup_rmdir", "tp_btf", parameters("struct cgroup *cgrp, const char *path"), need=Need.DOMAIN, void=True),
)


# Those that are told no mount: a dentry, or an inode alone.
MOUNTLESS = tuple(
    row
    for row in HOOKS
    if row.actions
    and any(kind in ("struct dentry *", "struct inode *") for kind, _ in row.args)
    and not any(kind in ("const struct path *", "struct file *") for kind, _ in row.args)
)

# As plain numbers: an `&` of flags takes 7,000 instructions, and every command asks all rows.
_MASKS = tuple((row, int(row.actions), int(row.need.value)) for row in HOOKS)


def needed(handled: int, need: Need) -> Iterator[HookRow]:
    """Give the hooks that live domains need which handle these actions, all together, and have these things."""
    handled, things = int(handled), int(need.value)
    return (row for row, actions, needs in _MASKS if actions & handled or needs & things)
