# SPDX-License-Identifier: GPL-2.0-only
"""Rule programs compiled by both loaders' compilers: what is checked in them."""

from __future__ import annotations

import faulthandler
from pathlib import Path

import pytest
from sources import AFTER, BEFORE, SHIPPED, V7, source

from landlock_bpf import errors, loader, questions, rule_names, rule_program
from landlock_bpf.abi import Event

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture(params=loader.NAMES)
def chosen(request: pytest.FixtureRequest) -> loader.Loader:
    try:
        return loader.choose(request.param)
    except errors.UnsupportedError as error:
        pytest.skip(str(error))


def compiled(chosen: loader.Loader, folder: Path, *texts: str) -> rule_program.RuleLayer:
    paths = [folder / f"r{number}.c" for number in range(len(texts))]
    for path, text in zip(paths, texts):
        path.write_text(text)
    return rule_program.compile(paths, chosen)


def refused(chosen: loader.Loader, folder: Path, *texts: str) -> str:
    with pytest.raises((errors.PolicyError, errors.CompileError)) as caught:
        compiled(chosen, folder, *texts)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_source_of_v7_compiles_unmodified(chosen: loader.Loader, tmp_path: Path) -> None:
    layer = compiled(chosen, tmp_path, V7)
    (rule,) = layer.rules
    assert (rule.source, rule.line, rule.function) == (str(tmp_path / "r0.c"), 9, "landlock_fs_prog1")
    assert (rule.event, rule.ability) == (Event.FS, 1)
    assert layer.sources == ((str(tmp_path / "r0.c"), V7),)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_is_in_the_tree_compiles(chosen: loader.Loader, path: Path) -> None:
    layer = rule_program.compile([path], chosen)
    assert layer.rules and str(path) in rule_program.describe(layer)


def test_names_of_the_talks(chosen: loader.Loader, tmp_path: Path) -> None:
    text = source("return 0;", subtype="1, LANDLOCK_EVENT_FS_LOCK, LANDLOCK_ABILITY_DEBUG")
    (rule,) = compiled(chosen, tmp_path, text).rules
    assert (rule.event, rule.ability) == (Event.FS_LOCK, 1)


def test_several_rules_in_one_file(chosen: loader.Loader, tmp_path: Path) -> None:
    events = [event for event in Event if event]
    text = BEFORE + AFTER
    for event in events:
        text += (
            f'SEC("landlock{event:d}") static int f{event:d}(struct landlock_context *ctx) {{ return {event:d}; }}\n'
            f'SEC("subtype/landlock{event:d}") static const union bpf_prog_subtype s{event:d} = {{ {{ 1, {event:d} }} }};\n'
        )
    layer = compiled(chosen, tmp_path, text)
    assert [(rule.function, rule.event) for rule in layer.rules] == [(f"f{event:d}", event) for event in events]
    assert len({rule.renamed for rule in layer.rules}) == len(events)


@pytest.mark.parametrize(
    ("subtype", "said"),
    [
        (".abi = 2, .event = 1", "r0.c:7: _subtype.landlock_rule.abi: is 2; "),
        (".abi = 1", "r0.c:7: _subtype.landlock_rule.event: is 0 or missing; "),
        (".abi = 1, .event = 1 << 4", "r0.c:7: _subtype.landlock_rule.event: is 16; "),
        (".abi = 1, .event = -1", "r0.c:7: _subtype.landlock_rule.event: is 4294967295; "),
        (".abi = 1, .event = 1, .ability = 2", "r0.c:7: _subtype.landlock_rule.ability: is 0x2"),
        (".abi = 1, .event = 1, .ability = -1", "r0.c:7: _subtype.landlock_rule.ability: is 0xffffffffffffffff"),
        (".abi = 1, .event = 1, .option = 1ULL << 63", "r0.c:7: _subtype.landlock_rule.option: is 0x8000000000000000"),
        (".abi = 1, .version = 1", "r0.c:7: error: field designator 'version' does not refer to any field"),
    ],
)
def test_subtypes_are_checked(chosen: loader.Loader, tmp_path: Path, subtype: str, said: str) -> None:
    assert said in refused(chosen, tmp_path, source("return 0;", subtype=subtype))


