# SPDX-License-Identifier: GPL-2.0-only
"""The C functions of libbpf.so.1 that we call, with their types."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

from landlock_bpf import errors

SONAME = "libbpf.so.1"
WARN = 0  # enum libbpf_print_level; what is worth less has a higher number
OWN_ERRORS = 4000  # __LIBBPF_ERRNO__START: numbers from here on are no errno but libbpf's own

RING_BUFFER_SAMPLE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
# The last argument is a va_list: on x86-64 and arm64 it is passed as a pointer, all we do is hand it on.
PRINT = ctypes.CFUNCTYPE(c_int, c_int, c_void_p, c_void_p)


class ObjectOpenOpts(ctypes.Structure):
    """struct bpf_object_open_opts up to the one field we set."""

    _fields_ = [("sz", c_size_t), ("object_name", c_char_p)]


class MapCreateOpts(ctypes.Structure):
    """struct bpf_map_create_opts up to map_flags."""

    _fields_ = [
        ("sz", c_size_t),
        ("btf_fd", c_uint32),
        ("btf_key_type_id", c_uint32),
        ("btf_value_type_id", c_uint32),
        ("btf_vmlinux_value_type_id", c_uint32),
        ("inner_map_fd", c_uint32),
        ("map_flags", c_uint32),
    ]


class MapBatchOpts(ctypes.Structure):
    """struct bpf_map_batch_opts."""

    _fields_ = [("sz", c_size_t), ("elem_flags", c_uint64), ("flags", c_uint64)]


class IterTask(ctypes.Structure):
    """The member `task` of union bpf_iter_link_info."""

    _fields_ = [("tid", c_uint32), ("pid", c_uint32), ("pid_fd", c_uint32)]


class LinkCreateOpts(ctypes.Structure):
    """struct bpf_link_create_opts up to iter_info_len."""

    _fields_ = [
        ("sz", c_size_t),
        ("flags", c_uint32),
        ("iter_info", POINTER(IterTask)),
        ("iter_info_len", c_uint32),
    ]


class ProgLoadOpts(ctypes.Structure):
    """struct bpf_prog_load_opts up to log_buf."""

    _fields_ = [
        ("sz", c_size_t),
        ("attempts", c_int),
        ("expected_attach_type", c_int),
        ("prog_btf_fd", c_uint32),
        ("prog_flags", c_uint32),
        ("prog_ifindex", c_uint32),
        ("kern_version", c_uint32),
        ("attach_btf_id", c_uint32),
        ("attach_prog_fd", c_uint32),
        ("attach_btf_obj_fd", c_uint32),
        ("fd_array", c_void_p),
        ("func_info", c_void_p),
        ("func_info_cnt", c_uint32),
        ("func_info_rec_size", c_uint32),
        ("line_info", c_void_p),
        ("line_info_cnt", c_uint32),
        ("line_info_rec_size", c_uint32),
        ("log_level", c_uint32),
        ("log_size", c_uint32),
        ("log_buf", c_void_p),
    ]


class TestRunOpts(ctypes.Structure):
    """struct bpf_test_run_opts up to retval."""

    _fields_ = [
        ("sz", c_size_t),
        ("data_in", c_void_p),
        ("data_out", c_void_p),
        ("data_size_in", c_uint32),
        ("data_size_out", c_uint32),
        ("ctx_in", c_void_p),
        ("ctx_out", c_void_p),
        ("ctx_size_in", c_uint32),
        ("ctx_size_out", c_uint32),
        ("retval", c_int32),
    ]


class BtfType(ctypes.Structure):
    """struct btf_type; `size_or_type` is the union at its end."""

    _fields_ = [("name_off", c_uint32), ("info", c_uint32), ("size_or_type", c_uint32)]


# name: (result, arguments). A negative int result is -errno; a null pointer leaves the reason in errno.
_FUNCTIONS = {
    "btf__load_vmlinux_btf": (c_void_p, ()),
    "btf__load_module_btf": (c_void_p, (c_char_p, c_void_p)),
    "btf__load_from_kernel_by_id": (c_void_p, (c_uint32,)),
    "btf__parse_elf": (c_void_p, (c_char_p, c_void_p)),
    "btf__free": (None, (c_void_p,)),
    "btf__type_cnt": (c_uint32, (c_void_p,)),
    "btf__find_by_name_kind": (c_int32, (c_void_p, c_char_p, c_uint32)),
    "btf__type_by_id": (POINTER(BtfType), (c_void_p, c_uint32)),
    "btf__name_by_offset": (c_char_p, (c_void_p, c_uint32)),
    "bpf_object__open_mem": (c_void_p, (c_char_p, c_size_t, POINTER(ObjectOpenOpts))),
    "bpf_object__load": (c_int, (c_void_p,)),
    "bpf_object__close": (None, (c_void_p,)),
    "bpf_object__btf": (c_void_p, (c_void_p,)),
    "bpf_object__next_map": (c_void_p, (c_void_p, c_void_p)),
    "bpf_object__next_program": (c_void_p, (c_void_p, c_void_p)),
    "bpf_map__name": (c_char_p, (c_void_p,)),
    "bpf_map__fd": (c_int, (c_void_p,)),
    "bpf_map__reuse_fd": (c_int, (c_void_p, c_int)),
    "bpf_map__key_size": (c_uint32, (c_void_p,)),
    "bpf_map__value_size": (c_uint32, (c_void_p,)),
    "bpf_map__btf_key_type_id": (c_uint32, (c_void_p,)),
    "bpf_map__btf_value_type_id": (c_uint32, (c_void_p,)),
    "bpf_program__name": (c_char_p, (c_void_p,)),
    "bpf_program__section_name": (c_char_p, (c_void_p,)),
    "bpf_program__fd": (c_int, (c_void_p,)),
    "bpf_program__set_autoload": (c_int, (c_void_p, ctypes.c_bool)),
    "bpf_map_create": (c_int, (c_int, c_char_p, c_uint32, c_uint32, c_uint32, POINTER(MapCreateOpts))),
    "bpf_map_update_elem": (c_int, (c_int, c_char_p, c_char_p, c_uint64)),
    "bpf_map_lookup_elem": (c_int, (c_int, c_char_p, c_void_p)),
    "bpf_map_delete_elem": (c_int, (c_int, c_char_p)),
    "bpf_map_get_next_key": (c_int, (c_int, c_char_p, c_void_p)),
    "bpf_map_update_batch": (c_int, (c_int, c_char_p, c_char_p, POINTER(c_uint32), POINTER(MapBatchOpts))),
    "bpf_map_delete_batch": (c_int, (c_int, c_char_p, POINTER(c_uint32), POINTER(MapBatchOpts))),
    "bpf_map_lookup_batch": (
        c_int,
        (c_int, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_uint32), POINTER(MapBatchOpts)),
    ),
    "bpf_obj_get": (c_int, (c_char_p,)),
    "bpf_obj_pin": (c_int, (c_int, c_char_p)),
    "bpf_obj_get_info_by_fd": (c_int, (c_int, c_void_p, POINTER(c_uint32))),
    "bpf_map_get_next_id": (c_int, (c_uint32, POINTER(c_uint32))),
    "bpf_prog_get_next_id": (c_int, (c_uint32, POINTER(c_uint32))),
    "bpf_link_get_next_id": (c_int, (c_uint32, POINTER(c_uint32))),
    "bpf_link_create": (c_int, (c_int, c_int, c_int, POINTER(LinkCreateOpts))),
    "bpf_iter_create": (c_int, (c_int,)),
    "ring_buffer__new": (c_void_p, (c_int, RING_BUFFER_SAMPLE, c_void_p, c_void_p)),
    "ring_buffer__poll": (c_int, (c_void_p, c_int)),
    "ring_buffer__free": (None, (c_void_p,)),
    "libbpf_probe_bpf_map_type": (c_int, (c_int, c_void_p)),
    "bpf_prog_load": (c_int, (c_int, c_char_p, c_char_p, c_char_p, c_size_t, POINTER(ProgLoadOpts))),
    "bpf_prog_test_run_opts": (c_int, (c_int, POINTER(TestRunOpts))),
    "libbpf_set_print": (c_void_p, (c_void_p,)),
    "libbpf_version_string": (c_char_p, ()),
}


_REMEDIES = {
    errno.EPERM: "be root, outside any domain and container; `landlock-bpf doctor` tells what is missing",
    errno.EACCES: "be root, outside any domain; `landlock-bpf doctor` tells what is missing",
    errno.E2BIG: "a map is full, or a program too large for this kernel",
    errno.ENOMEM: "free memory, or raise the memory limit of this cgroup",
    errno.ENOSPC: "raise the limit (memory.max of this cgroup, ulimit -l), or remove domains",
    errno.EOPNOTSUPP: "this kernel lacks the feature; `landlock-bpf doctor` tells which",
}


@functools.cache
def library() -> ctypes.CDLL:
    """Load libbpf once and make it silent; UnsupportedError if this machine lacks it or its version lacks a function."""
    remedy = "install libbpf 1.1 or newer (Debian: apt-get install libbpf1)"
    try:
        loaded = ctypes.CDLL(SONAME, use_errno=True)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as cause:
        raise errors.UnsupportedError(f"{SONAME} ({cause})", remedy) from cause
    loaded.libbpf_set_print(None)
    return loaded


@contextlib.contextmanager
def messages() -> Iterator[list[tuple[int, str]]]:
    """Collect what libbpf prints while the block runs, each message with its level (WARN, or a higher number)."""
    collected: list[tuple[int, str]] = []
    libc = ctypes.CDLL(None)
    libc.vasprintf.argtypes = (POINTER(c_void_p), c_void_p, c_void_p)
    libc.free.argtypes = (c_void_p,)

    def receive(level: int, form: int, arguments: int) -> int:
        text = c_void_p()
        if libc.vasprintf(ctypes.byref(text), form, arguments) >= 0:
            collected.append((level, ctypes.string_at(text).decode(errors="replace")))
            libc.free(text)
        return 0

    callback = PRINT(receive)  # kept till the block ends: libbpf holds only a pointer
    previous = library().libbpf_set_print(ctypes.cast(callback, c_void_p))
    try:
        yield collected
    finally:
        library().libbpf_set_print(previous)


def check(result: int, attempted: str, target: str) -> int:
    """Give back a result that is not negative; raise KernelError for -errno."""
    if result < 0:
        raise failure(-result, attempted, target)
    return result


def failure(number: int, attempted: str, target: str) -> errors.KernelError:
    """Make the KernelError for errno `number`, with the remedy where one is known."""
    return errors.KernelError(attempted, target, number, _REMEDIES.get(number, ""))
