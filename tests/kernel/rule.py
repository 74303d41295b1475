# SPDX-License-Identifier: GPL-2.0-only
"""Rules and policies as tests write them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from landlock_bpf import abi, marking, policy, rule_request, ruleset

# The fixture attach(*policies, cgroup=): gives the name of the domain it made.
Attach = Callable[..., str]
NOTHING = abi.Action(0)
PROGRAMS = Path(__file__).with_name("rules")
LOADERS = ("libbpf", "bcc")
_lines = itertools.count(1)


def allow(path: Path | str, actions: abi.Action) -> policy.Rule:
    return policy.Rule(str(path), actions, NOTHING, policy.Location("test", next(_lines)), NOTHING)


def deny(path: Path | str, actions: abi.Action, *names: str, commands: tuple[int, ...] = ()) -> policy.Rule:
    return policy.Rule(str(path), NOTHING, actions, policy.Location("test", next(_lines)), NOTHING, names, commands)


def make(
    handled: abi.Action, *rules: policy.Rule, default: str = "deny", name: str = "test", permissive: bool = False
) -> policy.Policy:
    return policy.Policy(name, handled, default, rules, "test", permissive=permissive)


def unreadable(path: Path) -> policy.Policy:
    """Make a policy that denies to read a file, and nothing else."""
    return make(abi.Action.READ_FILE, deny(path, abi.Action.READ_FILE), default="allow")


def programs(
    *names: str | Path, loader: str = "libbpf", attach: str = ruleset.ENGINE, trees: marking.Trees | None = None
) -> rule_request.Request:
    """Compile rule programs: those of rules/ by their names, others by their paths."""
    from landlock_bpf import loader as loaders
    from landlock_bpf import rule_program

    paths = [name if isinstance(name, Path) else PROGRAMS / f"{name}.c" for name in names]
    compiled = rule_program.compile(paths, loaders.choose(loader))
    return rule_request.Request(compiled, loader, attach, trees or {})
