# SPDX-License-Identifier: GPL-2.0-only
"""What makes each hook of `questions.ROWS` ask: a system call or few, and what is asked then, as the facts of 2017 have it.

The questions are written down here once more, not taken from the table: the tests compare the two.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import mmap
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import binder
import file_call
import operation
import path_call

from landlock_bpf.abi import ActionFs, Event, Handle

EXEC, WRITE, READ, NEW, GET = ActionFs.EXEC, ActionFs.WRITE, ActionFs.READ, ActionFs.NEW, ActionFs.GET
REMOVE, IOCTL, LOCK, FCNTL = ActionFs.REMOVE, ActionFs.IOCTL, ActionFs.LOCK, ActionFs.FCNTL
NOTHING = ActionFs(0)
FILE, INODE, PATH, DENTRY = Handle.FILE, Handle.INODE, Handle.PATH, Handle.DENTRY
# What a question is about where nothing is there yet.
ABSENT = ""


@dataclasses.dataclass(frozen=True)
class Ask:
    """A question: the handle's kind, what it stands for (a path in the folder, or ABSENT), arg2 and the event."""

    kind: Handle
    what: str
    arg2: int
    event: Event = Event.FS


@dataclasses.dataclass(frozen=True)
class Trigger:
    """A row: `prepare` makes ready, in a folder of populate(), what `run` is tried on. `result` is the errno without rules."""

    hook: str
    run: Callable[[Any], object]
    asks: tuple[Ask, ...]
    prepare: Callable[[Path], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    name: str = ""
    result: int = 0

    def __str__(self) -> str:
        return f"{self.hook}-{self.name}" if self.name else self.hook


def populate(folder: Path) -> Path:
    """Make a folder in which no two things have the same mode."""
    folder.mkdir(mode=0o755)
    for number, name in enumerate(("from", "to")):
        (folder / name).mkdir()
        (folder / name / "file").write_text("text of more than a few bytes")
        (folder / name / "folder").mkdir()
        (folder / name / "link").symlink_to("file")
        os.mknod(folder / name / "device", stat.S_IFCHR | 0o666, operation.URANDOM)
        for step, each in enumerate(("file", "folder", "device")):
            (folder / name / each).chmod(0o700 | 0o20 * number | 1 + step)
        (folder / name).chmod(0o711 + number)
    return folder


def call(function: Callable[[], object]) -> None:
    function()


_NONE, _R, _W, _X = 0, mmap.PROT_READ, mmap.PROT_WRITE, mmap.PROT_EXEC


def _mapping(name: str, protection: int, flags: int, arg2: ActionFs) -> Trigger:
    def run(fd: int) -> None:
        file_call.map_file(fd, protection, flags)

    return Trigger("mmap_file", run, (Ask(FILE, "from/file", arg2),), file_call.to_update, name)


def _protection(name: str, protection: int, flags: int, arg2: ActionFs) -> Trigger:
    @contextlib.contextmanager
    def prepare(folder: Path) -> Iterator[int]:
        with file_call.to_update(folder) as fd:
            yield file_call.map_file(fd, _NONE if protection else _R, flags)

    def run(address: int) -> None:
        file_call.protect(address, protection)

    return Trigger("file_mprotect", run, (Ask(FILE, "from/file", arg2),), prepare, name)


def _permission(name: str, run: Callable[[Path], None], what: str, arg2: ActionFs) -> Trigger:
    return Trigger("inode_permission", run, (Ask(INODE, what, arg2),), name=name)


_SHARED, _PRIVATE = mmap.MAP_SHARED, mmap.MAP_PRIVATE
_MAKE = (Ask(INODE, "from", WRITE), Ask(DENTRY, ABSENT, NEW))
_MOVE = (Ask(INODE, "from", WRITE), Ask(DENTRY, "from/file", REMOVE), Ask(INODE, "to", WRITE))
_COMMAND = (
    Ask(FILE, "from/device", IOCTL),
    Ask(FILE, "from/device", operation.RNDGETENTCNT, Event.FS_IOCTL),
)


def _on_file(hook: str, run: Callable[[Any], object], kind: Handle, arg2: ActionFs, *others: Any, **more: Any) -> Trigger:
    return Trigger(hook, run, (Ask(kind, "from/file", arg2),), *others, **more)


TRIGGERS = (
    _on_file("binder_transfer_file", call, FILE, READ, binder.to_send),
    _on_file("sb_statfs", path_call.statfs, DENTRY, READ),
    Trigger("sb_mount", path_call.mount, (Ask(PATH, "to", WRITE),), path_call.alone),
    Trigger("sb_remount", path_call.remount, (Ask(DENTRY, "to", WRITE),), path_call.with_mount),
    Trigger("sb_umount", path_call.umount, (Ask(DENTRY, "to", WRITE),), path_call.with_mount),
    Trigger("sb_pivotroot", path_call.pivot_root, (Ask(PATH, "to/part", WRITE),), path_call.with_mount),
    Trigger("inode_create", path_call.create, _MAKE),
    Trigger("inode_create", path_call.mknod_file, _MAKE, name="mknod"),
    Trigger("inode_link", path_call.link, (Ask(DENTRY, "from/file", READ), Ask(INODE, "to", WRITE), Ask(DENTRY, ABSENT, NEW))),
    Trigger("inode_unlink", path_call.unlink, (Ask(INODE, "from", WRITE), Ask(DENTRY, "from/file", REMOVE))),
    Trigger("inode_symlink", path_call.symlink, _MAKE),
    Trigger("inode_mkdir", path_call.mkdir, _MAKE),
    Trigger("inode_rmdir", path_call.rmdir, (Ask(INODE, "from", WRITE), Ask(DENTRY, "from/folder", REMOVE))),
    Trigger("inode_mknod", path_call.mknod, _MAKE),
    Trigger("inode_rename", path_call.rename, (*_MOVE, Ask(DENTRY, ABSENT, NEW))),
    Trigger("inode_rename", path_call.rename_over, (*_MOVE, Ask(DENTRY, "to/file", NEW)), name="over"),
    Trigger("inode_readlink", path_call.readlink, (Ask(DENTRY, "from/link", READ),)),
    Trigger("inode_follow_link", path_call.follow_link, (Ask(DENTRY, "from/link", READ),)),
    _permission("chdir", path_call.chdir, "from", EXEC),
    _permission("read", path_call.open_to_read, "from/file", GET | READ),
    _permission("write", path_call.open_to_write, "from/file", GET | WRITE),
    _permission("append", path_call.open_to_append, "from/file", GET | WRITE),
    _permission("update", path_call.open_to_update, "from/file", GET | READ | WRITE),
    _permission("open_dir", path_call.open_dir, "from", GET | READ),
    _permission("truncate", path_call.truncate, "from/file", WRITE),
    _permission("mkdir", path_call.mkdir, "from", WRITE | EXEC),
    _on_file("inode_setattr", path_call.chmod, DENTRY, WRITE, name="chmod"),
    _on_file("inode_setattr", path_call.chown, DENTRY, WRITE, name="chown"),
    _on_file("inode_setattr", path_call.utime, DENTRY, WRITE, name="utime"),
    _on_file("inode_getattr", path_call.getattr_, PATH, READ),
    _on_file("inode_setxattr", path_call.setxattr, DENTRY, WRITE),
    _on_file("inode_getxattr", path_call.getxattr, DENTRY, READ, path_call.with_xattr),
    _on_file("inode_listxattr", path_call.listxattr, DENTRY, READ, path_call.with_xattr),
    _on_file("inode_removexattr", path_call.removexattr, DENTRY, WRITE, path_call.with_xattr),
    # Asked after inode_setxattr, of the same inode and action. No LSM of ours keeps such attributes.
    _on_file("inode_setsecurity", path_call.setsecurity, INODE, WRITE, path_call.without_xattrs, result=errno.EOPNOTSUPP),
    _on_file("file_permission", file_call.read, FILE, READ, file_call.to_update, name="read"),
    _on_file("file_permission", file_call.write, FILE, WRITE, file_call.to_update, name="write"),
    Trigger("file_permission", file_call.getdents, (Ask(FILE, "from", READ),), file_call.to_list, name="list"),
    Trigger("file_ioctl", file_call.ioctl, _COMMAND, file_call.to_command),
    Trigger(
        "file_lock",
        file_call.flock,
        (Ask(FILE, "from/file", LOCK), Ask(FILE, "from/file", fcntl.F_WRLCK, Event.FS_LOCK)),
        file_call.to_update,
    ),
    Trigger(
        "file_lock",
        file_call.setlk,
        (Ask(FILE, "from/file", LOCK), Ask(FILE, "from/file", fcntl.F_RDLCK, Event.FS_LOCK)),
        file_call.to_update,
        name="fcntl",
    ),
    Trigger(
        "file_fcntl",
        file_call.getfl,
        (Ask(FILE, "from/file", FCNTL), Ask(FILE, "from/file", fcntl.F_GETFL, Event.FS_FCNTL)),
        file_call.to_read,
    ),
    _mapping("none", _NONE, _SHARED, NOTHING),
    _mapping("read", _R, _SHARED, READ),
    _mapping("write", _R | _W, _SHARED, READ | WRITE),
    _mapping("write_private", _R | _W, _PRIVATE, READ),
    _mapping("execute", _R | _X, _PRIVATE, READ | EXEC),
    _protection("none", _NONE, _SHARED, NOTHING),
    _protection("read", _R, _SHARED, READ),
    _protection("write", _R | _W, _SHARED, READ | WRITE),
    _protection("write_private", _R | _W, _PRIVATE, READ),
    _protection("execute", _R | _X, _PRIVATE, READ | EXEC),
    _on_file("file_receive", file_call.receive, FILE, GET, file_call.to_read),
    _on_file("file_open", path_call.open_to_read, FILE, GET),
    Trigger("file_ioctl_compat", call, _COMMAND, file_call.to_command_ia32),
    Trigger(
        "uring_cmd",
        call,
        (Ask(FILE, "from/device", IOCTL), Ask(FILE, "from/device", file_call.NULL_COMMAND, Event.FS_IOCTL)),
        file_call.to_command_uring,
    ),
    _on_file("file_truncate", file_call.ftruncate, FILE, WRITE, file_call.to_update),
    _on_file("inode_set_acl", path_call.set_acl, DENTRY, WRITE),
    _on_file("inode_get_acl", path_call.get_acl, DENTRY, READ, path_call.with_acl),
    _on_file("inode_remove_acl", path_call.remove_acl, DENTRY, WRITE, path_call.with_acl),
    _on_file("inode_file_getattr", path_call.file_getattr, DENTRY, READ),
    _on_file("inode_file_setattr", path_call.file_setattr, DENTRY, WRITE),
    Trigger("move_mount", path_call.move_mount, (Ask(PATH, "to", WRITE),), path_call.with_tree),
    Trigger("path_notify", file_call.notify, (Ask(PATH, "from", READ),), file_call.to_list),
)
