# SPDX-License-Identifier: GPL-2.0-only
"""What makes each hook of `questions.ROWS` ask: a system call or few, and what is asked then, as the facts of 2017 have it.

The questions are written down here once more, not taken from the table: the tests compare the two.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import fcntl
import mmap
import os
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import binder
import operation
from operation import check

from landlock_bpf.abi import ActionFs, Event, Handle
from landlock_bpf.compare import calls, uring

EXEC, WRITE, READ, NEW, GET = ActionFs.EXEC, ActionFs.WRITE, ActionFs.READ, ActionFs.NEW, ActionFs.GET
REMOVE, IOCTL, LOCK, FCNTL = ActionFs.REMOVE, ActionFs.IOCTL, ActionFs.LOCK, ActionFs.FCNTL
NOTHING = ActionFs(0)
FILE, INODE, PATH, DENTRY = Handle.FILE, Handle.INODE, Handle.PATH, Handle.DENTRY
# What a question is about where nothing is there yet.
ABSENT = ""
XATTR, ACL = b"trusted.test", b"system.posix_acl_access"
# struct posix_acl_xattr_header and entries: rw for the owner, r for uid 1, a mask, r for the others
ACL_VALUE = struct.pack("<I" + "HHI" * 5, 2, 1, 6, 2**32 - 1, 2, 4, 1, 4, 4, 2**32 - 1, 16, 4, 2**32 - 1, 32, 4, 2**32 - 1)
NULL_COMMAND = 0x4242  # drivers/char/mem.c takes any
# include/uapi/asm-generic/unistd.h
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD, SYS_FILE_GETATTR, SYS_FILE_SETATTR = 434, 438, 468, 469
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


# Mounts: each in a mount namespace of the process's own.


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[Path]:
    """Go where mounts are nobody else's."""
    calls.unshare()
    yield folder


@contextlib.contextmanager
def with_mount(folder: Path) -> Iterator[Path]:
    """Have a filesystem on `to`, and a directory of it on `from`."""
    calls.unshare()
    calls.mount("none", folder / "to", "tmpfs", data="mode=731")
    (folder / "to" / "part").mkdir(mode=0o732)
    calls.mount(folder / "to" / "part", folder / "from", flags=calls.MS_BIND)
    yield folder


@contextlib.contextmanager
def with_tree(folder: Path) -> Iterator[tuple[int, Path]]:
    """Have a detached mount."""
    calls.unshare()
    yield calls.open_tree(folder / "from", calls.OPEN_TREE_CLONE), folder / "to"


def mount(folder: Path) -> None:
    calls.mount("none", folder / "to", "tmpfs")


def remount(folder: Path) -> None:
    calls.mount("none", folder / "from", flags=calls.MS_REMOUNT)


def umount(folder: Path) -> None:
    calls.umount(folder / "to", calls.MNT_DETACH)


def pivot_root(folder: Path) -> None:
    calls.pivot_root(folder / "to", folder / "to" / "part")


def move_mount(where: tuple[int, Path]) -> None:
    calls.move_mount(*where)


# Names.


def statfs(folder: Path) -> None:
    os.statvfs(folder / "from" / "file")


def create(folder: Path) -> None:
    operation.touch(folder / "from" / "new", os.O_CREAT | os.O_EXCL | os.O_WRONLY)


def mknod_file(folder: Path) -> None:
    os.mknod(folder / "from" / "new", stat.S_IFREG | 0o600)


def link(folder: Path) -> None:
    os.link(folder / "from" / "file", folder / "to" / "new")


def unlink(folder: Path) -> None:
    os.unlink(folder / "from" / "file")


def symlink(folder: Path) -> None:
    os.symlink("file", folder / "from" / "new")


def mkdir(folder: Path) -> None:
    os.mkdir(folder / "from" / "new")


def rmdir(folder: Path) -> None:
    os.rmdir(folder / "from" / "folder")


