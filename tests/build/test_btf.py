# SPDX-License-Identifier: GPL-2.0-only
"""Reading BTF: of an object compiled here, and of the running kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from landlock_bpf import btf, compiler, maps

SOURCE = """
typedef unsigned long long u64;
enum small { SMALL_ONE = 1, SMALL_TWO = 2 };
struct inner { int first; union { int left; u64 right; }; };
struct outer { char head; struct { int before; struct inner deep; }; const u64 last; int low : 3, high : 5; };
enum small *small; struct outer *outer;
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[btf.Btf]:
    path = tmp_path_factory.mktemp("btf") / "types.o"
    compiler.compile_source(SOURCE, path)
    with btf.Btf.elf(path) as types:
        yield types


def test_enumerators(compiled: btf.Btf) -> None:
    small = compiled.find("small", btf.Kind.ENUM)
    assert small is not None
    assert compiled.enumerators(small) == {"SMALL_ONE": 1, "SMALL_TWO": 2}


@pytest.mark.parametrize(
    ("path", "offset"),
    [("head", 0), ("before", 8), ("deep", 16), ("deep.first", 16), ("deep.left", 24), ("deep.right", 24), ("last", 32)],
)
def test_offset_of_looks_into_anonymous_members(compiled: btf.Btf, path: str, offset: int) -> None:
    assert compiled.offset_of("outer", path) == offset


@pytest.mark.parametrize(("aggregate", "path"), [("outer", "none"), ("outer", "last.none"), ("nobody", "head")])
def test_offset_of_what_is_not_there(compiled: btf.Btf, aggregate: str, path: str) -> None:
    assert compiled.offset_of(aggregate, path) is None


def test_bit_fields(compiled: btf.Btf) -> None:
    outer = compiled.find("outer", btf.Kind.STRUCT)
    assert outer is not None
    low, high = compiled.members(outer)[-2:]
    assert (low.bit_offset, low.bit_width, high.bit_offset, high.bit_width) == (320, 3, 323, 5)


def test_types_are_all_named_and_numbered(compiled: btf.Btf) -> None:
    assert {"small", "inner", "outer"} <= {compiled.name(type_id) for type_id in compiled.types()}


@pytest.fixture(scope="module")
def vmlinux() -> Iterator[btf.Btf]:
    if not (btf.KERNEL / "vmlinux").exists():
        pytest.skip("this kernel has no BTF; run the tests in the VM: vm/test")
    with btf.Btf.vmlinux() as types:
        yield types


def test_enumerators_of_the_running_kernel(vmlinux: btf.Btf) -> None:
    kind = vmlinux.find("bpf_map_type", btf.Kind.ENUM)
    assert kind is not None
    assert vmlinux.enumerators(kind)["BPF_MAP_TYPE_RINGBUF"] == maps.MapType.RINGBUF


def test_hooks_of_the_running_kernel(vmlinux: btf.Btf) -> None:
    if vmlinux.find("bpf_lsm_file_open", btf.Kind.FUNC) is None:
        pytest.skip("this kernel has no BPF LSM; run the tests in the VM: vm/test")
    assert vmlinux.hook_args("file_open") == 1
    assert vmlinux.hook_args("path_rename") == 5
    assert vmlinux.hook_args("no_such_hook") is None


def test_tracepoints_of_the_running_kernel(vmlinux: btf.Btf) -> None:
    assert vmlinux.tracepoint_args("cgroup_mkdir") == 2
    assert vmlinux.tracepoint_args("no_such_tracepoint") is None


def test_structs_of_the_running_kernel(vmlinux: btf.Btf) -> None:
    assert vmlinux.offset_of("list_head", "prev") == 8
    assert vmlinux.offset_of("path", "dentry") == 8
    assert btf.Btf.module("no_such_module", vmlinux) is None
