# SPDX-License-Identifier: GPL-2.0-only
"""Rule sources that nobody would write: each is read, or refused in words, and never a crash of the tool or of the compiler."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from landlock_bpf import errors, loader, rule_program, rule_source

ROOT = Path(__file__).parents[2]
SEEDS = tuple(
    path.read_text() for folder in ("tests/kernel/rules", "policies/rules") for path in sorted((ROOT / folder).glob("*.c"))
)
_PIECES = re.compile(r'"[^"\n]*"|\w+|\s+|[^\w\s]')
ODD = (
    *(
        "",
        " ",
        "\n",
        "\\\n",
        "\0",
        "\r",
        "\t",
        "é",
        "\u2028",
        '"',
        "'",
        "/*",
        "*/",
        "//",
        "??/",
        "#",
        "##",
        "%:",
        "<:",
        "{",
        "}",
        "(",
        ")",
    ),
    *(
        "#define",
        "#undef",
        "#if",
        "#if 0",
        "#else",
        "#endif",
        "#include",
        "#pragma",
        "#line 3",
        "#error",
        "_Pragma",
        "__VA_ARGS__",
    ),
    *(
        'SEC("landlock1")',
        'SEC("subtype")',
        'SEC("maps")',
        'SEC("license")',
        "SEC",
        "SEC()",
        'SEC("")',
        "LANDLOCK_FSVIEW(v, 3);",
    ),
    *(
        "LANDLOCK_FSVIEW(v, -1);",
        "static",
        "extern",
        "const",
        "struct",
        "union",
        "enum",
        "typedef",
        "goto",
        "asm",
        "void",
        "int",
    ),
    *(
        '__attribute__((section(".text")))',
        "__COUNTER__",
        "__FILE__",
        "__builtin_trap()",
        "while (1);",
        "1/0",
        "0x7fffffffffffffff",
    ),
    *("ctx", "ctx->arg1", "bpf_map_lookup_elem(0, 0)", "bpf_trace_printk", "landlock_ask", "rule0_", "__landlock_question(0)"),
    *(
        ".abi = 2",
        ".event = 9",
        ".ability = 3",
        ".option = 1",
        "~0ULL",
        "-1",
        "L'x'",
        'R"(',
        "u8",
        "_Generic",
        "_Static_assert(0);",
    ),
)


@st.composite
def sources(draw: st.DrawFn) -> str:
    """Take a good source, and change some of its pieces."""
    pieces = _PIECES.findall(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(pieces) - 1))
        end = at + draw(st.integers(0, 3))
        new = draw(st.lists(st.sampled_from(ODD) | st.sampled_from(pieces), max_size=3))
        pieces[at:end] = new
        pieces = pieces or [""]
    return "".join(pieces)


def write(folder: Path, data: bytes) -> Path:
    path = folder / "rule.c"
    path.write_bytes(data)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is compiled out of the user's cache."""
    monkeypatch.setenv("LANDLOCK_BPF_CACHE", str(tmp_path / "cache"))


slow = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | sources().map(str.encode))
@settings(slow, max_examples=500)
@example(data=b"")
@example(data=b"\\")
@example(data=b'SEC("landlock')
def test_reading(tmp_path: Path, data: bytes) -> None:
    try:
        rule_source.read(write(tmp_path, data))
    except errors.PolicyError as error:
        assert error.problems
        assert all(problem.what and problem.line >= 0 for problem in error.problems), error


@given(text=sources())
@settings(slow, max_examples=120)
def test_compiling(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text.encode(errors="replace"))
    try:
        layer = rule_program.compile([path], loader.choose(loader.LIBBPF))
    except (errors.PolicyError, errors.CompileError) as error:
        assert str(path) in str(error)
    else:
        assert layer.rules


_FIELDS = ("abi", "event", "ability", "option")
_VALUE = st.sampled_from((0, 1, 2, 3, 4, 5, 8, 2**31, 2**32 - 1)) | st.integers(0, 2**32 - 1)


@given(values=st.tuples(_VALUE, _VALUE, _VALUE, _VALUE))
@settings(slow, max_examples=60)
@example(values=(1, 1, 0, 0))
@example(values=(1, 4, 1, 0))
@example(values=(1, 4, 1, 1))
def test_subtypes(tmp_path: Path, values: tuple[int, ...]) -> None:
    """Each field that has no legal value is named, and no other."""
    legal = (values[0] == 1, 1 <= values[1] <= 4, values[2] in (0, 1), values[3] == 0)
    written = ", ".join(f".{field} = {value}u" for field, value in zip(_FIELDS, values))
    path = write(
        tmp_path,
        f"""\
#include <uapi/linux/bpf.h>
#include "bpf_helpers.h"
SEC("landlock1") static int f(struct landlock_context *ctx) {{ return 0; }}
SEC("subtype") static const union bpf_prog_subtype s = {{ .landlock_rule = {{ {written} }} }};
SEC("license") static const char l[] = "GPL";
""".encode(),
    )
    try:
        layer = rule_program.compile([path], loader.choose(loader.LIBBPF))
    except errors.PolicyError as error:
        named = {problem.key.rpartition(".")[2] for problem in error.problems}
        assert named == {field for field, good in zip(_FIELDS, legal) if not good}
        assert all(problem.line == 4 for problem in error.problems)
    else:
        assert all(legal)
        assert [(rule.event, rule.ability) for rule in layer.rules] == [values[1:3]]
