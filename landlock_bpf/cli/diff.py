# SPDX-License-Identifier: GPL-2.0-only
"""Say in words what changes from policy A to policy B: what becomes allowed, denied or left alone, on which paths.

What counts is what the policies mean, not how they are written, and each may be in another form (see `check --help`). A change
on a path is one on all beneath it, but for what is listed further down. Paths are compared as they are written; links and
mounts are not looked up. Needs no root.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

from landlock_bpf import policy_actions, policy_difference, terminal
from landlock_bpf.cli import layers, output
from landlock_bpf.policy_difference import Change, Difference

EXAMPLES = """\
exit status: 0 no difference, 1 differences, 2 trouble.

examples:
  landlock-bpf diff work.toml softer.toml
  LL_FS_RO=/usr:/etc LL_FS_RW=/tmp landlock-bpf diff env: work.toml --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="A", type=Path, help="a policy, in any form")
    parser.add_argument("after", metavar="B", type=Path, help="another")
    output.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    before, after = layers.load([args.before, args.after])
    found = policy_difference.compare(before, after)
    if args.json:
        output.print_json(found)
    else:
        for line in words(found):
            print(terminal.shown(line))
    return int(bool(found))


def words(found: Difference, change: str = "was {}, now {}", same: str = "{} as before") -> list[str]:
    """Tell a difference for a person: first what holds for the whole policy, then path after path."""
    lines = []
    if len(set(found.permissive)) > 1:
        lines.append("mode: " + change.format(*("permissive" if mode else "enforcing" for mode in found.permissive)))
    for actions, verdicts in ((found.handled, ("left alone", "handled")), (found.unhandled, ("handled", "left alone"))):
        if actions:
            lines.append(f"{policy_actions.summary(actions)}: {change.format(*verdicts)}")
    seals = {path: ("not sealed", "sealed") for path in found.sealed}
    seals |= {path: ("sealed", "not sealed") for path in found.unsealed}
    told = {(each.path, each.name) for each in found.changes} | {(path, "") for path in seals}
    by_place = {place: list(changes) for place, changes in itertools.groupby(found.changes, _place)}
    for path, name in sorted(told, key=lambda place: (policy_difference.order(place[0]), place[1])):
        lines.append(f"{path}, what is named {name}" if name else path)
        for each in by_place.get((path, name), ()):
            verdict = (
                same.format(each.after.value)
                if each.before is each.after
                else change.format(each.before.value, each.after.value)
            )
            lines.append(f"  {each.words}: {verdict}")
        if not name and path in seals:
            lines.append(
                f"  {change.format(*seals[path])}: renaming, removing and replacing it, or a directory on the way to it"
            )
    return lines


def _place(change: Change) -> policy_difference.Place:
    return change.path, change.name
