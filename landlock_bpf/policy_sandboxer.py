# SPDX-License-Identifier: GPL-2.0-only
"""The variables of the kernel's sandboxer, LL_FS_RO and LL_FS_RW: of the environment, or as assignments in a file.

Facts are of samples/landlock/sandboxer.c: both must be set, an empty one allows nothing; paths have colons between; RO is
reading and executing, RW is all rights, of which a file has those that make sense on it; all rights are handled. What differs:
a path that is missing is a mistake here, while the sandboxer goes on without it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from landlock_bpf import (
    abi,
    policy,
    policy_actions,
    policy_cover,
    policy_format,
    policy_shell,
    policy_source,
    policy_upstream,
    policy_variables,
)
from landlock_bpf.policy_format import Leaf
from landlock_bpf.policy_reader import Reader

READ_ONLY = policy_actions.READ | abi.Action.EXECUTE
SETS: Mapping[str, abi.Action] = {"LL_FS_RO": READ_ONLY, "LL_FS_RW": policy_actions.LANDLOCK}
# Set, even if empty, each of the first restricts something; scopes do if there are any. The rest is about logs alone.
_PORTS = re.compile(r"LL_(?:TCP|UDP)_\w+")
_SCOPES = "LL_SCOPED"
_NEEDLESS = re.compile(r"LL_FORCE_LOG|LL_\w*QUIET\w*")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


def from_environment(environ: Mapping[str, str]) -> policy.Policy:
    """Make a policy of the variables of an environment; others in it are nobody's business."""
    reader = Reader("environment", policy_variables.User({}))
    return _meaning(reader, {name: Leaf(value, 0, name) for name, value in environ.items() if name.startswith("LL_")})


def read(text: str, file: str) -> policy.Policy:
    """Read assignments, in a shell's quotes, with or without export."""
    reader = Reader(file, policy_variables.User({}))
    variables: dict[str, Leaf] = {}
    for word in policy_shell.split(text, file):
        if word.value == "export":
            continue
        found = _ASSIGNMENT.fullmatch(str(word.value))
        if not found:
            what = f"{policy_source.quote(word.value)} is not an assignment"
            reader.report(word.line, "", what, "leave it out: a command is named to `run`, after --")
        elif found[1] in variables:
            reader.report(word.line, found[1], "is set twice", "keep one of them")
        elif not _is_known(found[1]):
            what = f"{policy_source.quote(found[1])} is no variable of the sandboxer's"
            reader.report(word.line, "", what, policy_actions.suggestion(found[1], (*SETS, _SCOPES)))
        else:
            variables[found[1]] = Leaf(found[2], word.line, found[1])
    return _meaning(reader, variables)


def write(made: policy.Policy) -> str:
    """Write what this form can say of a policy: one assignment a line, quoted for a shell."""
    covered = policy_cover.cover(made, SETS, separator=":")
    return "".join(f"{name}={shlex.quote(':'.join(paths)) if paths else ''}\n" for name, paths in covered.items())


def _is_known(name: str) -> bool:
    return name in SETS or name == _SCOPES or bool(_PORTS.fullmatch(name) or _NEEDLESS.fullmatch(name))


def _meaning(reader: Reader, variables: Mapping[str, Leaf]) -> policy.Policy:
    rules = []
    for name, leaf in variables.items():
        if _PORTS.fullmatch(name):
            reader.wrong(leaf, policy_format.NETWORK, f"unset it (an empty list denies every port), or {policy_format.INSTEAD}")
        elif name == _SCOPES and leaf.value:
            reader.wrong(leaf, policy_format.SCOPES, f"unset it, or {policy_format.INSTEAD}")
    for name, rights in SETS.items():
        if name not in variables:
            reader.report(0, name, "is not set", "set it (after sudo, which passes none on); an empty one allows nothing")
            continue
        leaf = variables[name]
        for number, path in enumerate(str(leaf.value).split(":") if leaf.value else (), 1):
            if not path:
                reader.wrong(leaf, f"path {number} of it is empty", "leave one colon between two paths, and none around them")
                continue
            for usable in reader.anchored(Leaf(path, leaf.line, name)):
                # In a file the line; in the environment, the place in the list.
                location = policy.Location(reader.file, leaf.line) if leaf.line else policy.Location(name, number)
                rules.append(policy.Rule(usable, rights, policy.NOTHING, location, key=name))
    return policy_upstream.finish(reader, policy_actions.LANDLOCK, rules)