def mknod(folder: Path) -> None:
    os.mkfifo(folder / "from" / "new")


def rename(folder: Path) -> None:
    os.rename(folder / "from" / "file", folder / "to" / "new")


def rename_over(folder: Path) -> None:
    os.rename(folder / "from" / "file", folder / "to" / "file")


def readlink(folder: Path) -> None:
    os.readlink(folder / "from" / "link")


def follow_link(folder: Path) -> None:
    os.stat(folder / "from" / "link")


# Inodes.


def chdir(folder: Path) -> None:
    os.chdir(folder / "from")


def open_to_read(folder: Path) -> None:
    operation.touch(folder / "from" / "file", os.O_RDONLY)


def open_to_write(folder: Path) -> None:
    operation.touch(folder / "from" / "file", os.O_WRONLY)


def open_to_append(folder: Path) -> None:
    operation.touch(folder / "from" / "file", os.O_WRONLY | os.O_APPEND)


def open_to_update(folder: Path) -> None:
    operation.touch(folder / "from" / "file", os.O_RDWR)


def open_dir(folder: Path) -> None:
    operation.touch(folder / "from", os.O_RDONLY | os.O_DIRECTORY)


def truncate(folder: Path) -> None:
    check(_libc.truncate(os.fsencode(folder / "from" / "file"), ctypes.c_long(1)))


def chmod(folder: Path) -> None:
    os.chmod(folder / "from" / "file", 0o600)


def chown(folder: Path) -> None:
    os.chown(folder / "from" / "file", 1, 1)


def utime(folder: Path) -> None:
    os.utime(folder / "from" / "file", (1, 1))


def getattr_(folder: Path) -> None:
    os.stat(folder / "from" / "file")


def set_named(path: Path, name: bytes, value: bytes) -> None:
    check(_libc.setxattr(os.fsencode(path), name, value, ctypes.c_size_t(len(value)), 0), path)


@contextlib.contextmanager
def with_named(folder: Path, name: bytes, value: bytes) -> Iterator[Path]:
    """Have an attribute on the file."""
    set_named(folder / "from" / "file", name, value)
    yield folder


def with_xattr(folder: Path) -> contextlib.AbstractContextManager[Path]:
    return with_named(folder, XATTR, b"value")


def with_acl(folder: Path) -> contextlib.AbstractContextManager[Path]:
    return with_named(folder, ACL, ACL_VALUE)


def setxattr(folder: Path) -> None:
    set_named(folder / "from" / "file", XATTR, b"value")


def getxattr(folder: Path) -> None:
    os.getxattr(folder / "from" / "file", XATTR)


def listxattr(folder: Path) -> None:
    os.listxattr(folder / "from" / "file")


def removexattr(folder: Path) -> None:
    os.removexattr(folder / "from" / "file", XATTR)


def set_acl(folder: Path) -> None:
    set_named(folder / "from" / "file", ACL, ACL_VALUE)


def get_acl(folder: Path) -> None:
    os.getxattr(folder / "from" / "file", ACL)


def remove_acl(folder: Path) -> None:
    os.removexattr(folder / "from" / "file", ACL)


@contextlib.contextmanager
def without_xattrs(folder: Path) -> Iterator[Path]:
    """Have a filesystem on `from` that leaves attributes named security.* to the LSMs."""
    calls.unshare()
    calls.mount("none", folder / "from", "ramfs")
    (folder / "from" / "file").touch(0o737)
    yield folder


def setsecurity(folder: Path) -> None:
    set_named(folder / "from" / "file", b"security.test", b"value")


class FileAttr(ctypes.Structure):
    """struct file_attr (include/uapi/linux/fs.h)."""

    _fields_ = [
        ("fa_xflags", ctypes.c_uint64),
        ("fa_extsize", ctypes.c_uint32),
        ("fa_nextents", ctypes.c_uint32),
        ("fa_projid", ctypes.c_uint32),
        ("fa_cowextsize", ctypes.c_uint32),
    ]


