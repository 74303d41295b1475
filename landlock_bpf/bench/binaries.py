# SPDX-License-Identifier: GPL-2.0-only
"""What is compiled for this machine, once: the measured operations, and what is executed. `python -m` does so beforehand."""

from __future__ import annotations

import dataclasses
import subprocess
import tempfile
from pathlib import Path

from landlock_bpf import compiler, course, errors, loader_libbpf, rule_program, rule_request, ruleset
from landlock_bpf.bench import empty

HERE = Path(__file__).resolve().parent
FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror")
RULE = HERE / "allow.c"
RULES = (1, 8)
LOADER = "libbpf"


@dataclasses.dataclass(frozen=True)
class Binary:
    """A C file of this folder, and how it is compiled; `suffix` is that of the result."""

    source: str
    flags: tuple[str, ...]
    suffix: str = ""


LIBRARY = Binary("operations.c", ("-shared", "-fPIC"), ".so")
PROGRAM = Binary("operations.c", ("-static", "-DPROGRAM"))
NOTHING = Binary("nothing.c", ("-static", "-nostdlib"))
RESTRICT = Binary("restrict.c", ("-static",))
BINARIES = (LIBRARY, PROGRAM, NOTHING, RESTRICT)


def compile(wanted: Binary) -> Path:
    """Compile one, or find it compiled before; gives its path. Raises CompileError with clang's words."""
    clang, source = compiler.find_clang(), HERE / wanted.source

    def make(compiled: Path) -> None:
        with tempfile.TemporaryDirectory(dir=compiled.parent, prefix=".compile-") as name:
            made = Path(name) / compiled.name
            command = [str(clang), *FLAGS, *wanted.flags, "-o", str(made), str(source)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise errors.CompileError(f"{clang} refuses {source.name}", done.stderr.strip())
            made.replace(compiled)

    parts = (*FLAGS, *wanted.flags, compiler.clang_version(clang), source.read_text())
    return compiler.find_compiled(source.stem, parts, make, wanted.suffix)


def rules(count: int) -> rule_program.RuleLayer:
    """Compile a layer of so many rule programs, all alike, which allow everything."""
    return rule_request.compile((RULE,) * count, LOADER)


def course_rule(name: str) -> rule_program.RuleLayer:
    """Compile one of the rule sources that ship."""
    return rule_request.compile((course.source(name),), LOADER)


def compile_all() -> list[Path]:
    """Compile all; call it before a guest boots, whose compiler would take long."""
    chosen = loader_libbpf.Loader()
    layers = [rule_program.compile((RULE,) * count, chosen) for count in RULES]
    compiled = (loader_libbpf.compile_layer(layer, ruleset.ENGINE) for layer in layers)
    return [*map(compile, BINARIES), empty.compile(), *chosen.checked, *compiled]


if __name__ == "__main__":
    print(*compile_all(), sep="\n")
