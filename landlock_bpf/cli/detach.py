# SPDX-License-Identifier: GPL-2.0-only
"""End a domain: its processes are no longer confined by it, and hooks that no other domain needs are detached."""

from __future__ import annotations

import argparse

from landlock_bpf import cli, controller

EXAMPLES = """\
example:
  sudo landlock-bpf detach workshop
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the domain")


def main(args: argparse.Namespace) -> int:
    cli.require_root()
    with controller.Controller.open() as live:
        live.detach(args.name)
    return 0
