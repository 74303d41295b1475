# SPDX-License-Identifier: GPL-2.0-only
"""The engine compiles without a warning, and the cache of compiled objects is neither stale nor anybody else's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from landlock_bpf import compiler, errors, hooks, program, template


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the engine in it, to copy: each compile takes seconds."""
    folder = tmp_path_factory.mktemp("warm") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDLOCK_BPF_CACHE", str(folder))
        compiler.compile_engine()
    return folder


@pytest.fixture
def cache(warm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    shutil.copytree(warm, folder)
    monkeypatch.setenv("LANDLOCK_BPF_CACHE", str(folder))
    return folder


def test_engine_compiles_without_a_warning(tmp_path: Path) -> None:
    source = template.render(compiler.source_dir() / compiler.ENGINE, hooks=hooks.HOOKS)
    compiled = tmp_path / "engine.o"
    compiler.compile_source(source, compiled, include=(compiler.source_dir(),), flags=("-Werror",))
    with program.Object.open_file(compiled) as description:
        sections = {description.section(name) for name in description.program_names()}
    assert sections >= {f"{row.kind}/{row.name}" for row in hooks.HOOKS}


def test_engine_is_compiled_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (compiled,) = cache.glob("*.o")
    assert set(cache.iterdir()) == {compiled, compiled.with_suffix(".bpf.c")}, "nothing half-made is left"

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(compiler, "compile_source", refuse)
    monkeypatch.setattr(template, "render", refuse)
    assert compiler.compile_engine() == compiled


def test_key_follows_each_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tmp_path / "bpf"
    sources.mkdir()
    for name in (compiler.ENGINE, compiler.QUESTIONS, "abi.h", "other.h"):
        (sources / name).write_text("one")
    monkeypatch.setattr(compiler, "source_dir", lambda: sources)
    clang = compiler.find_clang()
    keys = {compiler._key(clang)}
    for name in (compiler.ENGINE, compiler.QUESTIONS, "abi.h", "other.h"):
        (sources / name).write_text("two")
        keys.add(compiler._key(clang))
    assert len(keys) == 5


def test_refusal_carries_the_words_of_clang_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(errors.CompileError, match="use of undeclared identifier 'nothing'"):
        compiler.compile_source("int wrong(void) { return nothing; }", tmp_path / "wrong.o")
    assert list(tmp_path.iterdir()) == []


only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root loads objects; run the tests in the VM: vm/test")


@only_root
@pytest.mark.parametrize("writable", ["folder", "object", "above"])
def test_object_that_another_user_could_write_is_refused(cache: Path, writable: str) -> None:
    compiled = compiler.compile_engine()
    {"folder": cache, "object": compiled, "above": cache.parent}[writable].chmod(0o777)
    with pytest.raises(errors.PrivilegeError, match="can be written by another user"):
        compiler.compile_engine()


@only_root
def test_object_of_another_user_is_refused(cache: Path) -> None:
    os.chown(compiler.compile_engine(), 12345, 12345)
    with pytest.raises(errors.PrivilegeError, match="can be written by another user"):
        compiler.compile_engine()


def test_newest_clang_is_found_without_a_plain_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.UnsupportedError, match="apt-get install clang"):
        compiler.find_clang()
    for name in ("clang-9", "clang-14", "clang-format-19", "clang-cpp-15"):
        (tmp_path / name).touch(mode=0o755)
    assert compiler.find_clang() == tmp_path / "clang-14"


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LANDLOCK_BPF_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(errors.KernelError, match="ENOTDIR.*; set LANDLOCK_BPF_CACHE to"):
        compiler.compile_engine()
