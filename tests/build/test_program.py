# SPDX-License-Identifier: GPL-2.0-only
"""What the loader does before it asks the kernel: opening objects, telling refusals apart."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from landlock_bpf import compiler, errors, libbpf, program

SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char _license[] SEC("license") = "GPL";
struct fsview_key { __u32 only; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, KEY); __type(value, __u32); } table SEC(".maps");
const volatile __u32 setting = 1;
__u64 counter = 2;
SEC("syscall") int count(void *context) { counter += setting; return 0; }
"""


def compile_object(folder: Path, key: str) -> program.Object:
    path = folder / "small-0123.o"
    compiler.compile_source(SOURCE.replace("KEY", key), path)
    return program.Object.open_file(path)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[program.Object]:
    with compile_object(tmp_path, "__u64") as description:
        yield description


def test_names(opened: program.Object) -> None:
    assert opened.name == "small"
    assert opened.program_names() == ("count",)
    assert set(opened.map_names()) == {"table", "small.rodata", "small.data"}
    assert opened.section("count") == "syscall"


def test_what_is_not_there(opened: program.Object) -> None:
    with pytest.raises(errors.NotFoundError, match="no program other"):
        opened.skip(["other"])
    with pytest.raises(errors.NotFoundError, match="no map other"):
        opened.map("other")
    with pytest.raises(errors.NotFoundError, match="not loaded"):
        opened.program("count")


def test_sizes_that_differ_from_abi_are_refused(tmp_path: Path) -> None:
    with compile_object(tmp_path, "struct fsview_key") as description:
        with pytest.raises(errors.UnsupportedError, match="keys of the map table are 4 bytes, in abi.py"):
            description.load()


def test_junk_is_refused() -> None:
    with pytest.raises(errors.CompileError, match="cannot open the object junk"):
        program.Object(b"junk", "junk")


def test_refusals_are_told_apart() -> None:
    log = "0: R1=ctx()\n1: (61) r0 = *(u32 *)(r1 +0)\nR1 invalid mem access 'scalar'\nprocessed 2 insns (limit 1000000)\n"
    said = f"libbpf: prog 'count': -- BEGIN PROG LOAD LOG --\n{log}-- END PROG LOAD LOG --\n"
    verifier = program._refusal(errno.EACCES, "load", "small", [(2, "libbpf: a word\n"), (libbpf.WARN, said)])
    assert isinstance(verifier, errors.VerifierError)
    assert str(verifier) == "the verifier refuses the program count: R1 invalid mem access 'scalar'"
    assert "processed 2 insns" in verifier.log
    kernel = program._refusal(errno.EPERM, "load", "small", [(libbpf.WARN, "libbpf: prog 'count': failed\n")])
    assert isinstance(kernel, errors.KernelError)
    assert kernel.errno == errno.EPERM and "be root" in str(kernel) and "prog 'count': failed" in str(kernel)
