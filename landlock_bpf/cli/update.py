# SPDX-License-Identifier: GPL-2.0-only
"""Replace all that a domain was given, policies and rule programs. Each access is decided by the old or the new, whole.

With --view alone its rule programs stay, and other objects are marked.
"""

from __future__ import annotations

import argparse

from landlock_bpf import cli, controller, marking
from landlock_bpf.cli import layers

EXAMPLES = """\
example:
  sudo landlock-bpf update workshop -p policies/home-minus-ssh.toml
  sudo landlock-bpf update trees --view trees=ro:/usr:/etc,rw:/tmp
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the domain")
    layers.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    only_views = args.views and not (layers.has_policies(args) or args.rules)
    if only_views:
        trees = marking.parse(args.views)
        cli.require_root()
        with controller.Controller.open() as live:
            live.mark(args.name, trees)
        return 0
    layers.require(args)
    policies, rules = layers.load_policies(args), layers.load_rules(args)
    cli.require_root()
    with controller.Controller.open() as live, layers.told(args):
        updated = live.update(args.name, policies, rules=rules)
    layers.tell(updated.notes)
    return 0
