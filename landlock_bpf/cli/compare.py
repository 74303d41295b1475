# SPDX-License-Identifier: GPL-2.0-only
"""Compare mechanisms: the same operations on the same files, under each in turn, and what each said.

A tree is made on a tmpfs of its own, with a folder to work in, a secret in that, and a folder to be read alone. What POLICY
says of them (default: policies/compare.toml, in which they are ${PWD}/work, ${PWD}/work/secret and ${PWD}/ro) is enforced by
every mechanism in its own words, on a process of root that tries each operation; what it has no words for is told, and tried
all the same. Nothing is left behind. A mechanism that this machine lacks is named, with the remedy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from landlock_bpf import cli
from landlock_bpf.cli import layers, output

EXAMPLES = """\
exit status: 0 if all mechanisms that were asked for ran, 1 if one is missing, 2 for wrong usage.

examples:
  vm/run --lsm landlock,apparmor,tomoyo,bpf -- landlock-bpf compare
  sudo landlock-bpf compare --html compare.html --json compare.json
  sudo landlock-bpf compare --with landlock,bpf
  sudo landlock-bpf compare policies/compare.toml --only chmod,rename
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "policy", metavar="POLICY", nargs="?", type=Path, help="what is wanted (default: policies/compare.toml)"
    )
    parser.add_argument(
        "--with", dest="mechanisms", metavar="MECHANISM,...", type=_words, help="these mechanisms, beside none (default: all)"
    )
    parser.add_argument("--only", metavar="OPERATION,...", type=_words, help="operations whose names begin so (default: all)")
    parser.add_argument("--html", metavar="OUT", type=Path, help="write a page to be opened in a browser; it works offline")
    parser.add_argument("--json", metavar="OUT", type=Path, help="write all that was seen as JSON")
    parser.add_argument("--bench", metavar="FILE", type=Path, help="put what `bench --json FILE` wrote into the page as well")


def main(args: argparse.Namespace) -> int:
    output.require_writable(args.html, args.json)
    from landlock_bpf.bench import document as figures
    from landlock_bpf.compare import document, operations, report, session, statements

    policy = args.policy or statements.DEFAULT
    layers.load([policy])  # its mistakes are told at once
    bench = figures.read(args.bench) if args.bench else None
    chosen, rows = session.choose(args.mechanisms), operations.beginning(args.only)
    cli.require_root()
    columns, found = session.run(chosen, policy, rows)
    report.print_report(columns, found, policy)
    if args.json or args.html:
        made = document.make(columns, found, policy, bench)
        if args.json:
            output.write_json(args.json, made)
        if args.html:
            from landlock_bpf.compare import page

            output.write(args.html, page.render(made).encode())
    return int(any(column.missing for column in columns))


def _words(text: str) -> list[str]:
    words = [word for word in text.split(",") if word]
    if not words:
        raise argparse.ArgumentTypeError("it names nothing")
    return words