OTHER_SUBTYPE = "struct other { unsigned int abi, event; long ability, option, more[2]; };\n"


@pytest.mark.parametrize(
    ("declaration", "said"),
    [
        ("static const struct other s = { 1, 1 };", ""),
        ("static const struct other s = { 1, 1, 0, 0, { 0, 1L << 40 } };", "s: is longer than 24 bytes, and not zero there"),
        ("static const struct { unsigned int abi, event; } s = { 1, 3 };", ""),
        ("static const struct { unsigned char abi, event; } s = { 1, 1 };", "s: is 2 bytes; a subtype is 24"),
        ("static const char s[400] = { 1 };", "s: is 400 bytes; a subtype is 24"),
        ("static const union bpf_prog_subtype s[2] = { { { 1, 1 } }, { { 1 } } };", "s: is longer than 24 bytes"),
        ("static union bpf_prog_subtype s = { { 1, 1 } };", ""),
        ("union bpf_prog_subtype s = { { 1, 1 } };", ""),
        ("static volatile const union bpf_prog_subtype s = { { 1, 1 } };", ""),
        ("static const union bpf_prog_subtype *s = (void *)1;", "s: is longer|r0.c:4: s"),
    ],
)
def test_subtypes_of_other_types(chosen: loader.Loader, tmp_path: Path, declaration: str, said: str) -> None:
    text = f'{BEFORE}{OTHER_SUBTYPE}SEC("subtype") {declaration}\n{AFTER}'
    text += 'SEC("landlock1") static int f(struct landlock_context *ctx) { return 0; }\n'
    if said:
        found = refused(chosen, tmp_path, text)
        assert any(part in found for part in said.split("|")), found
    else:
        assert compiled(chosen, tmp_path, text).rules


def test_no_other_helper_can_be_called(chosen: loader.Loader, tmp_path: Path) -> None:
    names = [rule_names.HELPERS[number] for number in sorted(set(rule_names.HELPERS) - rule_names.DEBUG_HELPERS)]
    rule = 'SEC("landlock{0}") static int {0}(struct landlock_context *ctx) {{ return ((long (*)(void)){1})() != 0; }}\n'
    text = "".join(rule.format(f"f{number}", name) for number, name in enumerate(names))
    found = refused(chosen, tmp_path, source("return 0;").replace(BEFORE, BEFORE + text))
    told = [line.partition(",")[0] for line in found.splitlines()]
    assert told == [f"r0.c:{number + 3}: f{number}: calls {name}" for number, name in enumerate(names)]


@pytest.mark.parametrize("number", sorted(rule_names.DEBUG_HELPERS))
@pytest.mark.parametrize("debug", [False, True])
def test_helpers_for_debugging_take_the_ability(chosen: loader.Loader, tmp_path: Path, number: int, debug: bool) -> None:
    name = rule_names.HELPERS[number]
    calls = {
        6: f'char text[] = "x"; {name}(text, sizeof(text)); return 0;',
        16: f"char text[16]; return {name}(text, sizeof(text));",
    }
    text = source(calls.get(number, f"return {name}() == 1;"), subtype=f".abi = 1, .event = 1, .ability = {debug:d}")
    if debug:
        assert compiled(chosen, tmp_path, text).rules[0].ability
    else:
        said = f"r0.c:5: rule: calls {name}, a helper for rules with LANDLOCK_SUBTYPE_ABILITY_DEBUG; "
        assert refused(chosen, tmp_path, text).startswith(said)


