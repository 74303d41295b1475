# SPDX-License-Identifier: GPL-2.0-only
"""Add a rule to a domain in force, or remove one: at once, while its processes run. All its other rules stay as they are.

`rule add NAME` ties one rule or several to their objects and puts them beside those of the domain's policy; each access is
decided with all of them or with none. `rule remove NAME PATH` takes away what the policy says of PATH, as `show` has it.
"""

from __future__ import annotations

import argparse

from landlock_bpf import cli, controller, paths, policy
from landlock_bpf.cli import layers

EXAMPLES = """\
examples:
  sudo landlock-bpf rule add workshop --ro ~/handout --deny ~/handout/solutions
  sudo landlock-bpf rule add workshop --allow ~/handout:chmod,chown
  sudo landlock-bpf rule remove workshop ~/handout/solutions
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="change", metavar="add|remove", required=True)
    add = commands.add_parser("add", help="add rules to a domain", allow_abbrev=False)
    add.add_argument("name", metavar="NAME", help="name of the domain")
    layers.add_words(add)
    for option in ("allow", "deny"):
        add.add_argument(
            f"--{option}", metavar="PATH[:ACTIONS]", action="append", default=[],
            help=f"{option} ACTIONS, with commas between (default: all)",
        )  # fmt: skip
    remove = commands.add_parser("remove", help="remove what a domain's policy says of a path", allow_abbrev=False)
    remove.add_argument("name", metavar="NAME", help="name of the domain")
    remove.add_argument("path", metavar="PATH", help="the path, as `show` has it")
    for each in (add, remove):
        each.add_argument("--layer", metavar="N", type=int, help="which of several policies, by its number in `show`")
        each.set_defaults(parser=each)


def main(args: argparse.Namespace) -> int:
    if args.change == "add":
        wanted = _wanted(args)
        cli.require_root()
        with controller.Controller.open() as live:
            layers.tell(live.add_rules(args.name, wanted, args.layer).notes)
        return 0
    cli.require_root()
    with controller.Controller.open() as live:
        layers.tell(live.remove_rule(args.name, paths.absolute(args.path), args.layer).notes)
    return 0


def _wanted(args: argparse.Namespace) -> policy.Policy:
    words = (args.ro, args.rox, args.rw, args.rwx, args.deny, args.allow)
    if not any(words):
        args.parser.error("no rule: give --ro, --rox, --rw, --rwx, --allow or --deny")
    return policy.from_words(*words)
