# SPDX-License-Identifier: GPL-2.0-only
"""The rule sources that ship, a course in rule programs; `python -m landlock_bpf.course` compiles them beforehand."""

from __future__ import annotations

from pathlib import Path

from landlock_bpf import compiler, loader_libbpf, rule_program, ruleset


def sources() -> tuple[Path, ...]:
    """Give the paths of all lessons."""
    return tuple(sorted(_folder().glob("*.c")))


def source(name: str) -> Path:
    """Give the path of one."""
    return _folder() / name


def compile_all() -> list[Path]:
    """Compile each as a layer of its own; call it before a guest boots, whose compiler would take long."""
    chosen = loader_libbpf.Loader()
    layers = [rule_program.compile((path,), chosen) for path in sources()]
    return [*chosen.checked, *(loader_libbpf.compile_layer(layer, ruleset.ENGINE) for layer in layers)]


def _folder() -> Path:
    return compiler.policies_dir() / "rules"


if __name__ == "__main__":
    print(*compile_all(), sep="\n")
