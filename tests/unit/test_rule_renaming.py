# SPDX-License-Identifier: GPL-2.0-only
"""Renamed rule sources: no name of theirs leads out, and lines stay where they were."""

from __future__ import annotations

import re

import pytest

from landlock_bpf import rule_headers, rule_names, rule_renaming, rule_source, rule_text

SOURCE = """\
#define KBUILD_MODNAME "foo" /* a
comment */ \\
	"bar"
#include <uapi/linux/bpf.h>
#include "bpf_helpers.h"
LANDLOCK_FSVIEW(trees, 64);
struct landlock_question { int seen; } __attribute__((__packed__));
enum { ABI = 1 };
SEC("landlock1") int rule(struct landlock_context *ctx)
{
	char text[] = "rule, ctx and SEC()";
	goto out; /* rule */
out:
	return bpf_fsview_lookup(&trees, ctx->arg1) + sizeof(text) + 'r' + __landlock_question(0x1f) + __builtin_expect(1, 1);
}
union bpf_prog_subtype s SEC("subtype") = { .landlock_rule = { .abi = ABI } };
char license[] SEC("license") = "GPL";
"""


def renamed(text: str = SOURCE, prefix: str = "rule7_") -> str:
    return rule_renaming.rename(rule_source.parse(text, "r.c"), prefix, {"trees": 5})


def own(text: str, path: str) -> list[str]:
    """Give the lines that the compiler takes for those of a file, in their order."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if found := re.fullmatch(r'#line (\d+) "(.*)"', line):
            inside = found[2] == path
            if inside:
                assert len(lines) <= int(found[1]) - 1
                lines += [""] * (int(found[1]) - 1 - len(lines))
        elif inside:
            lines.append(line)
    return lines


def test_names_that_are_not_c_have_the_prefix() -> None:
    for token in rule_text.tokens("\n".join(own(renamed(), "r.c")).partition("#pragma")[0]):
        if token.kind == "name" and not rule_names.is_own(token.text):
            assert token.text.startswith("rule7_") or token.text in ("define", "include", "unused", "__packed__"), token


def test_lines_and_words_stay() -> None:
    lines = own(renamed(), "r.c")
    for number, line in enumerate(SOURCE.splitlines()):
        for word in re.findall(r"0x1f|\"[^\"]*\"|'r'|goto|return", "" if "include" in line else line):
            if not line.startswith(("SEC", "union", "char license")):
                assert word in lines[number], (number, word)
    assert lines[5] == "static const struct rule7_bpf_fsview rule7_trees __attribute__((unused)) = { 5, 64 };"
    assert lines[8].startswith("static __attribute__((unused)) int rule7_rule(struct rule7_landlock_context *rule7_ctx)")
    assert lines[15].startswith("static const union rule7_bpf_prog_subtype rule7_s __attribute__((unused)) = {")
    assert lines[16].startswith('static const char rule7_license[] __attribute__((unused)) = "GPL";')


def test_only_our_headers_lead_out() -> None:
    assert "rule7___landlock_question" in renamed()
    found = set(re.findall(r"(?<!\w)(?!rule7_)\w*landlock_\w+", re.sub(r'#line.*|".*?"', "", renamed())))
    assert found == {"__landlock_get_mode", "__landlock_mark", "__landlock_beneath"}


@pytest.mark.parametrize("name", rule_headers.names())
def test_each_header_can_be_included(name: str) -> None:
    text = renamed(f'#include <{name}>\n#include "{name}"\n' + SOURCE)
    assert f'#line 1 "landlock-bpf/{name}"' in text
    assert "#include" not in text


def test_a_path_cannot_break_out_of_its_line() -> None:
    assert rule_renaming.line(1, 'a"\nb\\\u00e9.c') == '#line 1 "a??b??.c"\n'


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "r.c:3:7: error: unknown type name 'rule12_foo'\n  rule12_foo x;\n  ^\n1 error generated.",
            "r.c:3: error: unknown type name 'foo'",
        ),
        (
            "In file included from <stdin>:1:\na b.c:3: fatal error: x\na b.c:2: note: y",
            "a b.c:3: fatal error: x\na b.c:2: note: y",
        ),
        (
            "r.c:1:1: warning: x\nfatal error: error in backend: y\nclang: error: z",
            "fatal error: error in backend: y\nerror: z",
        ),
        ("LLVM ERROR: x", "LLVM ERROR: x"),
        ("something else", "something else"),
        ("", "the compiler ended without a word"),
    ],
)
def test_words_of_compilers(words: str, expected: str) -> None:
    assert rule_renaming.restore(words) == expected
