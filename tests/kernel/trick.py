# SPDX-License-Identifier: GPL-2.0-only
"""Tricks that are tried on a folder that a policy denies: each a function, with what it gives under the policy."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import operation

from landlock_bpf.compare import calls, uring

AT_EMPTY_PATH, AT_SYMLINK_FOLLOW = 0x1000, 0x400
SYS_EXECVEAT = {"x86_64": 322}.get(os.uname().machine, 281)
_libc = ctypes.CDLL(None, use_errno=True)


def _linkat(descriptor: int, name: str, new: Path, flags: int) -> None:
    words = descriptor, name.encode(), calls.AT_FDCWD, os.fsencode(new), flags
    operation.check(_libc.linkat(*words), new)


def link_by_descriptor(top: Path) -> None:
    path = os.open(top / "secret/inner/file", os.O_PATH)
    try:
        _linkat(path, "", top / "open/new", AT_EMPTY_PATH)
    finally:
        os.close(path)


def link_by_proc(top: Path) -> None:
    path = os.open(top / "secret/inner/file", os.O_PATH)
    try:
        _linkat(calls.AT_FDCWD, f"/proc/self/fd/{path}", top / "open/new", AT_SYMLINK_FOLLOW)
    finally:
        os.close(path)


def rename_by_io_uring(top: Path) -> None:
    uring.rename(top / "secret/inner/other", top / "open/renamed")


def link_by_io_uring(top: Path) -> None:
    uring.link(top / "secret/inner/file", top / "open/linked")


def unlink_by_io_uring(top: Path) -> None:
    uring.unlink(top / "secret/inner/victim")


def mkdir_by_io_uring(top: Path) -> None:
    uring.mkdir(top / "secret/inner/made")


def symlink_by_io_uring(top: Path) -> None:
    uring.symlink("file", top / "secret/inner/symlinked")


def setxattr_by_io_uring(top: Path) -> None:
    uring.setxattr(top / "secret/inner/file", "user.test", b"1")


def getxattr_by_io_uring(top: Path) -> None:
    uring.getxattr(top / "secret/inner/file", "user.here")


def _execveat(descriptor: int, name: str, flags: int) -> None:
    pid = os.fork()
    if pid == 0:
        words = (ctypes.c_char_p * 2)(b"true", None)
        _libc.syscall(SYS_EXECVEAT, descriptor, name.encode(), words, (ctypes.c_char_p * 1)(None), flags)
        os._exit(100 + ctypes.get_errno())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise OSError(status - 100, "it was not executed")


def execute_by_descriptor(top: Path) -> None:
    path = os.open(top / "secret/inner/busybox", os.O_PATH)
    try:
        _execveat(path, "", AT_EMPTY_PATH)
    finally:
        os.close(path)


def execute_by_interpreter(top: Path) -> None:
    _execveat(calls.AT_FDCWD, str(top / "open/script"), 0)


def copy_to_memory_and_execute(top: Path) -> None:
    made = os.memfd_create("copy")
    with open(top / "secret/inner/busybox", "rb") as source:
        os.sendfile(made, source.fileno(), 0, 4096)
    os.close(made)


def in_a_thread(top: Path) -> None:
    errors: list[OSError] = []

    def act() -> None:
        try:
            operation.touch(top / "secret/inner/file", os.O_RDONLY)
        except OSError as error:
            errors.append(error)

    started = threading.Thread(target=act)
    started.start()
    started.join()
    if errors:
        raise errors[0]


def in_a_child(top: Path) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            operation.touch(top / "secret/inner/file", os.O_RDONLY)
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise OSError(status, "the child could not")


def in_a_program(top: Path) -> None:
    # By vfork(2) and exec, and as another user.
    done = subprocess.run(
        [top / "open/busybox", "cat", top / "secret/inner/file"], capture_output=True, user=65534, check=False
    )
    if done.returncode:
        raise OSError(errno.EACCES if b"Permission denied" in done.stderr else -1, done.stderr.decode())


def _copy_by_setuid_program(top: Path, source: Path | str, target: Path | str) -> None:
    words = [top / "open/setuid", f"if={source}", f"of={target}", "conv=notrunc"]
    done = subprocess.run(words, capture_output=True, user=65534, check=False)
    if done.returncode:
        raise OSError(errno.EACCES if b"Permission denied" in done.stderr else -1, done.stderr.decode())


def read_by_setuid_program(top: Path) -> None:
    _copy_by_setuid_program(top, top / "secret/inner/private", "/dev/null")


def write_by_setuid_program(top: Path) -> None:
    _copy_by_setuid_program(top, top / "open/script", top / "secret/inner/other")


# What each gives under the policy; EXDEV is what rename and link give where rights would be gained.
TRICKS: tuple[tuple[Callable[[Path], None], int], ...] = (
    (link_by_descriptor, errno.EXDEV),
    (link_by_proc, errno.EXDEV),
    (rename_by_io_uring, errno.EACCES),
    (link_by_io_uring, errno.EXDEV),
    (unlink_by_io_uring, errno.EACCES),
    (mkdir_by_io_uring, errno.EACCES),
    (symlink_by_io_uring, errno.EACCES),
    (setxattr_by_io_uring, errno.EACCES),
    (getxattr_by_io_uring, errno.EACCES),
    (execute_by_descriptor, errno.EACCES),
    (execute_by_interpreter, errno.EACCES),
    (copy_to_memory_and_execute, errno.EACCES),
    (in_a_thread, errno.EACCES),
    (in_a_child, errno.EACCES),
    (in_a_program, errno.EACCES),
    (read_by_setuid_program, errno.EACCES),
    (write_by_setuid_program, errno.EACCES),
)


def populate(top: Path) -> Path:
    """Make a folder to be denied, `secret`, and one that is not, `open`; busybox goes by its own name.

    What is tried lies deeper than in `secret` itself, which a walk that ends early does not come to.
    """
    top.chmod(0o755)
    for name in ("secret/inner", "open"):
        (top / name).mkdir(parents=True)
    for name in ("file", "inner/file", "inner/other", "inner/victim"):
        (top / "secret" / name).write_text("text")
        (top / "secret" / name).chmod(0o644)
    (top / "secret/inner/private").touch(0o600)
    for name in ("secret/inner", "open"):
        shutil.copy(operation.STATIC_PROGRAM, top / name / "busybox")
    for name in ("file", "inner/file"):
        os.setxattr(top / "secret" / name, "user.here", b"1")
    (top / "open/script").write_text(f"#!{top}/secret/inner/busybox true\n")
    (top / "open/script").chmod(0o755)
    shutil.copy("/bin/dd", top / "open/setuid")
    (top / "open/setuid").chmod(0o4755)
    return top


def clear(top: Path) -> None:
    for name in ("open/new", "open/renamed", "open/linked", "secret/inner/symlinked"):
        (top / name).unlink(missing_ok=True)
    if (top / "secret/inner/made").exists():
        (top / "secret/inner/made").rmdir()
    for name in ("victim", "other"):
        (top / "secret/inner" / name).write_text("text")
