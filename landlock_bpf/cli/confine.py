# SPDX-License-Identifier: GPL-2.0-only
"""Put a running process under policies and rule programs, as a further layer, with all that it forks from now on.

No cgroup is involved: the process stays confined wherever it is moved, until it ends. Children that it has already are not
confined, nor are files that it has open: those that the policies deny are listed, or with --strict nothing is done. All
its threads enter, or with --thread one alone. Unlike `run`, this sets no no_new_privs: a setuid program that it executes
has that user's rights, within the policies.
"""

from __future__ import annotations

import argparse
import os

from landlock_bpf import cli, controller, threads
from landlock_bpf.cli import layers

EXAMPLES = """\
examples:
  sudo landlock-bpf confine $$ -p policies/home-minus-ssh.toml
  sudo landlock-bpf confine 4711 -r policies/rules/read-only.c --name intern
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pid", metavar="PID", type=int, help="the process")
    layers.add_arguments(parser)
    parser.add_argument("--thread", metavar="TID", type=int, default=0, help="only this thread of the process")
    parser.add_argument("--name", help="name of the domain, for the other subcommands (default: one is made)")
    parser.add_argument("--strict", action="store_true", help="refuse while the process has files in denied places open")


def main(args: argparse.Namespace) -> int:
    layers.require(args)
    policies, rules = layers.load_policies(args), layers.load_rules(args)
    cli.require_root()
    pidfd = threads.open_process(args.pid)
    try:
        with controller.Controller.open() as live, layers.told(args):
            made = live.confine(pidfd, policies, args.name, thread=args.thread, rules=rules, strict=args.strict)
    finally:
        os.close(pidfd)
    layers.tell(made.notes, made.held)
    return 0