CALL = "r0.c:3: rule: calls bpf_tail_call, which no rule may"
DATA = "has data that outlives a call"
HIDDEN = {
    "a cast": ("return ((int (*)(void *))12)(ctx);", "", CALL),
    "a cast of a sum": ("return ((int (*)(void *))(6 + 6))(ctx);", "", CALL),
    "a macro": ("return GO(ctx);", "#define GO(x) ((int (*)(void *))0xc)(x)\n", CALL.replace("c:3", "c:4")),
    "another number": ("return ((int (*)(void *))156)(ctx);", "", "rule: calls helper 156, which no rule may"),
    "another name": (
        "return go(ctx, ctx, 0);",
        "static int (*const go)(void *, void *, int) = (void *)12;\n",
        "calls bpf_tail_call",
    ),
    "a function": (
        "return go(ctx);",
        "static int go(void *x) { return bpf_tail_call(x, x, 0); }\n",
        "r0.c:3: rule: calls bpf_tail_call",
    ),
    "a branch": ("if (ctx->arg2 == 77) return bpf_tail_call(ctx, ctx, 0);\nreturn 0;", "", "r0.c:5: rule: calls bpf_tail_call"),
    "a number that is computed": (
        "return ((int (*)(void *))(ctx->arg2 + 1))(ctx);",
        "",
        "calls a function that is not there|error: ",
    ),
    "a pointer to choose": (
        "int (*go)(void *) = ctx->arg2 ? (void *)12 : (void *)1; return go(ctx);",
        "",
        "rule: calls bpf_|not there|error: ",
    ),
    "a function outside": ("return go(1);", "extern int go(int);\n", "calls a function that is not there"),
    "recursion": (
        "return go(ctx->arg2);",
        "static int go(long x) { return x ? go(x >> 1) ^ x << go(x >> 2) : 0; }\n",
        "cannot be inlined",
    ),
    "a loop without an end": ("for (;;)\n;", "", "r0.c:3: rule: never returns"),
    "nothing that is defined": ("__builtin_unreachable();\nreturn 0;", "", "r0.c:3: rule: never returns"),
    "a global": ("return counter++;", "static int counter;\n", DATA),
    "a global that others see": ("return counter;", "int counter = 1;\n", DATA),
    "a static variable": ("static int counter;\nreturn counter++;", "", DATA),
    "a table": ("return table[ctx->arg2 & 3];", "static const int table[4] = { 1, 0, 1, 0 };\n", DATA),
    "an address": ("return (long)&rule;", "static int rule(struct landlock_context *ctx);\n", "not there|" + DATA),
    "a long string": (f'char text[] = "{"x" * 600}"; return text[ctx->arg2 & 255];', "", DATA + "|error: "),
}


@pytest.mark.parametrize("what", HIDDEN)
def test_what_instructions_show(chosen: loader.Loader, tmp_path: Path, what: str) -> None:
    body, before, said = HIDDEN[what]
    found = refused(chosen, tmp_path, source(body, before=before))
    assert any(part in found for part in said.split("|")), found


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return unknown;", "r0.c:5: error: use of undeclared identifier 'unknown'"),
        ("ctx->arg2 = 0;\nreturn 0;", "r0.c:5: error: cannot assign to non-static data member 'arg2'"),
        ("if (ctx->arg2) return 1;", "r0.c:6: error: non-void function does not return a value in all control paths"),
        ("return unknown(1);", "r0.c:5: error: implicit declaration of function 'unknown'"),
        ("int a;\nreturn a;", "r0.c:6: error: variable 'a' is uninitialized"),
        ("long *a = ctx;\nreturn *a;", "r0.c:5: error: incompatible pointer types"),
        ("return __landlock_get_mode(ctx->arg1);", "r0.c:5: error: implicit declaration of function '__landlock_get_mode'"),
        ("return !landlock_inquiry();", "r0.c:5: error: implicit declaration of function 'landlock_inquiry'"),
        ("struct inquiry a;\nreturn a.denied;", "r0.c:5: error: variable has incomplete type 'struct inquiry'"),
        ("return HANDLE_PART_MAGIC;", "r0.c:5: error: use of undeclared identifier 'HANDLE_PART_MAGIC'"),
        ("return 1.5 * ctx->arg2;", "error: "),
        ("volatile char a[1000];\na[ctx->arg2 & 511] = 1;\nreturn a[0];", "stack limit of 512 bytes is exceeded"),
    ],
)
def test_compilers_words_are_at_the_line_of_the_source(chosen: loader.Loader, tmp_path: Path, body: str, said: str) -> None:
    assert said in refused(chosen, tmp_path, source(body))


def test_a_compiler_may_die(chosen: loader.Loader, tmp_path: Path) -> None:
    watched = faulthandler.is_enabled()
    faulthandler.disable()  # bcc's process is a child of ours
    try:
        said = refused(chosen, tmp_path, source("return " + "-" * 60000 + "1;"))
    finally:
        if watched:
            faulthandler.enable()
    assert said == "cannot compile r0.c\nthe compiler ended without a word"


