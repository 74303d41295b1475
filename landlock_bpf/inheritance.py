# SPDX-License-Identifier: GPL-2.0-only
"""What a process inherits of the engine from the controller that forked it: given up before a member may trace it."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import re

from landlock_bpf import engine, errors, libc

_BPF = re.compile(r"anon_inode:\[?(bpf|btf)")  # maps, programs, links and iterators
_MAPPED_MAP = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) .* anon_inode:\[?bpf-map\]?")
_MAP_FIXED = 0x10  # include/uapi/asm-generic/mman-common.h
_MAP_FAILED = ctypes.c_void_p(-1).value


def give_up() -> None:
    """Give up what is of BPF, and our own files, among them the locks, which last as long as anybody has them open.

    Descriptors that a program is to inherit, those without FD_CLOEXEC, stay: ours are none of them. In place of the others
    there is the end of a pipe, and in place of maps in memory there are zeros: somebody may still close what has their number,
    or read at their address.
    """
    _give_up_descriptors()
    _give_up_memory()


def _give_up_descriptors() -> None:
    nothing, other = os.pipe()
    os.close(other)
    try:
        for name in os.listdir("/proc/self/fd"):
            fd = int(name)
            try:
                target, flags = os.readlink(f"/proc/self/fd/{fd}"), fcntl.fcntl(fd, fcntl.F_GETFD)
            except OSError:  # the one by which they were listed
                continue
            if flags & fcntl.FD_CLOEXEC and (_BPF.match(target) or target.startswith(f"{engine.RUN}/")):
                os.dup2(nothing, fd, inheritable=False)
    finally:
        os.close(nothing)


def _give_up_memory() -> None:
    map_at = libc.library().mmap
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED
    with open("/proc/self/maps", "rb") as lines:
        found = [_MAPPED_MAP.match(line) for line in lines.readlines() if b"bpf-map" in line]
    for place in filter(None, found):
        start, end = (int(each, 16) for each in place.groups())
        if map_at(start, end - start, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0) == _MAP_FAILED:
            raise errors.KernelError("give up", "a map of the engine in memory", ctypes.get_errno())
