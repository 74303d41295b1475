# SPDX-License-Identifier: GPL-2.0-only
"""The options of landrun, --ro, --rox, --rw and --rwx, as a file's words. As options of a command: policy.from_words().

Facts are of landrun (internal/sandbox/sandbox.go): it denies the network too, unless --unrestricted-network is given.
"""

from __future__ import annotations

import shlex

from landlock_bpf import (
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

_OPEN_NETWORK = "--unrestricted-network"
# Says nothing of what is allowed: the engine lacks no right that a best effort could leave out.
_BEST_EFFORT = "--best-effort"
# What a flag may be set to, as Go has it (strconv.ParseBool). Where one is given more than once, the last holds.
_TRUE = {"1", "t", "T", "true", "True", "TRUE"}
_FALSE = {"0", "f", "F", "false", "False", "FALSE"}
_PORTS = ("--bind-tcp", "--connect-tcp")


def read(text: str, file: str) -> policy.Policy:
    """Read the options in a file, on as many lines as wanted, after the word landrun or without it."""
    reader = Reader(file, policy_variables.User({}))
    rules: list[policy.Rule] = []
    open_network = False
    left = iter(policy_shell.split(text, file))
    for word in left:
        option, equals, value = str(word.value).partition("=")
        if option in policy.LANDRUN or option in _PORTS:
            following = Leaf(value, word.line, option) if equals else next(left, None)
            if option in _PORTS:
                reader.report(word.line, option, policy_format.NETWORK, policy_format.REMOVE)
            elif following is None:
                reader.report(word.line, option, "has no value", "write it after the option")
            else:
                rules += _rules(reader, Leaf(following.value, following.line, option))
        elif option in (_OPEN_NETWORK, _BEST_EFFORT):
            if equals and value not in _TRUE | _FALSE:
                remedy = f"write {option} alone, or {option}=true, or {option}=false"
                reader.report(word.line, option, f"{policy_source.quote(value)} is neither true nor false", remedy)
            elif option == _OPEN_NETWORK:
                open_network = not equals or value in _TRUE
        elif word.value != "landrun":
            what = f"{policy_source.quote(word.value)} is not one of landrun's options for files"
            reader.report(word.line, "", what, policy_actions.suggestion(option, policy.LANDRUN))
    if not open_network:
        what = f"denies every port, as {_OPEN_NETWORK} is missing, which {policy_format.NETWORK}"
        reader.report(0, "", what, f"add {_OPEN_NETWORK}, or {policy_format.INSTEAD}")
    return policy_upstream.finish(reader, policy_actions.CLASSIC, rules)


def write(made: policy.Policy) -> str:
    """Write what this form can say of a policy: one option a line, quoted for a shell."""
    covered = policy_cover.cover(made, policy.LANDRUN, separator=",")
    lines = [f"{option} {shlex.quote(path)}" for option, paths in covered.items() for path in paths]
    return "\n".join([_OPEN_NETWORK, *lines]) + "\n"


def _rules(reader: Reader, leaf: Leaf) -> list[policy.Rule]:
    location = policy.Location(reader.file, leaf.line)
    paths = (Leaf(path, leaf.line, leaf.key) for path in str(leaf.value).split(","))
    return [
        policy.Rule(usable, policy.LANDRUN[leaf.key], policy.NOTHING, location, key=leaf.key)
        for path in paths
        for usable in reader.anchored(path)
    ]
