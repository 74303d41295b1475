# SPDX-License-Identifier: GPL-2.0-only
"""The commands of bpf(2) over raw descriptors: pins, infos, ids, links. Who gets a descriptor closes it (os.close)."""

from __future__ import annotations

import ctypes
import enum
import errno
import os
import time
from collections.abc import Callable, Container, Iterator
from ctypes import c_char, c_uint32, c_uint64
from pathlib import Path
from typing import TypeVar

from landlock_bpf import errors, libbpf

PROG_TYPE_LSM = 29  # enum bpf_prog_type
INSTRUCTION = 8  # bytes of one; a load of 64 bits takes two
_READ = 1 << 15  # what the kernel gives of an iterator at once (bpf_seq_read)
_LOG = 1 << 24  # bytes of the verifier's log that are kept: the last ones
_PAUSE = 0.01  # seconds: the kernel does what it put off by its next tick, which is no longer than that (CONFIG_HZ)

_Info = TypeVar("_Info", bound=ctypes.Structure)
_T = TypeVar("_T")


class AttachType(enum.IntEnum):
    """enum bpf_attach_type; those of our programs."""

    TRACE_RAW_TP = 23
    TRACE_FENTRY = 24
    LSM_MAC = 27
    TRACE_ITER = 28
    LSM_CGROUP = 43


class MapInfo(ctypes.Structure):
    """struct bpf_map_info up to map_extra."""

    _fields_ = [
        ("type", c_uint32),
        ("id", c_uint32),
        ("key_size", c_uint32),
        ("value_size", c_uint32),
        ("max_entries", c_uint32),
        ("map_flags", c_uint32),
        ("name", c_char * 16),
        ("ifindex", c_uint32),
        ("btf_vmlinux_value_type_id", c_uint32),
        ("netns_dev", c_uint64),
        ("netns_ino", c_uint64),
        ("btf_id", c_uint32),
        ("btf_key_type_id", c_uint32),
        ("btf_value_type_id", c_uint32),
        ("_reserved", c_uint32),
        ("map_extra", c_uint64),
    ]


def insist(attempt: Callable[[], _T], passing: Container[int], seconds: float) -> _T:
    """Attempt something again and again while its errno is one that passes; KernelError with another, or after so long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except errors.KernelError as error:
            if error.errno not in passing or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def obj_get(path: Path | str) -> int:
    """Open a pin under the bpffs."""
    name = str(path)
    return libbpf.check(libbpf.library().bpf_obj_get(os.fsencode(name)), "open the pin", name)


def obj_pin(fd: int, path: Path) -> None:
    """Pin a map, program or link at a path under the bpffs that does not exist yet."""
    libbpf.check(libbpf.library().bpf_obj_pin(fd, bytes(path)), "make the pin", str(path))


def prog_load_lsm(code: bytes, name: str, attach_type: AttachType, attach_btf_id: int) -> tuple[int, str]:
    """Load a program of an LSM hook, which `attach_btf_id` names: its descriptor, or -errno with the verifier's log."""
    opts = libbpf.ProgLoadOpts(sz=ctypes.sizeof(libbpf.ProgLoadOpts), expected_attach_type=attach_type)
    opts.attach_btf_id = attach_btf_id
    arguments = (PROG_TYPE_LSM, name.encode(), b"GPL", code, len(code) // INSTRUCTION, ctypes.byref(opts))
    fd: int = libbpf.library().bpf_prog_load(*arguments)
    if fd >= 0:
        return fd, ""
    # Asked for only now: most programs load.
    log = ctypes.create_string_buffer(_LOG)
    opts.log_level, opts.log_size, opts.log_buf = 1, _LOG, ctypes.cast(log, ctypes.c_void_p)
    fd = libbpf.library().bpf_prog_load(*arguments)
    return fd, log.value.decode(errors="replace")


def map_info(fd: int) -> MapInfo:
    """Describe the map behind a descriptor."""
    return _info(fd, MapInfo(), "map")


def map_ids() -> Iterator[int]:
    """The ids of all maps in the kernel."""
    return _ids("map")


def prog_ids() -> Iterator[int]:
    """The ids of all programs in the kernel."""
    return _ids("prog")


def link_ids() -> Iterator[int]:
    """The ids of all links in the kernel."""
    return _ids("link")


def link_create(program: int, attach_type: AttachType, what: str, *, target: int = 0) -> int:
    """Attach a program to the hook or tracepoint that it was loaded for; `what` names it in an error.

    LSM_CGROUP attaches to the cgroup whose directory `target` is a descriptor of.

    Closing the link's last descriptor detaches, unless the link is pinned.
    """
    fd = libbpf.library().bpf_link_create(program, target, attach_type, None)
    return libbpf.check(fd, "attach", what)


def link_create_iter(program: int, what: str, *, tid: int = 0, pid: int = 0) -> int:
    """Make a link of a task iterator program (`iter/task_file` and the like), over one thread or process if given."""
    task = libbpf.IterTask(tid=tid, pid=pid)
    opts = libbpf.LinkCreateOpts(ctypes.sizeof(libbpf.LinkCreateOpts), 0, ctypes.pointer(task), ctypes.sizeof(task))
    fd = libbpf.library().bpf_link_create(program, 0, AttachType.TRACE_ITER, ctypes.byref(opts))
    return libbpf.check(fd, "attach the iterator", what)


def iter_read(link: int, what: str) -> bytes:
    """Run an iterator program from its link to the end and give back all that it wrote."""
    return b"".join(iter_parts(link, what))


def iter_parts(link: int, what: str) -> Iterator[bytes]:
    """Give what an iterator program writes as it comes: b"" now and then, where it passes over much without a word."""
    fd = libbpf.check(libbpf.library().bpf_iter_create(link), "start the iterator", what)
    try:
        while True:
            try:
                part = os.read(fd, _READ)
            except BlockingIOError:  # not the end: the kernel gives it after a million objects without output (bpf_seq_read)
                yield b""
                continue
            if not part:
                return
            yield part
    finally:
        os.close(fd)


def prog_run(program: int, context: ctypes.Structure, what: str) -> None:
    """Run a program of the type syscall; KernelError for the -errno that it returns."""
    size = ctypes.sizeof(libbpf.TestRunOpts)
    opts = libbpf.TestRunOpts(sz=size, ctx_in=ctypes.addressof(context), ctx_size_in=ctypes.sizeof(context))
    libbpf.check(libbpf.library().bpf_prog_test_run_opts(program, ctypes.byref(opts)), "run the program", what)
    libbpf.check(opts.retval, "run the program", what)


def address_of(data: bytes) -> int:
    """Give where the kernel can read some bytes, for as long as they live."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


def _info(fd: int, info: _Info, kind: str) -> _Info:
    size = c_uint32(ctypes.sizeof(info))
    result = libbpf.library().bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size))
    libbpf.check(result, "ask for the info of", f"a {kind} (descriptor {fd})")
    return info


def _ids(kind: str) -> Iterator[int]:
    get_next = getattr(libbpf.library(), f"bpf_{kind}_get_next_id")
    number = c_uint32()
    while (result := get_next(number.value, ctypes.byref(number))) != -errno.ENOENT:
        libbpf.check(result, f"list the {kind}s of", "the kernel")
        yield number.value
