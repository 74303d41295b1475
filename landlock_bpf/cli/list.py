# SPDX-License-Identifier: GPL-2.0-only
"""List the domains in force: their name, what they are tied to, and how many layers, rules and processes they have."""

from __future__ import annotations

import argparse

from landlock_bpf import abi, cli, controller, inventory, terminal
from landlock_bpf.cli import output

EXAMPLES = """\
example:
  sudo landlock-bpf list
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    output.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    cli.require_root()
    with controller.Controller.open() as live:
        domains = live.list()
    if args.json:
        output.print_json(domains)
        return 0
    rows = [(each.name, each.kind.name.lower(), each.layers, _rules(each), each.tasks, _place(each)) for each in domains]
    terminal.print_columns([("NAME", "KIND", "LAYERS", "RULES", "TASKS", "CGROUP"), *rows])
    return 0


def _rules(info: inventory.DomainInfo) -> str:
    """Count the rules, and those that ended with their filesystem: an `update` ties them anew."""
    return f"{info.rules} ({info.ended} ended)" if info.ended else str(info.rules)


def _place(info: inventory.DomainInfo) -> str:
    if info.cgroup:
        return str(info.cgroup)
    return "(removed)" if info.kind == abi.Kind.CGROUP or not info.maker else f"(process {info.maker})"
