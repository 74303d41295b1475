# SPDX-License-Identifier: GPL-2.0-only
"""Policies named on the command line: each is a layer, and all layers must allow."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from landlock_bpf import errors, policy


def add_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "-p", "--policy", dest="policies", metavar="POLICY", type=Path, action="append", default=[], required=required,
        help="a policy file, TOML or landlockconfig's JSON; several are several layers: all must allow",
    )  # fmt: skip


def load(paths: Iterable[Path]) -> tuple[policy.Policy, ...]:
    """Read policy files in order; raises PolicyError with the problems of all of them."""
    layers: list[policy.Policy] = []
    problems: list[errors.Problem] = []
    for path in paths:
        try:
            layers += policy.load(path, os.environ)
        except errors.PolicyError as error:
            problems += error.problems
    if problems:
        raise errors.PolicyError(problems)
    return tuple(layers)
