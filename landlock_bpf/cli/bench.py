# SPDX-License-Identifier: GPL-2.0-only
"""Measure what mechanisms cost, in one run: none, the landlock system calls, this engine, and what else is there."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from landlock_bpf import cli
from landlock_bpf.cli import output

EXAMPLES = """\
exit status: 0 if all was measured that can be here, 1 if something failed (the other figures are told, and written all the
same), or where instructions are counted if a target is missed (but that of exec, which wavers too much), or with --check if
figures are of another engine, 2 for wrong usage.

examples:
  vm/run --icount -- landlock-bpf bench
  sudo landlock-bpf bench --json figures.json
  landlock-bpf bench --load figures.json --markdown docs/PERFORMANCE.md
  landlock-bpf bench --check docs/PERFORMANCE.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", metavar="OUT", type=Path, help="also write every figure to this file")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="also write the tables into their section of FILE")
    parser.add_argument("--load", metavar="JSON", type=Path, help="measure nothing: take the figures that --json wrote")
    parser.add_argument("--check", metavar="FILE", type=Path, help="only tell which sections of FILE are of another engine")
    parser.add_argument("--quick", action="store_true", help="only the rows that a target speaks of")
    parser.add_argument("--only", choices=("syscalls", "engine"), help="leave the other mechanism out")


def main(args: argparse.Namespace) -> int:
    measures = args.quick or args.only
    if args.load and measures:
        args.parser.error("--quick and --only are for measuring: --load measures nothing")
    if args.check and (args.load or args.json or args.markdown or measures):
        args.parser.error("--check goes with no other option")
    output.require_writable(args.json, args.markdown)
    from landlock_bpf.bench import document, page, report, session  # the measuring modules: not for --help to load

    if args.check:
        old = page.stale(args.check)
        for series in old:
            print(f"{args.check}: the figures of Linux {series} are of another engine; measure anew")
        return int(bool(old))
    if args.load:
        told = document.read(args.load)
    else:
        cli.require_root()
        if args.markdown:
            page.find_section(args.markdown, os.uname().release)
        told = session.run(quick=args.quick, only=args.only)
    report.print_report(told)
    if args.json:
        output.write_json(args.json, told)
    if args.markdown:
        page.write(args.markdown, told)
    problems = [f"not measured: {line}" for line in report.failures(told)]
    problems += [f"target missed: {line}" for line in report.missed(told)]
    for line in problems:
        cli.complain(line)
    return int(bool(problems))
