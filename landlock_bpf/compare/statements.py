# SPDX-License-Identifier: GPL-2.0-only
"""What a policy wants of the scene's folders, in words so plain that every mechanism has some of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

from landlock_bpf import compiler, policy
from landlock_bpf.abi import Action
from landlock_bpf.compare.scene import EVERYTHING, RO, SECRET, WORK, Statement

DEFAULT = compiler.policies_dir() / "compare.toml"
# By these a folder is taken to be readable, writable, and its metadata changeable.
_SIGNS = Action.READ_FILE, Action.WRITE_FILE, Action.CHMOD


def load(path: Path, root: Path) -> tuple[policy.Policy, ...]:
    """Read a policy in which ${PWD} is the scene's root."""
    full = path.absolute()
    with contextlib.chdir(root):
        return policy.load(full)


def name_of(path: Path) -> str:
    """Name a policy's file: one that ships by where it lies in the project, on whatever machine."""
    shipped = compiler.policies_dir()
    return str(path.relative_to(shipped.parent) if path.is_relative_to(shipped) else path)


def of(policies: tuple[policy.Policy, ...], root: Path) -> tuple[Statement, ...]:
    """Give what policies say of all and of each of the scene's folders."""
    places = {EVERYTHING: Path("/"), **{name: root / name for name in (WORK, SECRET, RO)}}
    return tuple(
        Statement(name, *(all(_allows(each, path, sign) for each in policies) for sign in _SIGNS))
        for name, path in places.items()
    )


def _allows(said: policy.Policy, path: Path, action: Action) -> bool:
    if not said.handled & action:
        return True
    rules = {Path(rule.path): rule for rule in said.rules if not rule.names}
    for each in (path, *path.parents):
        rule = rules.get(each)
        if rule and action & (rule.allowed | rule.denied):
            return not action & rule.denied
    return bool(said.default_allow & action)