def test_files_do_not_touch_each_other(chosen: loader.Loader, tmp_path: Path) -> None:
    """The second file uses every name of the first for something else, and none of them without its own."""
    one = source(
        "struct both a = { 1 };\nreturn a.b + help(3) + BOTH + event;",
        before="#define BOTH 1\nstruct both { int b; };\nstatic int help(int x) { return x; }\nenum { event = 9 };\n",
    )
    two = source(
        "enum both BOTH = help, status = 1;\nreturn BOTH + status + S_ISREG(1);",
        before="enum both { help = 5, b };\n#define S_ISREG(x) 7\ntypedef int event;\n",
    )
    assert len(compiled(chosen, tmp_path, one, two, one, two).rules) == 4
    alone = source("return help(3);")
    assert "r1.c:5: error: implicit declaration of function 'help'" in refused(chosen, tmp_path, one, alone)
    half = source("return 0; }\nstatic int open(void) {\nreturn 1;", before="#define CLOSE }\n")
    assert compiled(chosen, tmp_path, half).rules
    unclosed = BEFORE + "static int open(void) {\n" + AFTER
    assert "r0.c" in refused(chosen, tmp_path, unclosed, "}\n" + one)


def test_all_files_are_told_of_at_once(chosen: loader.Loader, tmp_path: Path) -> None:
    found = refused(chosen, tmp_path, source("return zzzzzz;"), source("return 0;", subtype="2, 1"), source("return zzzzzz;"))
    told = [line.split(" ")[0] for line in found.splitlines() if ": note: " not in line]
    assert told == ["cannot", "r0.c:5:", "r2.c:5:", "r1.c:7:"]
    found = refused(chosen, tmp_path, source("return 0;", subtype="2, 1"), source("return bpf_ktime_get_ns() == 1;"))
    assert [line.split(" ")[0] for line in found.splitlines()] == ["r0.c:7:", "r1.c:5:"]


def test_views_of_one_name_are_one(chosen: loader.Loader, tmp_path: Path) -> None:
    def text(*views: str) -> str:
        body = " + ".join(
            f"bpf_fsview_lookup(&{view}, ctx->arg1) + bpf_fsview_beneath(1, &{view}, ctx->arg1)" for view in views
        )
        before = "".join(f"LANDLOCK_FSVIEW({view}, {len(views) + 1});\n" for view in views)
        return source(f"return {body};", before=before)

    layer = compiled(chosen, tmp_path, text("a", "b"), text("c", "b", "d"))
    assert [(view.name, view.max) for view in layer.views] == [("a", 3), ("b", 4), ("c", 4), ("d", 4)]
    assert "_b __attribute__((unused)) = { 1, 3 }" in layer.texts[0]
    assert "_b __attribute__((unused)) = { 1, 4 }" in layer.texts[1]
    found = refused(chosen, tmp_path, text(*"abcdefgh"), text("i"))
    assert found == "r1.c:3: i: more than 8 views in a layer; take some out, or make two layers"


def test_a_domain_can_have_64_rules(tmp_path: Path) -> None:
    def text(count: int) -> str:
        rules = [f'SEC("landlock{n}") static int f{n}(struct landlock_context *ctx) {{ return 0; }}\n' for n in range(count)]
        return source("return 0;").replace('SEC("landlock1")', "".join(rules) + 'SEC("landlock")')

    chosen = loader.choose(loader.LIBBPF)
    assert len(compiled(chosen, tmp_path, text(31), text(31)).rules) == 64
    found = refused(chosen, tmp_path, text(31), text(32))
    assert found.startswith("r1.c:35: rule: 65 rules; a domain can have 64; ")


def test_layers_are_described(tmp_path: Path) -> None:
    layer = compiled(
        loader.choose(loader.LIBBPF), tmp_path, V7, source("return 0;", before="LANDLOCK_FSVIEW(v, 3);\n", subtype="1, 3")
    )
    said = rule_program.describe(layer)
    assert "landlock_fs_prog1  event FS, with the helpers for debugging" in said
    assert "view v  at most 3 objects" in said and "FS_LOCK is asked at file_lock\n" in said
    for row in questions.ROWS:
        assert row.hook in said
