# SPDX-License-Identifier: GPL-2.0-only
"""The commands of bpf(2) over raw descriptors: pins, infos, ids, links. Who gets a descriptor closes it (os.close)."""

from __future__ import annotations

import ctypes
import enum
import errno
import os
from collections.abc import Iterator
from ctypes import c_char, c_uint8, c_uint32, c_uint64
from pathlib import Path
from typing import TypeVar

from landlock_bpf import libbpf

_Info = TypeVar("_Info", bound=ctypes.Structure)


class AttachType(enum.IntEnum):
    """enum bpf_attach_type; those of our programs."""

    TRACE_RAW_TP = 23
    LSM_MAC = 27
    TRACE_ITER = 28


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


class ProgInfo(ctypes.Structure):
    """struct bpf_prog_info up to attach_btf_id."""

    _fields_ = [
        ("type", c_uint32),
        ("id", c_uint32),
        ("tag", c_uint8 * 8),
        ("jited_prog_len", c_uint32),
        ("xlated_prog_len", c_uint32),
        ("jited_prog_insns", c_uint64),
        ("xlated_prog_insns", c_uint64),
        ("load_time", c_uint64),
        ("created_by_uid", c_uint32),
        ("nr_map_ids", c_uint32),
        ("map_ids", c_uint64),
        ("name", c_char * 16),
        ("ifindex", c_uint32),
        ("gpl_compatible", c_uint32),
        ("netns_dev", c_uint64),
        ("netns_ino", c_uint64),
        ("nr_jited_ksyms", c_uint32),
        ("nr_jited_func_lens", c_uint32),
        ("jited_ksyms", c_uint64),
        ("jited_func_lens", c_uint64),
        ("btf_id", c_uint32),
        ("func_info_rec_size", c_uint32),
        ("func_info", c_uint64),
        ("nr_func_info", c_uint32),
        ("nr_line_info", c_uint32),
        ("line_info", c_uint64),
        ("jited_line_info", c_uint64),
        ("nr_jited_line_info", c_uint32),
        ("line_info_rec_size", c_uint32),
        ("jited_line_info_rec_size", c_uint32),
        ("nr_prog_tags", c_uint32),
        ("prog_tags", c_uint64),
        ("run_time_ns", c_uint64),
        ("run_cnt", c_uint64),
        ("recursion_misses", c_uint64),
        ("verified_insns", c_uint32),
        ("attach_btf_obj_id", c_uint32),
        ("attach_btf_id", c_uint32),
        ("_reserved", c_uint32),
    ]


class LinkInfo(ctypes.Structure):
    """struct bpf_link_info up to the members that every tracing link (LSM, tp_btf) has."""

    _fields_ = [
        ("type", c_uint32),
        ("id", c_uint32),
        ("prog_id", c_uint32),
        ("attach_type", c_uint32),
        ("target_obj_id", c_uint32),
        ("target_btf_id", c_uint32),
    ]


def obj_get(path: Path) -> int:
    """Open a pin under the bpffs."""
    return libbpf.check(libbpf.library().bpf_obj_get(bytes(path)), "open the pin", str(path))


def obj_pin(fd: int, path: Path) -> None:
    """Pin a map, program or link at a path under the bpffs that does not exist yet."""
    libbpf.check(libbpf.library().bpf_obj_pin(fd, bytes(path)), "make the pin", str(path))


def map_info(fd: int) -> MapInfo:
    """Describe the map behind a descriptor."""
    return _info(fd, MapInfo(), "map")


def prog_info(fd: int) -> ProgInfo:
    """Describe the program behind a descriptor."""
    return _info(fd, ProgInfo(), "program")


def link_info(fd: int) -> LinkInfo:
    """Describe the link behind a descriptor; the target fields hold for LSM and tp_btf links."""
    return _info(fd, LinkInfo(), "link")


def map_ids() -> Iterator[int]:
    """The ids of all maps in the kernel."""
    return _ids("map")


def prog_ids() -> Iterator[int]:
    """The ids of all programs in the kernel."""
    return _ids("prog")


def link_ids() -> Iterator[int]:
    """The ids of all links in the kernel."""
    return _ids("link")


def fd_by_id(kind: str, number: int) -> int | None:
    """Open a "map", "prog" or "link" by id; None if it is gone by now."""
    fd = getattr(libbpf.library(), f"bpf_{kind}_get_fd_by_id")(number)
    return None if fd == -errno.ENOENT else libbpf.check(fd, f"open {kind} id", str(number))


def link_create(program: int, attach_type: AttachType, what: str) -> int:
    """Attach a program to the hook or tracepoint that it was loaded for; `what` names it in an error.

    Closing the link's last descriptor detaches, unless the link is pinned.
    """
    fd = libbpf.library().bpf_link_create(program, 0, attach_type, None)
    return libbpf.check(fd, "attach", what)


def link_create_iter(program: int, what: str, *, tid: int = 0, pid: int = 0) -> int:
    """Make a link of a task iterator program (`iter/task_file` and the like), over one thread or process if given."""
    task = libbpf.IterTask(tid=tid, pid=pid)
    opts = libbpf.LinkCreateOpts(ctypes.sizeof(libbpf.LinkCreateOpts), 0, ctypes.pointer(task), ctypes.sizeof(task))
    fd = libbpf.library().bpf_link_create(program, 0, AttachType.TRACE_ITER, ctypes.byref(opts))
    return libbpf.check(fd, "attach the iterator", what)


def iter_read(link: int, what: str) -> bytes:
    """Run an iterator program from its link to the end and give back all that it wrote."""
    fd = libbpf.check(libbpf.library().bpf_iter_create(link), "start the iterator", what)
    with open(fd, "rb", buffering=0) as stream:
        parts: list[bytes] = []
        # EAGAIN is not the end: the kernel gives it after a million objects without output (bpf_seq_read).
        while True:
            try:
                part = os.read(stream.fileno(), 1 << 16)
            except BlockingIOError:
                continue
            if not part:
                return b"".join(parts)
            parts.append(part)


def possible_cpus() -> int:
    """The number of CPUs that a per-CPU map has a value for."""
    return libbpf.check(libbpf.library().libbpf_num_possible_cpus(), "count", "the possible CPUs")


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
