# SPDX-License-Identifier: GPL-2.0-only
"""Run a command under policies and rule programs, from its first instruction on.

The command and its children stay confined for as long as they live; when the last one has ended, nothing is left behind.
Under sudo the command runs as the user who called sudo, with that user's HOME, USER, LOGNAME and SHELL and otherwise sudo's
environment; unset SUDO_UID and SUDO_GID to run it as root. It has no_new_privs: setuid programs like sudo give no rights
inside. The terminal, ^C and ^Z included, works as without us; a signal sent to us is passed on.
"""

from __future__ import annotations

import argparse
import contextlib
import os

from landlock_bpf import cli, controller, errors, invoker, launch, policy
from landlock_bpf.cli import layers

EXAMPLES = """\
exit status: the command's own, or death by the same signal; 125 if we failed, 126 if the command cannot be executed,
127 if it was not found; 2 for wrong usage.

examples:
  sudo landlock-bpf run -p policies/home-minus-ssh.toml -- bash -i
  sudo landlock-bpf run --deny ~/.ssh -- make
  sudo landlock-bpf run -r policies/rules/read-only.c -- bash -i
  sudo landlock-bpf run -r policies/rules/fsview.c --view trees=ro:/usr:/etc,rw:/tmp:/dev -- bash -i
  sudo landlock-bpf run --permissive -p policies/home-minus-ssh.toml -- make
  sudo LL_FS_RO=/usr:/etc LL_FS_RW=/tmp:/dev landlock-bpf run -p env: -- bash -i
  sudo landlock-bpf run --landlock-access fs:write-file --landlock-rule path-beneath::/tmp -- bash -i
  sudo landlock-bpf run --rox /usr --ro /etc --rw ~/work --deny ~/work/secret:write_file,remove_file -- python3 build.py
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [-p POLICY]... [-r RULE.c]... [--ro|--rox|--rw|--rwx PATH]... [--deny PATH[:ACTIONS]]... -- CMD"
    layers.add_arguments(parser)
    words = parser.add_argument_group("rules without a file", "landrun's words; together they make one more layer")
    layers.add_words(words)
    words.add_argument(
        "--deny", metavar="PATH[:ACTIONS]", action="append", default=[],
        help="deny ACTIONS, with commas between (default: all); with nothing but --deny, all else is allowed",
    )  # fmt: skip
    parser.add_argument("--name", help="name of the domain in `list` and `events` (default: one is made)")
    parser.add_argument("--keep-fds", action="store_true", help="let the command inherit descriptors above 2")
    parser.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER, help="the command and its arguments")


def main(args: argparse.Namespace) -> int:
    keep = launch.descriptors() if args.keep_fds else ()
    words = (args.ro, args.rox, args.rw, args.rwx, args.deny)
    layers.require(args, "--ro, --rox, --rw, --rwx, --deny, ", other=any(words))
    said = [policy.from_words(*words)] if any(words) else []
    policies, rules = layers.load_policies(args, *said), layers.load_rules(args)
    cli.require_root()
    user = invoker.find(os.environ)
    with contextlib.ExitStack() as stack:
        with controller.Controller.open() as live, layers.told(args):
            confinement = live.prepare(policies, name=args.name, rules=rules)
        layers.tell(confinement.notes)
        mask = stack.enter_context(launch.held_signals())
        stack.callback(_close, confinement)
        status = launch.run(
            args.command, confinement, mask=mask, user=user, environ=invoker.environment(os.environ, user), keep=keep
        )  # fmt: skip
    return launch.end_like(status)


def _close(confinement: controller.Confinement) -> None:
    try:
        confinement.close()
    except (errors.Error, OSError) as error:
        # The command has run, and its status matters more. The next command sweeps.
        cli.complain_at_length(str(error))