def _file_attr(path: Path, number: int, attributes: FileAttr) -> None:
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    check(_libc.syscall(number, calls.AT_FDCWD, os.fsencode(path), ctypes.byref(attributes), size, 0))


def set_flags(path: Path, flags: int) -> None:
    """Set the attributes of a file by file_setattr(2); FS_XFLAG_*."""
    _file_attr(path, SYS_FILE_SETATTR, FileAttr(fa_xflags=flags))


def get_flags(path: Path) -> None:
    _file_attr(path, SYS_FILE_GETATTR, FileAttr())


def file_getattr(folder: Path) -> None:
    get_flags(folder / "from" / "file")


def file_setattr(folder: Path) -> None:
    set_flags(folder / "from" / "file", 0x40)  # FS_XFLAG_NOATIME


# Open files.


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


def call(function: Callable[[], object]) -> None:
    function()


def notify(fd: int) -> None:
    fcntl.fcntl(fd, F_NOTIFY, DN_CREATE)


def receive(fd: int) -> None:
    pidfd = check(_libc.syscall(SYS_PIDFD_OPEN, os.getpid(), 0))
    check(_libc.syscall(SYS_PIDFD_GETFD, pidfd, fd, 0))


# Memory.

_NONE, _R, _W, _X = 0, mmap.PROT_READ, mmap.PROT_WRITE, mmap.PROT_EXEC


def map_file(fd: int, protection: int, flags: int) -> int:
    """Map a page of a file, and give its address."""
    address = _libc.mmap(None, mmap.PAGESIZE, protection, flags, fd, 0)
    if address == ctypes.c_void_p(-1).value:
        check(-1)
    return int(address)


def protect(address: int, protection: int) -> None:
    check(_libc.mprotect(address, mmap.PAGESIZE, protection))


def _mapping(name: str, protection: int, flags: int, arg2: ActionFs) -> Trigger:
    def run(fd: int) -> None:
        map_file(fd, protection, flags)

    return Trigger("mmap_file", run, (Ask(FILE, "from/file", arg2),), to_update, name)


