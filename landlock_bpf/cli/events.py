# SPDX-License-Identifier: GPL-2.0-only
"""Print denials as they happen: when, in which domain, who, what, on which path, by which hook, by which rule of which file.

A path that begins with `fs:` is as its filesystem has it, for some hooks are not told through which mount it was reached.

Denials of before are kept, as long as there is room, until somebody reads them. Each goes to one reader only.
"""

from __future__ import annotations

import argparse

from landlock_bpf import cli, events

EXAMPLES = """\
examples:
  sudo landlock-bpf events
  sudo landlock-bpf events workshop --json --no-follow
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="only those of this domain")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--no-follow", dest="follow", action="store_false", help="print what is there, and stop")


def main(args: argparse.Namespace) -> int:
    write = events.format_json if args.json else events.format_text
    cli.require_root()
    for denial in events.read(follow=args.follow):
        if args.name in (None, denial.domain):
            print(write(denial), flush=True)
    return 0
