# SPDX-License-Identifier: GPL-2.0-only
"""Imports go one way: from what people call down to the numbers, and what needs no root loads nothing that does."""

from __future__ import annotations

import ast
from pathlib import Path

import landlock_bpf

PACKAGE = Path(landlock_bpf.__file__).parent
KERNEL = {"bpf", "libbpf", "maps", "engine", "program", "ringbuf", "btf"}


def imports(path: Path) -> set[str]:
    """Name the modules of the package that a module imports when it is imported itself."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "landlock_bpf":
            folder = ".".join(node.module.split(".")[1:])
            names = {f"{folder}.{alias.name}" if folder else alias.name for alias in node.names}
            # `from landlock_bpf.abi import Action` is an import of abi.
            found |= {name if (PACKAGE / (name.replace(".", "/") + ".py")).exists() else folder or name for name in names}
    return found


GRAPH = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): imports(path)
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
}


def reached(module: str) -> set[str]:
    seen: set[str] = set()
    left = [module]
    while left:
        for name in GRAPH.get(left.pop(), ()):
            if name not in seen:
                seen.add(name)
                left.append(name)
    return seen


def test_the_graph_is_that_of_the_package() -> None:
    assert {"engine", "policy", "attachment"} <= reached("controller")
    assert "abi" in GRAPH["hooks"]


def test_no_module_imports_itself_through_others() -> None:
    assert [module for module in GRAPH if module in reached(module)] == []


def test_only_the_command_line_knows_the_command_line() -> None:
    assert [
        module for module, names in GRAPH.items() if "cli" in {n.split(".")[0] for n in names} and module.split(".")[0] != "cli"
    ] in (
        [],
        ["__main__"],
    )


def test_values_are_made_without_the_kernel() -> None:
    for module in ("policy", "ruleset", "hooks", "errors", "abi"):
        assert not reached(module) & KERNEL, module
