# SPDX-License-Identifier: GPL-2.0-only
"""Objections to rules: what is wrong with the object of one, and the remedy."""

from __future__ import annotations

from landlock_bpf import abi, action_table, names, policy, ways

_FILE = int(action_table.FILE)
Objection = tuple[str, str]


def to(rule: policy.Rule, way: ways.Found, unstable: set[str]) -> Objection | None:
    """Say what is wrong with the object of a rule, and the remedy; None if it can be ruled on."""
    if rule.inode and (not isinstance(way, ways.Way) or way.inode != rule.inode):
        what = "does not lead to what its rule was opened on"
        return what, "open that anew, no link to it, and make the policy right before it is put in force"
    if not isinstance(way, ways.Way):
        return _missing(rule, way)
    for named in way.places:
        if named.refusal:
            return named.refusal, "put the rule on an object of another filesystem"
    if rule.path in unstable:
        what = f"is on a filesystem of type {way.last.magic:#x}, which names an object anew once it has left the cache"
        return what, "put the rule on an object of another filesystem"
    if way.missing or rule.names:
        return _wrong_name(rule, way)
    return to_type(rule, directory=way.last.directory)


def to_type(rule: policy.Rule, *, directory: bool) -> Objection | None:
    """Say whether a rule is wrong about the type of its object, and the remedy."""
    if directory:
        return None
    ruled = int(rule.allowed) | int(rule.denied)
    stray = ruled & int(rule.explicit) & ~_FILE
    if stray:
        return f"is not a directory, and {', '.join(action_table.names(stray))} is asked of directories", "leave it out"
    if ruled and not ruled & _FILE:
        return "is not a directory, and all actions of its rule are asked of directories", "name the directory"
    return None


def _wrong_name(rule: policy.Rule, way: ways.Way) -> Objection | None:
    """Say that of a rule on names."""
    if rule.names and way.missing:
        return "does not exist, and names are looked for beneath what does", "create it first, or name a directory above it"
    if rule.allowed or not rule.denied:
        return "does not exist, and only what exists can be allowed", "create it first, or leave the permission out"
    if not way.last.directory:
        return "is not a directory, and has no names beneath it", "name the directory"
    if len(way.missing) > abi.Limit.MISSING:
        what = f"does not exist, nor do the {len(way.missing) - 1} directories above it"
        return what, f"at most {int(abi.Limit.MISSING)} names of a path may be missing: create some of them first"
    if any(len(name) > names.LONGEST for name in way.missing):
        return f"has a name of more than {names.LONGEST} bytes", "no filesystem has it; leave the rule out"
    if way.folding:
        return f"cannot be ruled on by name: {way.folding}", "create it first, or deny the directory"
    return None


def _missing(rule: policy.Rule, error: OSError) -> Objection:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return f"cannot be opened: {error.strerror}", "check the path as root"
    if rule.denied:
        return (
            "does not exist, and cannot as long as a part of it is no directory or ..",
            "leave the rule out, or mend the path",
        )
    return "does not exist, and only what exists can be allowed", "create it first, or leave the rule out"
