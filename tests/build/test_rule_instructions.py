# SPDX-License-Identifier: GPL-2.0-only
"""Renaming changes no meaning: rule sources compile to the same instructions with and without it."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from sources import SHIPPED, V7, source

from landlock_bpf import compiler, elf, loader, rule_calls, rule_program, rule_source

pytestmark = pytest.mark.usefixtures("cache")


# The same source with and without renaming: the plain one needs SEC() and fsviews as macros, and no second file.
PLAIN = """\
#include "answer.h"
static __always_inline struct inquiry *landlock_inquiry(void)
{
	return 0;
}
#define SEC(name) __attribute__((unused))
#define LANDLOCK_FSVIEW(name, max) static const struct bpf_fsview name = { 0, max }
#define landlock_context landlock_context_2017
#pragma clang attribute push(__attribute__((always_inline)), apply_to = function)
%s
#pragma clang attribute pop
unsigned long long landlock_probe_rule_0(void *pointer)
{
	unsigned long long status = 0, event, arg1, arg2, denied;
	asm volatile("" : "=r"(event), "=r"(arg1), "=r"(arg2));
	asm volatile("" : "+r"(status), "+r"(event), "+r"(arg1), "+r"(arg2));
	struct landlock_context given = { status, event, arg1, arg2 };
	denied = (unsigned int)%s(&given);
	asm volatile("" : "+r"(denied));
	return denied != 0;
}
"""
TRICKY = {
    "splices": source("int a\\\nb = 5; ret\\\nurn ab /* \\\n*/ + ctx->\\\n  arg2 // x \\\n + 7\n;"),
    "digraphs": source("int a<:2:> = <% 3, 4 %>; return a[0] + ctx->arg2;", before="%:define X 4\n"),
    "macros": source(
        "M(3, ctx); return MAX(ctx->arg2, 7) + STATUS;",
        before="#define MAX(a, b) ((a) > (b) ? (a) : (b))\n"
        "#define M(x, ctx...) do { if ((ctx)->arg1 == x) return x; } while (0)"
        "\n"
        "#define STATUS status\nenum { status = 3 };\n",
    ),
    "comments in macros": source("return A;", before="#define A /* one\n two */ 3 // + 4\n"),
    "names in strings": source("char status[] = \"status\"; return sizeof(status) + status[3] + 's' + ctx->arg2;"),
    "line numbers": source("\n\nreturn __LINE__ == 7 && ctx->arg2;", before="#define A \\\n 1\n#include <linux/fcntl.h>\n"),
    "scopes": source("int ctx2 = ctx->arg2; { int ctx2 = 3; if (ctx->arg1 == ctx2) return 4; } return ctx2;"),
    "labels and members": source(
        "struct status status = { .status = 1 }; if (ctx->arg2 == 4) goto status; return 1;\nstatus: return status.status + 1;",
        before="struct status { int status; };\n",
    ),
    "types": source(
        "union u { u8 a[8]; u64 b; } x = { .b = ctx->arg2 }; "
        "return x.a[3] + _Generic(x.b, u64: 1, default: 0) + offsetof(struct s, b);",
        before="struct s { char a; int b; long c __attribute__((aligned(sizeof(u64)))); } __attribute__((packed));\n",
    ),
    "conditions": source(
        "return A + ctx->arg2;",
        before="#if defined NOTHING || UNKNOWN || S_IFMT == 1\n#define A 1\n#elif defined(_UAPI_LINUX_STAT_H)\n#define A 2\n"
        "#else\n#define A 3\n#endif\n",
    ),
    "included twice": source(
        "return S_ISCHR(bpf_handle_fs_get_mode((void *)ctx->arg1));", before="#include <linux/stat.h>\n" * 2
    ),
    "views": source(
        "return bpf_fsview_lookup(&v, ctx->arg1) + bpf_fsview_beneath(1, &v, ctx->arg1);", before="LANDLOCK_FSVIEW(v, 9);\n"
    ),
    "numbers": source("return 0x1fULL > ctx->arg2 ? 1u : 0b11 + 'ab' + L'x' + 017;"),
    "loops": source("int sum = 0;\n#pragma unroll\nfor (int i = 0; i < 8; i++)\n\tsum ^= ctx->arg2 >> i;\nreturn sum;"),
    "statements": source("return ({ typeof(ctx->arg2) a = ctx->arg2; a ?: 3; }) + __builtin_popcount(ctx->arg2);"),
}


@functools.cache
def folders() -> tuple[Path, ...]:
    return compiler.source_dir(), compiler.source_dir() / "include-2017"


SAME = {**TRICKY, "v7": V7, **{path.name: path.read_text() for path in SHIPPED}}


@pytest.mark.parametrize("what", SAME)
def test_renaming_changes_no_instruction(tmp_path: Path, what: str) -> None:
    text = SAME[what]
    (tmp_path / "r.c").write_text(text)
    parsed = rule_source.read(tmp_path / "r.c")
    layer = rule_program.compile([tmp_path / "r.c"], loader.choose(loader.LIBBPF))
    renamed = loader.choose(loader.LIBBPF).compile(
        rule_program._BEFORE + layer.texts[0] + rule_program._probes(parsed, 0, "rule0_"), {}, "a rule"
    )
    output = tmp_path / "plain.o"
    plain = PLAIN % (f'#line 1 "{tmp_path}/r.c"\n{text}', parsed.rules[0].function)
    compiler.compile_source(plain, output, include=folders())
    expected = elf.functions(output.read_bytes())["landlock_probe_rule_0"].code
    assert renamed["landlock_probe_rule_0"].code == expected
    assert len(expected) > 16 and rule_calls.scan(expected) == rule_calls.scan(renamed["landlock_probe_rule_0"].code)
