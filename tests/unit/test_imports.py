# SPDX-License-Identifier: GPL-2.0-only
"""Imports go one way: from what people call down to the numbers, and what needs no root loads nothing that does."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

import landlock_bpf

PACKAGE = Path(landlock_bpf.__file__).parent

# From the bottom up. A module imports from its own layer and from those before it, never from one after it.
LAYERS = (
    ("numbers and words", ("abi", "errors", "identity", "paths", "rows", "source_text", "terminal")),
    (
        "values",
        (
            "access",
            "action_table",
            "hooks",
            "invoker",
            "ioctl_commands",
            "merging",
            "mountinfo",
            "names",
            "pathname",
            "questions",
            "ruleset",
        ),
    ),
    (
        "policies",
        (
            "action_catalogue",
            "builder",
            "catalogue",
            "learning",
            "policy",
            "policy_actions",
            "policy_addition",
            "policy_conversion",
            "policy_cover",
            "policy_description",
            "policy_difference",
            "policy_format",
            "policy_forms",
            "policy_landrun",
            "policy_oci",
            "policy_reader",
            "policy_sandboxer",
            "policy_schema",
            "policy_setpriv",
            "policy_shell",
            "policy_source",
            "policy_upstream",
            "policy_variables",
            "policy_writer",
        ),
    ),
    (
        "resolution",
        (
            "ascent",
            "covering",
            "entries",
            "explanation",
            "flocks",
            "hardlinks",
            "marking",
            "mounts",
            "name_rules",
            "objections",
            "overlays",
            "realpaths",
            "resolution",
            "route",
            "showing",
            "spellings",
            "ways",
        ),
    ),
    ("sources", ("compiler", "elf", "template", "verifier")),
    (
        "rule sources",
        (
            "rule_calls",
            "rule_headers",
            "rule_lines",
            "rule_names",
            "rule_outline",
            "rule_program",
            "rule_renaming",
            "rule_scanner",
            "rule_source",
            "rule_subtype",
            "rule_text",
        ),
    ),
    ("system calls", ("bpf", "btf", "cgroup", "landlock", "launch", "libbpf", "libc", "maps", "ringbuf", "statfs")),
    ("uses of them", ("explainer", "grace", "identifier", "judge", "layout", "program")),
    ("engine", ("abigen", "engine", "features", "installation")),
    ("loaders of rule programs", ("course", "loader", "loader_bcc", "loader_libbpf")),
    (
        "domains",
        (
            "amendment",
            "approach",
            "change",
            "descriptors",
            "domain",
            "fsview",
            "inheritance",
            "naming",
            "record",
            "rule_slots",
            "sweep",
            "threads",
            "views",
        ),
    ),
    (
        "commands on domains",
        ("asker", "attachment", "confinement", "inventory", "name_ways", "rule_request", "turn", "unasked"),
    ),
    ("controller", ("canary", "controller", "events", "live_domain", "recording")),
    ("measuring", ("apparmor", "bench", "bubblewrap", "compare", "conditions", "progress")),
    ("experiments", ("lab",)),
    ("command line", ("__main__", "cli")),
)
NO_ROOT = ("numbers and words", "values", "policies", "resolution", "sources", "rule sources")
RANK = {module: rank for rank, (_name, modules) in enumerate(LAYERS) for module in modules}


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# The package itself, which everything imports, is "" and holds its version alone.
MODULES = {module_of(path): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}


@functools.cache
def imports(module: str, *, late: bool) -> frozenset[str]:
    """Name the modules of the package that a module imports, those in functions and for types alone too if `late`."""
    found: set[str] = set()
    for node in ast.walk(MODULES[module]) if late else MODULES[module].body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import: write from landlock_bpf import ..."
            # `from landlock_bpf.abi import Action` is an import of abi, `from landlock_bpf import abi` too.
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name.partition(".")[2] in MODULES else str(node.module) for name in full}
    ours = {name.partition(".")[2] for name in found if name.partition(".")[0] == "landlock_bpf"}
    return frozenset(ours - {"", module})


def rank(module: str) -> int:
    return RANK[module.partition(".")[0]]


def reached(module: str) -> set[str]:
    seen: set[str] = set()
    left = [module]
    while left:
        for name in imports(left.pop(), late=False) - seen:
            seen.add(name)
            left.append(name)
    return seen


def test_each_module_is_in_one_layer() -> None:
    named = [module for _name, modules in LAYERS for module in modules]
    assert sorted(named) == sorted({module.partition(".")[0] for module in MODULES} - {""})


def test_imports_are_seen() -> None:
    # Were the search blind, nothing here could fail.
    assert imports("hooks", late=False) == {"abi"}
    assert "cli.layers" in imports("cli.run", late=False)
    assert "layout" in imports("engine", late=True) - imports("engine", late=False)
    assert {"engine", "policy", "libbpf"} <= reached("controller")


@pytest.mark.parametrize("module", sorted(set(MODULES) - {""}))
def test_a_module_imports_nothing_from_above(module: str) -> None:
    assert {name for name in imports(module, late=True) if rank(name) > rank(module)} == set()


def test_no_module_imports_itself_through_others() -> None:
    assert [module for module in MODULES if module and module in reached(module)] == []


@pytest.mark.parametrize("module", [module for name, modules in LAYERS if name in NO_ROOT for module in modules])
def test_what_needs_no_root_loads_nothing_of_the_kernel(module: str) -> None:
    assert "libbpf" not in reached(module)
