# SPDX-License-Identifier: GPL-2.0-only
"""`landlock-bpf bench`: what one open+close costs unrestricted, under the landlock system calls and under our engine."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `bench`."""
    parser.add_argument("--json", metavar="OUT", help="also write every figure to this file")
    parser.add_argument("--quick", action="store_true", help="only the rows that a target speaks of")
    parser.add_argument("--only", choices=("syscalls", "engine"), help="leave the other mechanism out")


def main(args: argparse.Namespace) -> int:
    """Measure and print; raises Error where this machine cannot."""
    from landlock_bpf.bench import session  # the measuring modules: not for other subcommands to load

    return session.run(args)
