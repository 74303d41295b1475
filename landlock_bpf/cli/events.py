# SPDX-License-Identifier: GPL-2.0-only
"""Print denials as they happen: when, in which domain, who, what, on which path, by which hook, by which rule of which file.

A path that begins with `fs:` is as its filesystem has it, for some hooks are not told through which mount it was reached.

What a permissive policy would deny says WOULD BE DENIED: it was allowed.

Denials of before are kept, as long as there is room, until somebody reads them. Each goes to one reader only: with NAME, those
of all other domains are dropped as long as it reads. What finds no room, or is more than --rate allows, is denied all the same,
and counted: "N denials of the domain X were not reported".
"""

from __future__ import annotations

import argparse
import json

from landlock_bpf import cli, controller, errors, events, record

EXAMPLES = """\
examples:
  sudo landlock-bpf events
  sudo landlock-bpf events workshop --json --no-follow
  sudo landlock-bpf events --rate 100
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="only those of this domain, in force or ended; others' are dropped"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--no-follow", dest="follow", action="store_false", help="print what is there, and stop")
    parser.add_argument(
        "--rate", metavar="N", type=int,
        help="first have each domain report N denials a second at most, from now on and till `unload` (0: all, as at first)",
    )  # fmt: skip


def main(args: argparse.Namespace) -> int:
    if args.rate is not None and not 0 <= args.rate < 1 << 32:
        args.parser.error("--rate takes a number of denials a second, or 0")
    cli.require_root()
    if args.name is not None and args.name not in record.domains():
        what = f"there is no domain {args.name}, nor was there one of late, so nothing was read"
        raise errors.NotFoundError(f"{what}; `landlock-bpf list` names those in force")
    if args.rate is not None:
        with controller.Controller.open() as live:
            live.limit_events(args.rate)
    for denial in events.read(follow=args.follow):
        if args.name in (None, denial.domain):
            _print(args, denial)
    if not args.follow:
        with controller.Controller.open() as live:
            left = live.dropped()
        for name, count in left.items():
            if args.name in (None, name):
                print(json.dumps({"domain": name, "dropped": count}) if args.json else events.format_dropped(name, count))
    return 0


def _print(args: argparse.Namespace, denial: events.Denial) -> None:
    if args.json:
        print(events.format_json(denial), flush=True)
        return
    if denial.dropped:
        print(events.format_dropped(denial.domain, denial.dropped))
    print(events.format_text(denial), flush=True)
