# SPDX-License-Identifier: GPL-2.0-only
"""The questions that LSM hooks ask of rule programs: one row a hook. Programs, documentation and tests are made from them.

What 2017 asked is Landlock's patch series v7 (security/landlock/hooks_fs.c): 33 hooks, of which BPF can attach to all but
inode_getsecurity. Hooks that came later, or that it left out, have the questions that fit, and say why they are here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from landlock_bpf import abi, hooks
from landlock_bpf.abi import ActionFs, Event, Handle

NOT_ATTACHABLE = {"inode_getsecurity": "the kernel lets no BPF program attach to it (bpf_lsm_disabled_hooks)"}
# The functions of bpf/inquiry.h that turn what a hook is given into action bits, and what they may give.
FROM_MASK = ActionFs.EXEC | ActionFs.WRITE | ActionFs.READ | ActionFs.GET
FROM_PROTECTION = ActionFs.EXEC | ActionFs.WRITE | ActionFs.READ


@dataclasses.dataclass(frozen=True)
class Question:
    """One question: a rule program's event, and its two arguments.

    `object` is the C expression of what the handle stands for; where that is NULL nothing is asked. `arg2` is a C
    expression as well. `actions` are the bits that it may have, none for an event whose arg2 is a command.
    """

    handle: Handle
    object: str
    event: Event
    arg2: str
    actions: ActionFs = ActionFs(0)


@dataclasses.dataclass(frozen=True)
class Row:
    """A hook, the kernel's arguments as (C type, name), and its questions, in their order: the first denial ends it.

    `added` is empty for what 2017 asked; for the others it says which way round a rule the hook closes.
    """

    hook: str
    args: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...]
    added: str = ""

    @property
    def number(self) -> abi.Hook:
        """Give the number by which events name the hook."""
        return abi.Hook[self.hook.upper()]

    @property
    def events(self) -> frozenset[Event]:
        """Name the events whose rules the hook asks."""
        return frozenset(question.event for question in self.questions)


def _fs(handle: Handle, object: str, actions: ActionFs, arg2: str = "") -> Question:
    return Question(handle, object, Event.FS, arg2 or str(int(actions)), actions)


def _file(object: str, actions: ActionFs, arg2: str = "") -> Question:
    return _fs(Handle.FILE, object, actions, arg2)


def _inode(object: str, actions: ActionFs, arg2: str = "") -> Question:
    return _fs(Handle.INODE, object, actions, arg2)


def _path(object: str, actions: ActionFs) -> Question:
    return _fs(Handle.PATH, object, actions)


def _dentry(object: str, actions: ActionFs) -> Question:
    return _fs(Handle.DENTRY, object, actions)


def _command(object: str, event: Event, arg2: str) -> Question:
    return Question(Handle.FILE, object, event, arg2)


_READ, _WRITE, _NEW, _REMOVE, _GET = ActionFs.READ, ActionFs.WRITE, ActionFs.NEW, ActionFs.REMOVE, ActionFs.GET
_IOCTL, _LOCK, _FCNTL = ActionFs.IOCTL, ActionFs.LOCK, ActionFs.FCNTL
_IOCTL_ARGS = hooks.parameters("struct file *file, unsigned int cmd, unsigned long arg")
_IOCTL_QUESTIONS = (_file("file", _IOCTL), _command("file", Event.FS_IOCTL, "cmd"))
_MAKE = (_inode("dir", _WRITE), _dentry("dentry", _NEW))
_TAKE = (_inode("dir", _WRITE), _dentry("dentry", _REMOVE))

# In the order of security/landlock/hooks_fs.c of 2017, then what was added.
ROWS = (
    Row(
        "binder_transfer_file",
        hooks.parameters("const struct cred *from, const struct cred *to, const struct file *file"),
        (_file("file", _READ),),
    ),
    Row("sb_statfs", hooks.parameters("struct dentry *dentry"), (_dentry("dentry", _READ),)),
    Row(
        "sb_mount",
        hooks.parameters("const char *dev_name, const struct path *path, const char *type, unsigned long flags, void *data"),
        (_path("path", _WRITE),),
    ),
    Row("sb_remount", hooks.parameters("struct super_block *sb, void *mnt_opts"), (_dentry("sb->s_root", _WRITE),)),
    Row("sb_umount", hooks.parameters("struct vfsmount *mnt, int flags"), (_dentry("mnt->mnt_root", _WRITE),)),
    Row(
        "sb_pivotroot",
        hooks.parameters("const struct path *old_path, const struct path *new_path"),
        (_path("old_path", _WRITE),),
    ),
    Row("inode_create", hooks.parameters("struct inode *dir, struct dentry *dentry, umode_t mode"), _MAKE),
    Row(
        "inode_link",
        hooks.parameters("struct dentry *old_dentry, struct inode *dir, struct dentry *new_dentry"),
        (_dentry("old_dentry", _READ), _inode("dir", _WRITE), _dentry("new_dentry", _NEW)),
    ),
    Row("inode_unlink", hooks.parameters("struct inode *dir, struct dentry *dentry"), _TAKE),
    Row("inode_symlink", hooks.parameters("struct inode *dir, struct dentry *dentry, const char *old_name"), _MAKE),
    Row("inode_mkdir", hooks.parameters("struct inode *dir, struct dentry *dentry, umode_t mode"), _MAKE),
    Row("inode_rmdir", hooks.parameters("struct inode *dir, struct dentry *dentry"), _TAKE),
    Row("inode_mknod", hooks.parameters("struct inode *dir, struct dentry *dentry, umode_t mode, unsigned int dev"), _MAKE),
    Row(
        "inode_rename",
        hooks.parameters("struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry"),
        (
            _inode("old_dir", _WRITE),
            _dentry("old_dentry", _REMOVE),
            _inode("new_dir", _WRITE),
            _dentry("new_dentry", _NEW),
        ),
    ),
    Row("inode_readlink", hooks.parameters("struct dentry *dentry"), (_dentry("dentry", _READ),)),
    Row(
        "inode_follow_link",
        hooks.parameters("struct dentry *dentry, struct inode *inode, _Bool rcu"),
        (_dentry("dentry", _READ),),
    ),
    Row(
        "inode_permission",
        hooks.parameters("struct inode *inode, int mask"),
        (_inode("inode", FROM_MASK, "fs_may_to_access(mask)"),),
    ),
    Row(
        "inode_setattr",
        hooks.parameters("struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr"),
        (_dentry("dentry", _WRITE),),
    ),
    Row("inode_getattr", hooks.parameters("const struct path *path"), (_path("path", _READ),)),
    Row(
        "inode_setxattr",
        hooks.parameters(
            "struct mnt_idmap *idmap, struct dentry *dentry, const char *name, const void *value, unsigned long size, int flags"
        ),
        (_dentry("dentry", _WRITE),),
    ),
    Row("inode_getxattr", hooks.parameters("struct dentry *dentry, const char *name"), (_dentry("dentry", _READ),)),
    Row("inode_listxattr", hooks.parameters("struct dentry *dentry"), (_dentry("dentry", _READ),)),
    Row(
        "inode_removexattr",
        hooks.parameters("struct mnt_idmap *idmap, struct dentry *dentry, const char *name"),
        (_dentry("dentry", _WRITE),),
    ),
    Row(
        "inode_setsecurity",
        hooks.parameters("struct inode *inode, const char *name, const void *value, unsigned long size, int flags"),
        (_inode("inode", _WRITE),),
    ),
    Row(
        "file_permission",
        hooks.parameters("struct file *file, int mask"),
        (_file("file", FROM_MASK, "fs_may_to_access(mask)"),),
    ),
    Row("file_ioctl", _IOCTL_ARGS, _IOCTL_QUESTIONS),
    Row(
        "file_lock",
        hooks.parameters("struct file *file, unsigned int cmd"),
        (_file("file", _LOCK), _command("file", Event.FS_LOCK, "cmd")),
    ),
    Row(
        "file_fcntl",
        hooks.parameters("struct file *file, unsigned int cmd, unsigned long arg"),
        (_file("file", _FCNTL), _command("file", Event.FS_FCNTL, "cmd")),
    ),
    Row(
        "mmap_file",
        hooks.parameters("struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags"),
        (_file("file", FROM_PROTECTION, "mem_prot_to_access(prot, flags & MAP_PRIVATE)"),),
    ),
    Row(
        "file_mprotect",
        hooks.parameters("struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot"),
        (_file("vma->vm_file", FROM_PROTECTION, "mem_prot_to_access(prot, !(vma->vm_flags & VM_SHARED))"),),
    ),
    Row("file_receive", hooks.parameters("struct file *file"), (_file("file", _GET),)),
    Row("file_open", hooks.parameters("struct file *file"), (_file("file", _GET),)),
    Row("file_ioctl_compat", _IOCTL_ARGS, _IOCTL_QUESTIONS, "ioctl(2) of 32-bit programs went through file_ioctl"),
    Row(
        "uring_cmd",
        hooks.parameters("struct io_uring_cmd *ioucmd"),
        (_file("ioucmd->file", _IOCTL), _command("ioucmd->file", Event.FS_IOCTL, "ioucmd->cmd_op")),
        "commands to devices without ioctl(2), through io_uring",
    ),
    Row(
        "file_truncate", hooks.parameters("struct file *file"), (_file("file", _WRITE),), "ftruncate(2) of a file opened before"
    ),
    Row(
        "inode_set_acl",
        hooks.parameters("struct mnt_idmap *idmap, struct dentry *dentry, const char *acl_name, struct posix_acl *kacl"),
        (_dentry("dentry", _WRITE),),
        "POSIX ACLs went through inode_setxattr",
    ),
    Row(
        "inode_get_acl",
        hooks.parameters("struct mnt_idmap *idmap, struct dentry *dentry, const char *acl_name"),
        (_dentry("dentry", _READ),),
        "POSIX ACLs went through inode_getxattr",
    ),
    Row(
        "inode_remove_acl",
        hooks.parameters("struct mnt_idmap *idmap, struct dentry *dentry, const char *acl_name"),
        (_dentry("dentry", _WRITE),),
        "POSIX ACLs went through inode_removexattr",
    ),
    Row(
        "inode_file_getattr",
        hooks.parameters("struct dentry *dentry, struct file_kattr *fa"),
        (_dentry("dentry", _READ),),
        "inode flags can be had without ioctl(2), with file_getattr(2)",
    ),
    Row(
        "inode_file_setattr",
        hooks.parameters("struct dentry *dentry, struct file_kattr *fa"),
        (_dentry("dentry", _WRITE),),
        "inode flags can be set without ioctl(2), with file_setattr(2)",
    ),
    Row(
        "move_mount",
        hooks.parameters("const struct path *from_path, const struct path *to_path"),
        (_path("to_path", _WRITE),),
        "mounts could only be made by mount(2)",
    ),
    Row(
        "path_notify",
        hooks.parameters("const struct path *path, unsigned long long mask, unsigned int obj_type"),
        (_path("path", _READ),),
        "inotify and fanotify tell of what one may not read",
    ),
)


def asked(events: Iterable[Event]) -> tuple[Row, ...]:
    """Give the hooks that ask rules of any of these events."""
    wanted = frozenset(events)
    return tuple(row for row in ROWS if row.events & wanted)
