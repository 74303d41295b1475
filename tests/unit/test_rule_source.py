# SPDX-License-Identifier: GPL-2.0-only
"""Rule sources: what is found in them, what is refused, and that nothing hides a rule from the scanner."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies

from landlock_bpf import errors, rule_outline, rule_source

ROOT = Path(__file__).parents[2]
RULE = """\
SEC("landlock1")
static int f(struct landlock_context *ctx)
{
	return 0;
}
"""
SUBTYPE = """\
SEC("subtype")
static const union bpf_prog_subtype s = { .landlock_rule = { .abi = 1, .event = 1 } };
"""
LICENSE = 'SEC("license") static const char l[] = "GPL";\n'
INCLUDES = '#include <uapi/linux/bpf.h>\n#include "bpf_helpers.h"\n'
WHOLE = INCLUDES + RULE + SUBTYPE + LICENSE


def parse(text: str) -> rule_outline.Source:
    return rule_source.parse(text, "r.c")


def problems(text: str) -> list[str]:
    with pytest.raises(errors.PolicyError) as caught:
        parse(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_source_of_2017_is_understood() -> None:
    source = parse(WHOLE)
    assert source.rules == (rule_outline.Rule("f", "landlock1", 3, 0),)
    assert source.subtypes == (rule_outline.Subtype("s", "subtype", 8),)
    assert (source.views, source.license) == ((), "GPL")


@pytest.mark.parametrize(
    ("declaration", "name"),
    [
        ('SEC("landlock1") static int f(struct landlock_context *ctx) { return 0; }', "f"),
        ('SEC("landlock1")\nint f(struct landlock_context *ctx)\n{ if (1) { return 0; } return 1; }', "f"),
        ('static SEC("landlock1") int f(struct landlock_context *ctx) { return 0; }', "f"),
        (
            'SEC("landlock1") static inline __attribute__((always_inline)) int f(struct landlock_context *ctx) { return 0; }',
            "f",
        ),
        ('SEC("landlock1") __attribute__((unused)) static int f(struct landlock_context *ctx) { return 0; }', "f"),
        ('SEC ( "land" "lock1" ) static int\nf (struct landlock_context *ctx) <% return 0; %>', "f"),
        ('SEC("landlock1") static __maybe int (f)(int x) { return 0; }', ""),
        ('S\\\nEC("land\\\nlock1") static int\\\n f(struct landlock_context *ctx) { return 0; }', "f"),
        ('SEC(/* a */ "landlock1" // b\n) static int f(struct landlock_context *ctx) { return 0; }', "f"),
        ('static int a[] = { 1, 2 };\nstruct b { int c; };\nSEC("landlock1") static int f(void *ctx) { return 0; }', "f"),
    ],
)
def test_each_way_to_write_a_rule(declaration: str, name: str) -> None:
    text = declaration + "\n" + SUBTYPE + LICENSE
    if name:
        (rule,) = parse(text).rules
        assert (rule.function, rule.section) == (name, "landlock1")
    else:
        assert "r.c:1: landlock1: no function; write SEC() before the function itself" in problems(text)


@pytest.mark.parametrize(
    "declaration",
    [
        'SEC("subtype") static const union bpf_prog_subtype s = {};',
        'static const union bpf_prog_subtype s SEC("subtype") = {};',
        'SEC("subtype") union bpf_prog_subtype s = { { 1, 1 } };',
        'union bpf_prog_subtype SEC("subtype") s = {};',
        'const union { struct { int abi; } landlock_rule; } s SEC("subtype") = {};',
        'SEC("subtype/landlock1") static const union bpf_prog_subtype s = {};',
    ],
)
def test_each_way_to_write_a_subtype(declaration: str) -> None:
    (subtype,) = parse(RULE + declaration + "\n" + LICENSE).subtypes
    assert (subtype.variable, subtype.line) == ("s", 6)


@pytest.mark.parametrize(
    "declaration",
    [
        'SEC("license") static const char l[] = "GPL";',
        'char l[] SEC("license") = "GPL";',
        'char l[4] SEC("license") = { "G" "PL" };',
    ],
)
def test_each_way_to_write_a_license(declaration: str) -> None:
    assert parse(RULE + SUBTYPE + declaration).license == "GPL"


def rules(*sections: str) -> str:
    return "".join(
        f'SEC("{section}") static int f{number}(void *ctx) {{ return 0; }}\n' for number, section in enumerate(sections)
    )


def subtypes(*sections: str) -> str:
    return "".join(
        f'SEC("{section}") static const union bpf_prog_subtype s{number} = {{}};\n' for number, section in enumerate(sections)
    )


@pytest.mark.parametrize(
    ("sections", "found", "paired"),
    [
        (["landlock1", "landlock2"], ["subtype"], ["s0", "s0"]),
        (["landlock1", "landlock2"], ["subtype", "subtype"], ["s0", "s1"]),
        (["landlock1", "landlock2"], ["subtype/landlock2", "subtype/landlock1"], ["s1", "s0"]),
        (["landlock1", "landlock2"], ["subtype", "subtype/landlock1"], ["s1", "s0"]),
        (["landlock1", "landlock2", "landlock3"], ["subtype/landlock2", "subtype", "subtype"], ["s1", "s0", "s2"]),
        (["landlock1"], ["subtype", "subtype/landlock1"], ["s1"]),
    ],
)
def test_subtypes_find_their_rules(sections: list[str], found: list[str], paired: list[str]) -> None:
    source = parse(rules(*sections) + subtypes(*found) + LICENSE)
    assert [subtype.variable for subtype in source.subtypes] == paired


@pytest.mark.parametrize(
    ("sections", "found", "what"),
    [
        (["landlock1"], [], "r.c:1: f0: the rule has no subtype"),
        (["landlock1", "landlock2"], ["subtype/landlock1"], "r.c:2: f1: the rule has no subtype"),
        (["landlock1", "landlock2", "landlock3"], ["subtype", "subtype"], "2 subtypes for 3 rules"),
        (["landlock1"], ["subtype", "subtype/landlock2"], "r.c:3: subtype/landlock2: no rule has this section"),
        (["landlock1"], ["subtype/landlock1"] * 2, "r.c:3: subtype/landlock1: two subtypes for one rule"),
        (["landlock1", "landlock1"], ["subtype"], "r.c:2: landlock1: two rules in one section"),
        (["maps"], ["subtype"], "r.c:1: maps: rules have no maps"),
        (["kprobe/x"], ["subtype"], "r.c:1: kprobe/x: no section of rules"),
        ([f"landlock{number}" for number in range(65)], ["subtype"], "more than 64 rules"),
    ],
)
def test_sections_that_do_not_fit(sections: list[str], found: list[str], what: str) -> None:
    assert any(what in problem for problem in problems(rules(*sections) + subtypes(*found) + LICENSE))


HIDDEN = {
    "a macro": '#define R SEC("landlock2")\nR static int g(void *ctx) { return 0; }',
    "the section in a macro": '#define R "landlock2"\nSEC(R) static int g(void *ctx) { return 0; }',
    "SEC by another name": "#define HIDE SEC\n",
    "SEC defined": '#define SEC(x) __attribute__((section("landlock2"), used))',
    "SEC undefined": "#undef SEC",
    "the attribute": '__attribute__((section("landlock2"), used)) static int g(void *ctx) { return 0; }',
    "the attribute, underlined": '__attribute__ (( used , __section__("landlock2"))) static int g(void *ctx) { return 0; }',
    "the attribute in a macro": '#define R __attribute__((section("landlock2")))\nR static int g(void *ctx) { return 0; }',
    "half an attribute": '#define R __attribute__\nR((section("landlock2"))) static int g(void *ctx) { return 0; }',
    "a part of an attribute": '#define R section("landlock2")\n__attribute__((R)) static int g(void *ctx) { return 0; }',
    "a pragma": '#pragma clang section text="landlock2"',
    "another pragma": '_Pragma("clang section text=\\"landlock2\\"")',
    "assembly of the file": 'asm(".section landlock2");',
    "assembly": 'static int g(void *ctx) { __asm__ volatile("call 1"); return 0; }',
    "assembly in a macro": "#define A __asm",
    "a name that is made": '#define M(a, b) a##b\nM(S, EC)("landlock2") static int g(void *ctx) { return 0; }',
    "digraphs": '%:define R SEC("landlock2")',
    "digraphs that make a name": "%:define M(a, b) a%:%:b",
    "lines put together": '#def\\\nine R S\\\nEC("landlock2")',
    "a trigraph": '??=define R SEC("landlock2")',
    "a trigraph that ends a line": "int a = 1; ??/\n",
    "a raw string": 'static const char a[] = R"(" /* )";',
    "a file": '#include "other.c"',
    "a file above": '#include "../include-2017/bpf_helpers.h"',
    "a file of the system": "#include </etc/passwd>",
    "a file by a macro": "#define H <uapi/linux/bpf.h>\n#include H",
    "the next file": "#include_next <uapi/linux/bpf.h>",
    "another name for a line": '#line 1 "other.c"',
    "the same, short": '# 1 "other.c"',
    "#if": '#if 0\nSEC("landlock2") static int g(void *ctx) { return 0; }\n#endif',
    "a function": 'static int g(void *ctx) { SEC("landlock2") int a = 0; return a; }',
    "a structure": 'struct g { SEC("landlock2") int a; };',
    "a declaration": 'SEC("landlock2") static int g(void *ctx);',
    "a variable": 'SEC("landlock2") static int g = 1;',
    "no end": 'SEC("landlock2") static int g',
    "nothing": "SEC",
    "an empty section": 'SEC("")',
    "an escape in a section": 'SEC("land\\x6cock2") static int g(void *ctx) { return 0; }',
    "several subtypes": 'SEC("subtype/landlock1") static const union bpf_prog_subtype a = {}, b = {};',
    "a word of C defined": "#define int long",
    "an attribute undone": "#define __attribute__(x)",
    "a built-in defined": "#define __builtin_memcpy(...) 0",
    "the name of an attribute": "#define packed\nstruct a { char b; int c; } __attribute__((packed));",
    "the compiler": "#ifdef __x86_64__\n#endif",
    "the machine": "#if __SIZEOF_LONG__ == 8\n#endif",
    "a name in a string": "#define S(x) #x",
    "a comment without an end": "/* ",
    "a string without an end": 'char *a = "x;',
    "#if without an end": "#if 1",
    "an end without #if": "#endif",
    "a letter that is none of C's": "int \u00e9;",
    "a NUL": "int a\0;",
    "a backslash": "int a\\b;",
    "a carriage return": "int a;\rint b;",
    "a view in a macro": "#define V LANDLOCK_FSVIEW(v, 1)",
    "a view of a macro's size": "#define N 1\nLANDLOCK_FSVIEW(v, N);",
    "a view in a function": "static int g(void *ctx) { LANDLOCK_FSVIEW(v, 1); return 0; }",
    "a view for nothing": "LANDLOCK_FSVIEW(v, 0);",
    "a view for too much": "LANDLOCK_FSVIEW(v, 65537);",
    "a view in octal": "LANDLOCK_FSVIEW(v, 010);",
    "two views": "LANDLOCK_FSVIEW(v, 1);\nLANDLOCK_FSVIEW(v, 1);",
    "a view named as a word of C": "LANDLOCK_FSVIEW(int, 1);",
    "two licenses": LICENSE,
    "another license": 'SEC("license") static const char m[] = "Proprietary";',
    "the name of a function": "static const char *g(void) { return __func__; }",
}


@pytest.mark.parametrize("what", HIDDEN)
def test_what_could_hide_something_is_refused(what: str) -> None:
    found = problems(WHOLE + HIDDEN[what] + "\n")
    first = WHOLE.count("\n") + 1
    lines = [int(problem.split(":")[1]) for problem in found if problem.split(":")[1].strip().isdigit()]
    assert all(line >= first for line in lines), found


@pytest.mark.parametrize(
    "text",
    [
        "#define SEC(NAME) __attribute__((section(NAME), used))\n",
        "#ifndef SEC\n#define SEC(N) __attribute__ ((section(N), used))\n#endif\n",
        "#define p(f, ...) ({ char s[] = f; bpf_trace_printk(s, sizeof(s), ##__VA_ARGS__); })\n",
        '#define R /* SEC("landlock2") */ 1\n',
        'static const char a[] = "SEC(\\"landlock2\\")";\n',
        "// asm, ??= and __func__ in a comment: what\u2019s this?\n",
        "#pragma unroll\n#pragma clang loop unroll(full)\n",
        "LANDLOCK_FSVIEW(v, 0x10)\n",
        "#if defined(A) && !defined B\n#elif 1\n#else\n#endif\n",
        '#error "x"\n',
        "#\n",
        "#ifndef __GUARD__\n#define __GUARD__\n#endif\n",
        "#define unused __attribute__((unused))\nstatic int a unused;\n",
        'u32 _version SEC("version") = 1;\n',
    ],
)
def test_what_hides_nothing_is_taken(text: str) -> None:
    assert [rule.function for rule in parse(text + WHOLE).rules] == ["f"]
    assert [rule.function for rule in parse(WHOLE + text).rules] == ["f"]


@pytest.mark.parametrize("text", ["", "\n", "int a;\n", INCLUDES])
def test_a_source_without_rules_is_refused(text: str) -> None:
    assert problems(text) == ['r.c: there is no rule; write SEC("landlock1") before a function']


def test_a_source_without_a_license_is_refused() -> None:
    assert problems(RULE + SUBTYPE) == ['r.c: there is no license; write SEC("license") static const char _license[] = "GPL";']


def test_all_problems_are_told_in_order() -> None:
    found = problems("#include <a.h>\n" + RULE + 'asm("");\n' + 'SEC("maps") int m;\n')
    assert [problem.split(":")[1] for problem in found] == ["1", "7", "8"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\xff", "is not UTF-8 text"),
        (b"\n" * (rule_source.SIZE_MAX + 1), "is larger than 256 KiB"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "r.c"
    path.write_bytes(data)
    with pytest.raises(errors.PolicyError, match=what):
        rule_source.read(path)


@pytest.mark.parametrize("path", ["/nowhere", "/", "/dev/null/x", "a\0b"])
def test_files_that_cannot_be_read(path: str) -> None:
    with pytest.raises(errors.PolicyError, match="cannot be read"):
        rule_source.read(Path(path))


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "r.c"
    path.write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())
    assert rule_source.read(path).rules == parse(WHOLE).rules


@pytest.mark.parametrize("path", sorted((ROOT / "policies" / "rules").glob("*.c")), ids=lambda path: path.name)
def test_shipped_rules_are_understood(path: Path) -> None:
    assert rule_source.read(path).rules


PIECES = strategies.sampled_from(
    [
        *WHOLE.split(" "), *HIDDEN.values(), RULE, SUBTYPE, LICENSE, INCLUDES,
        "\n", "\\\n", "\\ \n", " ", "{", "}", "(", ")", "[", "]",
        ";", ",", "=", "#", "##", "%:", "<:", "SEC", 'SEC("landlock1")', 'SEC("subtype")', "LANDLOCK_FSVIEW(",
        "__attribute__((",
        "/*", "*/", "//", '"', "'", "\\", "0x", "1e+", "é", "\0", "\r", "static", "#if 1\n", "#endif\n", "#define A ",
    ]
)  # fmt: skip


@hypothesis.given(strategies.lists(PIECES).map("".join))
def test_no_text_of_pieces_crashes(text: str) -> None:
    try:
        parse(text)
    except errors.PolicyError as error:
        assert error.problems and str(error)


@hypothesis.given(strategies.text())
def test_no_text_crashes(text: str) -> None:
    with pytest.raises(errors.PolicyError):
        parse(text)


@hypothesis.given(strategies.binary())
def test_no_file_crashes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.c"
    path.write_bytes(data)
    with pytest.raises(errors.PolicyError):
        rule_source.read(path)


@pytest.mark.parametrize(
    "piece",
    ["SEC(", 'SEC("landlock1")', "(", "__attribute__((", "/*", '"a" ', "LANDLOCK_FSVIEW(a,", "\\\n", "#if 1\n", INCLUDES],
)
def test_a_large_source_is_no_burden(piece: str) -> None:
    # What is quadratic in the size of a file would take minutes.
    with pytest.raises(errors.PolicyError):
        parse(piece * (rule_source.SIZE_MAX // len(piece)))
