# SPDX-License-Identifier: GPL-2.0-only
"""`landlock-bpf bench`: what operations cost unrestricted, under the landlock system calls, under our engine and its like."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `bench`."""
    parser.add_argument("--json", metavar="OUT", type=Path, help="also write every figure to this file")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="also write the tables into their section of FILE")
    parser.add_argument("--load", metavar="JSON", type=Path, help="measure nothing: take the figures that --json wrote")
    parser.add_argument("--check", metavar="FILE", type=Path, help="only tell which sections of FILE are of another engine")
    parser.add_argument("--quick", action="store_true", help="only the rows that a target speaks of")
    parser.add_argument("--only", choices=("syscalls", "engine"), help="leave the other mechanism out")


def main(args: argparse.Namespace) -> int:
    """Measure and print; raises Error where this machine cannot."""
    from landlock_bpf.bench import session  # the measuring modules: not for other subcommands to load

    return session.run(args)
