# SPDX-License-Identifier: GPL-2.0-only
"""Find the mistakes of policy files: all of them, with file, line, key and remedy. Nothing is enforced.

The paths are looked up on this host, as far as the caller may: a permission for what is missing is a mistake. Whether a
filesystem can be ruled on is asked of the kernel when the policy is attached.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from landlock_bpf import errors, identity, policy, resolution
from landlock_bpf.cli import layers

EXAMPLES = """\
example:
  landlock-bpf check policies/home-minus-ssh.toml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policies", metavar="POLICY", nargs="+", type=Path, help="a policy file, TOML or landlockconfig's JSON")


def main(args: argparse.Namespace) -> int:
    problems: list[errors.Problem] = []
    for path in args.policies:
        try:
            for checked in layers.load([path]):
                with resolution.Filesystems() as filesystems:
                    resolution.resolve([checked], checked.name, 0, _identify, filesystems)
                print(policy.describe(checked))
        except errors.PolicyError as error:
            problems += error.problems
    if problems:
        raise errors.PolicyError(problems)
    return 0


def _identify(fds: Iterable[int]) -> dict[int, identity.Named]:
    """Name objects without the kernel's help: enough to tell directories, files and links apart, not to tie rules to them."""
    return {fd: _named(fd, os.fstat(fd)) for fd in fds}


def _named(fd: int, status: os.stat_result) -> identity.Named:
    known = next(iter(identity.STABLE))
    return identity.Named(
        fd, status.st_mode, identity.OBJECT.pack(status.st_ino, 0, 1, 0), identity.NOTHING, identity.NOTHING, known, 1, 1
    )
