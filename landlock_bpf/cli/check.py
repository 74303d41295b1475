# SPDX-License-Identifier: GPL-2.0-only
"""Find the mistakes of policy files and of rule programs: all of them, with file, line and remedy. Nothing is enforced.

The paths of a policy are looked up on this host, as far as the caller may, whatever is wrong with other rules: a permission for
what is missing is a mistake. A syntax error hides all else, and a wrong word what hangs on it. Whether a filesystem can be
ruled on is asked of the kernel when the policy is attached. Rule programs (RULE.c) are compiled, together as one layer, and
their subtypes and helper calls checked; the kernel's verifier sees them when they are loaded.

A policy is a file in one of these forms, which shows in its text: TOML; landlockconfig's JSON; OCI's config.json with
process.landlock, or that object alone; options of setpriv(1), --landlock-access and --landlock-rule; options of landrun, --ro
and the like; assignments to LL_FS_RO and LL_FS_RW, as the kernel's sandboxer has them. env: stands for these two in the
environment; a file of that name is called by its whole path.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from landlock_bpf import errors, identity, policy, policy_description, resolution, ways
from landlock_bpf.cli import layers

EXAMPLES = """\
examples:
  landlock-bpf check policies/home-minus-ssh.toml
  landlock-bpf check policies/rules/read-only.c
  LL_FS_RO=/usr:/etc LL_FS_RW=/tmp landlock-bpf check env:
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "policies", metavar="POLICY|RULE.c", nargs="+", type=Path,
        help="a policy file in any of the forms above, or the C source of rule programs",
    )  # fmt: skip
    parser.add_argument(
        "--loader", choices=layers.LOADERS, default=layers.LOADERS[0], help="what compiles rule programs (default: libbpf)"
    )


def main(args: argparse.Namespace) -> int:
    problems: list[errors.Problem] = []
    refused: errors.CompileError | None = None
    for path in args.policies:
        if path.suffix != ".c":
            problems += _check(path)
    rules = [path for path in args.policies if path.suffix == ".c"]
    if rules:
        # Imported here because policies need neither a compiler nor a loader.
        from landlock_bpf import loader, rule_program

        try:
            print(rule_program.describe(rule_program.compile(rules, loader.choose(args.loader))))
        except errors.PolicyError as error:
            problems += error.problems
        except errors.CompileError as error:
            refused = error
    if refused:
        raise errors.CompileError(refused.what, "\n".join([refused.words, *map(str, problems)]))
    if problems:
        raise errors.PolicyError(problems)
    return 0


def _check(path: Path) -> list[errors.Problem]:
    """Describe a policy, or give all that is wrong with it, in the order of its lines."""
    problems: list[errors.Problem] = []
    found: policy.Policy | None
    try:
        (found,) = policy.load(path)
    except errors.PolicyError as error:
        problems += error.problems
        found = error.rest if isinstance(error, policy.UnfitError) else None
    if found:
        try:
            with ways.Filesystems() as filesystems:
                (layer,) = resolution.resolve([found], found.name, 0, _identify, filesystems)
        except errors.PolicyError as error:
            problems += error.problems
    if found and not problems:
        print(policy_description.describe(found))
        layers.tell(layer.notes)
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.line)


def _identify(fds: Iterable[int]) -> identity.Names:
    """Name objects without the kernel's help: enough to tell directories, files and links apart, not to tie rules to them."""
    return identity.Names.of(_named(fd, os.fstat(fd)) for fd in fds)


def _named(fd: int, status: os.stat_result) -> identity.Named:
    known = next(iter(identity.STABLE))
    return identity.Named(
        fd, status.st_mode, identity.OBJECT.pack(status.st_ino, 0, 1, 0), identity.NOTHING, identity.NOTHING, known, 1, 1
    )
