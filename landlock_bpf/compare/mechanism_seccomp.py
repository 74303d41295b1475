# SPDX-License-Identifier: GPL-2.0-only
"""A seccomp filter: by libseccomp, which knows the system calls of every architecture."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
from collections.abc import Iterator
from types import TracebackType

from landlock_bpf import errors
from landlock_bpf.compare import mechanism
from landlock_bpf.compare.operation import METADATA, READ, WRITE, Operation
from landlock_bpf.compare.scene import Scene

NO_PATHS = "n/a: a filter sees no paths"
# What changes metadata, whichever way the file is named.
METADATA_CALLS = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2"),
    *("chown", "fchown", "lchown", "fchownat"),
    *("utime", "utimes", "futimesat", "utimensat"),
    *("setxattr", "lsetxattr", "fsetxattr", "setxattrat"),
    *("removexattr", "lremovexattr", "fremovexattr", "removexattrat"),
    "file_setattr",
)
# FS_IOC_SETFLAGS and FS_IOC_FSSETXATTR: commands of ioctl(2), which a filter can tell by its second argument.
METADATA_COMMANDS = 0x40086602, 0x401C5820
# What leads round rules on files, or into the kernel, or to other processes.
AROUND_CALLS = (
    *("mount", "umount2", "pivot_root", "move_mount", "open_tree", "open_tree_attr", "mount_setattr"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "chroot", "setns", "open_by_handle_at"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"),
    *("bpf", "perf_event_open", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load"),
)
# Newer than some libraries: include/uapi/asm-generic/unistd.h, the same on every architecture but alpha.
_NEWER = {"fchmodat2": 452, "setxattrat": 463, "removexattrat": 466, "open_tree_attr": 467, "file_setattr": 469}
# seccomp.h
SCMP_ACT_ALLOW, SCMP_ACT_ERRNO = 0x7FFF0000, 0x00050000
SCMP_CMP_EQ = 4
_UNKNOWN = -1


class _Compare(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("datum_a", ctypes.c_uint64), ("datum_b", ctypes.c_uint64)]


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(_Compare),
    )  # fmt: skip
    for name in ("seccomp_load", "seccomp_release"):
        getattr(library, name).argtypes = (ctypes.c_void_p,)
    library.seccomp_version.restype = ctypes.POINTER(ctypes.c_uint * 3)
    return library


class Filter:
    """A filter that is not in force yet; a context manager."""

    def __enter__(self) -> Filter:
        self._context = _library().seccomp_init(SCMP_ACT_ALLOW)
        with contextlib.ExitStack() as undo:
            undo.callback(self._release)
            for name in (*METADATA_CALLS, *AROUND_CALLS):
                number = _library().seccomp_syscall_resolve_name(name.encode())
                number = _NEWER.get(name, _UNKNOWN) if number == _UNKNOWN else number
                self._refuse(name, number)
            ioctl = _library().seccomp_syscall_resolve_name(b"ioctl")
            for command in METADATA_COMMANDS:
                self._refuse("ioctl", ioctl, _Compare(1, SCMP_CMP_EQ, command, 0))
            undo.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._release()

    def _release(self) -> None:
        _library().seccomp_release(self._context)

    def _refuse(self, name: str, number: int, *compared: _Compare) -> None:
        words = (_Compare * len(compared))(*compared)
        action = SCMP_ACT_ERRNO | errno.EPERM
        if failed := _library().seccomp_rule_add_array(self._context, action, number, len(compared), words):
            raise errors.KernelError("put into a filter the system call", name, -failed)

    def load(self) -> None:
        """Put it in force on the calling process, for good; sets no_new_privs."""
        if failed := _library().seccomp_load(self._context):
            raise errors.KernelError("put a seccomp filter in force", "", -failed)


class Seccomp:
    name = "seccomp"
    what = "A filter of system calls by number and plain arguments: what it refuses, it refuses for all files."
    errnos = mechanism.USUAL

    @property
    def title(self) -> str:
        return f"seccomp filter, by libseccomp {'.'.join(map(str, _library().seccomp_version().contents))}"

    def missing(self) -> str | None:
        try:
            _library()
        except OSError as error:
            return f"{error}; install libseccomp (Debian: libseccomp2)"
        return None

    def cannot(self) -> tuple[str, ...]:
        return (
            "no paths: it sees the address of a path's text, which the process can change after it was looked at",
            "so reading and writing are left alone, and metadata changes are refused everywhere",
        )

    def says(self, operation: Operation) -> str | None:
        return NO_PATHS if operation.need in (READ, WRITE, METADATA) else None

    @contextlib.contextmanager
    def enforced(self, scene: Scene) -> Iterator[mechanism.Launch]:
        with Filter() as refused:
            yield mechanism.Launch(enter=refused.load)
