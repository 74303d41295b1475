# SPDX-License-Identifier: GPL-2.0-only
"""Replace the policies of a domain. Each access is decided by the old ones or by the new ones, whole, never by neither."""

from __future__ import annotations

import argparse

from landlock_bpf import cli, controller
from landlock_bpf.cli import layers

EXAMPLES = """\
example:
  sudo landlock-bpf update workshop -p policies/home-minus-ssh.toml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the domain")
    layers.add_arguments(parser, required=True)


def main(args: argparse.Namespace) -> int:
    policies = layers.load(args.policies)
    cli.require_root()
    with controller.Controller.open() as live:
        live.update(args.name, policies)
    return 0
