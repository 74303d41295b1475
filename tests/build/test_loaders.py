# SPDX-License-Identifier: GPL-2.0-only
"""Both loaders, before anything is loaded: what they compile, what they say of mistakes, what they need and keep."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from landlock_bpf import abi, compiler, elf, errors, loader, loader_bcc, rule_program, ruleset

RULE = """\
#include <uapi/linux/bpf.h>
#include <uapi/linux/stat.h>
#include "bpf_helpers.h"

SEC("landlock1")
static int rule(struct landlock_context *ctx)
{
	return S_ISREG(bpf_handle_fs_get_mode((void *)ctx->arg1)) && ctx->arg2 == 3;
}

SEC("subtype")
static const union bpf_prog_subtype _subtype = { .landlock_rule = { .abi = 1, .event = LANDLOCK_SUBTYPE_EVENT_%s } };

SEC("license")
static const char _license[] = "GPL";
"""
BROKEN = '#line 1 "/home/me/rule.c"\nint rule(void *ctx)\n{\n\treturn missing;\n}\n'
both = pytest.mark.parametrize("name", loader.NAMES)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LANDLOCK_BPF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def layer(folder: Path, name: str, event: str) -> rule_program.RuleLayer:
    source = folder / "rule.c"
    source.write_text(RULE % event)
    return rule_program.compile([source], loader.choose(name))


def render(rules: rule_program.RuleLayer, name: str, attach: str) -> tuple[str, dict[str, str]]:
    """Render as the loader does, but for the running kernel's offsets."""
    if name == loader.LIBBPF:
        return loader.render(rules, attach)
    maps = {"rooms": 1, **{f"rules_{row.hook}": 2 for row in loader.rows(rules)}}
    return loader.render(rules, attach, maps=maps, offsets={"inode": [8], "file": [32], "io_uring_cmd": [0, 16]})


@both
@pytest.mark.parametrize(
    ("attach", "event"),
    [(ruleset.ENGINE, "FS"), (ruleset.ENGINE, "FS_IOCTL"), (ruleset.LSM_CGROUP, "FS_IOCTL"), (ruleset.LSM_CGROUP, "FS_LOCK")],
)
def test_there_is_a_program_for_each_hook(tmp_path: Path, name: str, attach: str, event: str) -> None:
    rules = layer(tmp_path, name, event)
    found = loader.choose(name).compile(*render(rules, name, attach), "the rules")
    programs = {function for function in found if function.startswith(loader.PROGRAM)}
    assert programs == {loader.PROGRAM + row.hook for row in loader.rows(rules)}
    # bcc has no subprograms; clang puts the asking into one.
    assert {*found} - programs == ({"landlock_ask"} if name == loader.LIBBPF else set())
    assert all(len(each.code) % 8 == 0 and each.code for each in found.values())


def test_hooks_are_those_of_the_events(tmp_path: Path) -> None:
    assert {row.number for row in loader.rows(layer(tmp_path, loader.LIBBPF, "FS_LOCK"))} == {abi.Hook.FILE_LOCK}


@both
def test_mistakes_are_told_at_the_line_and_in_the_error_alone(
    name: str, capfd: pytest.CaptureFixture[str], cache: Path
) -> None:
    with pytest.raises(errors.CompileError) as caught:
        loader.choose(name).compile(BROKEN, {}, "a text")
    assert caught.value.what.endswith("refuses a text")
    assert "/home/me/rule.c:3:9: error: use of undeclared identifier 'missing'" in caught.value.words
    assert "/tmp" not in caught.value.words
    assert list(cache.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@both
def test_included_files_are_compiled_too(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    chosen = loader.choose(name)
    found = chosen.compile(
        '#include "other.h"\nint rule(void *ctx)\n{\n\tint unused;\n\treturn OTHER;\n}\n', {"other.h": "#define OTHER 7\n"}, "x"
    )
    assert "rule" in found
    other = chosen.compile(
        '#include "other.h"\nint rule(void *ctx)\n{\n\tint unused;\n\treturn OTHER;\n}\n', {"other.h": "#define OTHER 8\n"}, "x"
    )
    assert other["rule"].code != found["rule"].code
    assert capfd.readouterr() == ("", "")


@both
def test_what_was_compiled_is_kept(name: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = loader.choose(name)
    first = chosen.compile("int rule(void *ctx)\n{\n\treturn 7;\n}\n", {}, "x")
    kept = sorted(cache.iterdir())

    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(compiler, "compile_source", refuse)
    monkeypatch.setattr(loader_bcc, "_write_functions", refuse)
    assert chosen.compile("int rule(void *ctx)\n{\n\treturn 7;\n}\n", {}, "x") == first
    assert sorted(cache.iterdir()) == kept


def test_the_cache_is_limited(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "_KEPT", 3)
    for number in range(6):
        path = compiler.find_compiled("kind", [str(number)], lambda path: path.write_text("made"))
        os.utime(path, (number, number))
    assert len(list(cache.iterdir())) == 3
    assert path.exists()


def test_bcc_needs_no_clang_and_no_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(errors.UnsupportedError, match="clang is not installed"):
        layer(tmp_path, loader.LIBBPF, "FS")
    rules = layer(tmp_path, loader.BCC, "FS")
    assert loader.choose(loader.BCC).compile(*render(rules, loader.BCC, ruleset.ENGINE), "the rules")


def test_bcc_leaves_folder_and_variables_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    with loader_bcc._module("int rule(void *ctx)\n{\n\treturn 7;\n}\n", {}, tmp_path) as module:
        assert [name for name, _code in loader_bcc._functions(module)] == ["rule"]
    assert (Path.cwd(), dict(os.environ)) == (tmp_path, before)


def test_a_machine_without_bcc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader_bcc.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(errors.UnsupportedError, match="python3-bpfcc"):
        loader.choose(loader.BCC).compile("int rule(void *ctx)\n{\n\treturn 7;\n}\n", {}, "x")


def test_no_other_loader() -> None:
    with pytest.raises(errors.NotFoundError, match="libbpf and bcc"):
        loader.choose("other")


def test_numbers_of_maps_become_descriptors() -> None:
    load, move = bytes.fromhex("1811000005000000 0000000000000000"), bytes.fromhex("b700000018110000")
    plain = bytes.fromhex("1801000005000000 1811000005000000")
    changed = loader_bcc._with_maps(plain + move + load, {5: 77})
    assert changed == plain + move + bytes.fromhex("181100004d000000 0000000000000000")


CALLS = """
#define NOINLINE __attribute__((noinline))
#define IN(name) __attribute__((section(name), used))
static NOINLINE int local(int x) { asm volatile(""); return x + 1; }
static NOINLINE int second(int x) { asm volatile(""); return local(x) * 3; }
NOINLINE int shared(int x) { asm volatile(""); return x * 2; }
static IN("one") NOINLINE int near(int x) { asm volatile(""); return x + 5; }
IN("one") int both(int *ctx) { return second(ctx[0]) + shared(ctx[1]) + near(ctx[2]); }
IN("one") int none(int *ctx) { return ctx[0]; }
"""


def test_calls_between_functions_are_found(tmp_path: Path) -> None:
    compiler.compile_source(CALLS, tmp_path / "calls.o")
    found = elf.functions((tmp_path / "calls.o").read_bytes())
    assert {name: set(each.calls) for name, each in found.items()} == {
        "local": set(),
        "second": {"local"},
        "shared": set(),
        "near": set(),
        "both": {"second", "shared", "near"},
        "none": set(),
    }
