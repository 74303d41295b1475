# SPDX-License-Identifier: GPL-2.0-only
"""abi.py is what abi.h says, and the generator refuses what would make the two differ."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from landlock_bpf import abi, abigen, compiler, errors


def test_abi_is_current() -> None:
    expected = abigen.generate(compiler.source_dir() / "abi.h")
    assert abigen.ABI_PY.read_text() == expected, f"abi.py is stale: run `{abigen.COMMAND}`"


def test_records_have_no_hole_and_the_size_that_c_has() -> None:
    assert abi.RECORDS
    for name, record in abi.RECORDS.items():
        end = 0
        for member, *_ in record._fields_:
            descriptor = getattr(record, member)
            assert descriptor.offset == end, (name, member)
            end = descriptor.offset + descriptor.size
        assert ctypes.sizeof(record) == end, name
        assert f"{end} bytes" in (record.__doc__ or ""), name


def test_actions_are_flags() -> None:
    assert int(abi.Action.EXECUTE) == 1
    assert int(abi.Action.IOCTL_DEV) == 1 << 15
    assert int(abi.Action.READ_FILE | abi.Action.EXECUTE) == 0b101


@pytest.fixture
def header(tmp_path: Path) -> Path:
    return tmp_path / "small.h"


def test_generates_classes(header: Path) -> None:
    header.write_text(
        "enum action { ACTION_A, ACTION_B = 5 };\n"
        "enum limit { LIMIT_X = 7, LIMIT_Y = 0x7fffffff };\n"
        "struct inner_one { __u16 a; char b[6]; };\n"
        "union either { __u64 number; struct inner_one inner; };\n"
        "struct outer { struct inner_one inner[2][3]; __s64 last; };\n"
    )
    text = abigen.generate(header)
    scope: dict[str, object] = {}
    exec(compile(text, "abi", "exec", dont_inherit=True), scope)
    assert scope["Action"].B == 1 << 5  # type: ignore[attr-defined]
    assert scope["Limit"].Y == 0x7FFFFFFF  # type: ignore[attr-defined]
    outer = scope["Outer"]
    assert ctypes.sizeof(outer) == 56  # type: ignore[arg-type]
    assert len(outer().inner) == 2 and len(outer().inner[0]) == 3  # type: ignore[operator]
    assert ctypes.sizeof(scope["Either"]) == 8  # type: ignore[arg-type]
    assert set(scope["RECORDS"]) == {"inner_one", "either", "outer"}  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("struct s { __u32 a; __u64 b; };", "4 bytes of padding before it"),
        ("struct s { __u64 a; __u32 b; };", "4 bytes of padding at its end"),
        ("struct s { __u32 a : 3; __u32 b : 29; };", "bit fields"),
        ("struct s { struct { __u32 a; }; };", "have a name"),
        ("struct s { void *pointer; };", "a pointer"),
        ("struct s { enum { ONE } value; };", "enum"),
        ("struct s { nonsense value; };", "unknown type name"),
        ("enum e {\n E_A = -1 };", "31 bits"),
        ("enum e {\n E_A = 0x80000000 };", "31 bits"),
    ],
)
def test_refuses(header: Path, text: str, words: str) -> None:
    header.write_text(text.replace("struct s {", "struct s {\n"))
    with pytest.raises(errors.CompileError, match=words):
        abigen.generate(header)
