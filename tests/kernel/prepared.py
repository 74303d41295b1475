# SPDX-License-Identifier: GPL-2.0-only
"""Compiles the rule programs of these tests, and prints the files: `vm/run --prepare`, for a guest's compiler takes long."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import rule

from landlock_bpf import compiler, course, loader, loader_libbpf, rule_program, ruleset

# Those that are loaded together, by libbpf; bcc's are compiled for the kernel that they are loaded into.
LAYERS = (
    ("both",),
    ("choose",),
    ("everything",),
    ("exclusive",),
    ("no_open",),
    ("no_write",),
    ("no_write_files",),
    ("nothing",),
    ("read_only",),
    ("shared",),
    ("view",),
    ("views",),
    ("nothing", "shared", "exclusive"),
    ("shared", "exclusive"),
    ("shared", "view"),
    ("view", "nothing"),
)
IN_CGROUPS = ("shared", "exclusive")  # also attached by the kernel itself
CHECKED_BY_BCC = ("choose", "no_open", "no_write", "read_only", "shared")


@contextlib.contextmanager
def noted(found: dict[Path, None]) -> Iterator[None]:
    """Note whatever is compiled, or was before."""
    find = compiler.find_compiled

    def note(*words: object) -> Path:
        path = find(*words)  # type: ignore[arg-type]
        found[path] = None
        return path

    with mock.patch.object(compiler, "find_compiled", note):
        yield


def main() -> None:
    found: dict[Path, None] = {}
    with noted(found):
        for names in LAYERS:
            layer = rule.programs(*names).layer
            loader_libbpf.compile_layer(layer, ruleset.ENGINE)
            if names[0] in IN_CGROUPS and len(names) == 1:
                loader_libbpf.compile_layer(layer, ruleset.LSM_CGROUP)
        for name in CHECKED_BY_BCC:
            rule.programs(name, loader=loader.BCC)
        for path in course.sources():
            rule_program.compile([path], loader.choose(loader.BCC))
    print(*found, sep="\n")


if __name__ == "__main__":
    main()