def _protection(name: str, protection: int, flags: int, arg2: ActionFs) -> Trigger:
    @contextlib.contextmanager
    def prepare(folder: Path) -> Iterator[int]:
        with to_update(folder) as fd:
            yield map_file(fd, _NONE if protection else _R, flags)

    def run(address: int) -> None:
        protect(address, protection)

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
    _on_file("sb_statfs", statfs, DENTRY, READ),
    Trigger("sb_mount", mount, (Ask(PATH, "to", WRITE),), alone),
    Trigger("sb_remount", remount, (Ask(DENTRY, "to", WRITE),), with_mount),
    Trigger("sb_umount", umount, (Ask(DENTRY, "to", WRITE),), with_mount),
    Trigger("sb_pivotroot", pivot_root, (Ask(PATH, "to/part", WRITE),), with_mount),
    Trigger("inode_create", create, _MAKE),
    Trigger("inode_create", mknod_file, _MAKE, name="mknod"),
    Trigger("inode_link", link, (Ask(DENTRY, "from/file", READ), Ask(INODE, "to", WRITE), Ask(DENTRY, ABSENT, NEW))),
    Trigger("inode_unlink", unlink, (Ask(INODE, "from", WRITE), Ask(DENTRY, "from/file", REMOVE))),
    Trigger("inode_symlink", symlink, _MAKE),
    Trigger("inode_mkdir", mkdir, _MAKE),
    Trigger("inode_rmdir", rmdir, (Ask(INODE, "from", WRITE), Ask(DENTRY, "from/folder", REMOVE))),
    Trigger("inode_mknod", mknod, _MAKE),
    Trigger("inode_rename", rename, (*_MOVE, Ask(DENTRY, ABSENT, NEW))),
    Trigger("inode_rename", rename_over, (*_MOVE, Ask(DENTRY, "to/file", NEW)), name="over"),
    Trigger("inode_readlink", readlink, (Ask(DENTRY, "from/link", READ),)),
    Trigger("inode_follow_link", follow_link, (Ask(DENTRY, "from/link", READ),)),
    _permission("chdir", chdir, "from", EXEC),
    _permission("read", open_to_read, "from/file", GET | READ),
    _permission("write", open_to_write, "from/file", GET | WRITE),
    _permission("append", open_to_append, "from/file", GET | WRITE),
    _permission("update", open_to_update, "from/file", GET | READ | WRITE),
    _permission("open_dir", open_dir, "from", GET | READ),
    _permission("truncate", truncate, "from/file", WRITE),
    _permission("mkdir", mkdir, "from", WRITE | EXEC),
    _on_file("inode_setattr", chmod, DENTRY, WRITE, name="chmod"),
    _on_file("inode_setattr", chown, DENTRY, WRITE, name="chown"),
    _on_file("inode_setattr", utime, DENTRY, WRITE, name="utime"),
    _on_file("inode_getattr", getattr_, PATH, READ),
    _on_file("inode_setxattr", setxattr, DENTRY, WRITE),
    _on_file("inode_getxattr", getxattr, DENTRY, READ, with_xattr),
    _on_file("inode_listxattr", listxattr, DENTRY, READ, with_xattr),
    _on_file("inode_removexattr", removexattr, DENTRY, WRITE, with_xattr),
    # Asked after inode_setxattr, of the same inode and action. No LSM of ours keeps such attributes.
    _on_file("inode_setsecurity", setsecurity, INODE, WRITE, without_xattrs, result=errno.EOPNOTSUPP),
    _on_file("file_permission", read, FILE, READ, to_update, name="read"),
    _on_file("file_permission", write, FILE, WRITE, to_update, name="write"),
    Trigger("file_permission", getdents, (Ask(FILE, "from", READ),), to_list, name="list"),
    Trigger("file_ioctl", ioctl, _COMMAND, to_command),
    Trigger(
        "file_lock", flock, (Ask(FILE, "from/file", LOCK), Ask(FILE, "from/file", fcntl.F_WRLCK, Event.FS_LOCK)), to_update
    ),
    Trigger(
        "file_lock",
        setlk,
        (Ask(FILE, "from/file", LOCK), Ask(FILE, "from/file", fcntl.F_RDLCK, Event.FS_LOCK)),
        to_update,
        name="fcntl",
    ),
    Trigger(
        "file_fcntl", getfl, (Ask(FILE, "from/file", FCNTL), Ask(FILE, "from/file", fcntl.F_GETFL, Event.FS_FCNTL)), to_read
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
    _on_file("file_receive", receive, FILE, GET, to_read),
    _on_file("file_open", open_to_read, FILE, GET),
    Trigger("file_ioctl_compat", call, _COMMAND, to_command_ia32),
    Trigger(
        "uring_cmd",
        call,
        (Ask(FILE, "from/device", IOCTL), Ask(FILE, "from/device", NULL_COMMAND, Event.FS_IOCTL)),
        to_command_uring,
    ),
    _on_file("file_truncate", ftruncate, FILE, WRITE, to_update),
    _on_file("inode_set_acl", set_acl, DENTRY, WRITE),
    _on_file("inode_get_acl", get_acl, DENTRY, READ, with_acl),
    _on_file("inode_remove_acl", remove_acl, DENTRY, WRITE, with_acl),
    _on_file("inode_file_getattr", file_getattr, DENTRY, READ),
    _on_file("inode_file_setattr", file_setattr, DENTRY, WRITE),
    Trigger("move_mount", move_mount, (Ask(PATH, "to", WRITE),), with_tree),
    Trigger("path_notify", notify, (Ask(PATH, "from", READ),), to_list),
)
