# SPDX-License-Identifier: GPL-2.0-only
"""Put policies and rule programs in force on a cgroup and on all cgroups beneath it, those made later included.

Every process there is confined from then on, until `detach`: nothing of ours needs to keep running. Files that are open
already stay usable; those that point into what is denied are listed, or with --strict nothing is attached.

Nobody inside gets out by himself. Whom somebody outside moves to another cgroup has left the domain, unless it is --sticky:
then whoever has ever been in it stays, with what he forks, until it is detached.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from landlock_bpf import cli, controller
from landlock_bpf.cli import layers

EXAMPLES = """\
example:
  sudo mkdir /sys/fs/cgroup/workshop
  sudo landlock-bpf attach -p policies/home-minus-ssh.toml --cgroup /sys/fs/cgroup/workshop --name workshop
  echo $$ | sudo tee /sys/fs/cgroup/workshop/cgroup.procs
  sudo landlock-bpf attach -r policies/rules/ioctl-list.c --attach auto --cgroup /sys/fs/cgroup/workshop --name ioctls
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    layers.add_arguments(parser)
    parser.add_argument("--cgroup", metavar="PATH", type=Path, required=True, help="directory of the cgroup (version 2)")
    parser.add_argument("--name", required=True, help="name of the domain, for the other subcommands")
    parser.add_argument("--sticky", action="store_true", help="members stay in the domain wherever anybody moves them")
    parser.add_argument("--strict", action="store_true", help="refuse while files in denied places are open in the cgroup")


def main(args: argparse.Namespace) -> int:
    layers.require(args)
    policies, rules = layers.load_policies(args), layers.load_rules(args)
    cli.require_root()
    with controller.Controller.open() as live, layers.told(args):
        attached = live.attach(args.name, policies, args.cgroup, strict=args.strict, sticky=args.sticky, rules=rules)
    layers.tell(attached.notes, attached.held)
    return 0
