# SPDX-License-Identifier: GPL-2.0-only
"""A run of `bench`: what the clock counts is found out, all is measured or read, then it is shown and written."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from landlock_bpf import errors
from landlock_bpf.bench import binaries, clock, document, measurement, operations, page, report, rig, tree, workload

# A sample's length by the clock, and how often each is taken. Where the clock counts instructions figures hold at once;
# elsewhere the machine has other things to do, so the mechanisms take turns and the best sample of each counts.
BUDGETS = {"instructions": 5_000_000, "ns": 100_000_000}
ROUNDS = {"instructions": 1, "ns": 3}


def run(args: argparse.Namespace) -> int:
    """Measure as the arguments say, or take figures of before, print the tables, and write what is to be written."""
    if args.check:
        return _check(args.check)
    told = document.read(args.load) if args.load else _measured(args)
    report.print_report(told)
    if args.json:
        args.json.write_text(json.dumps(told, indent=1) + "\n")
    if args.markdown:
        page.write(args.markdown, told)
    return 0


def _check(path: Path) -> int:
    old = page.stale(path)
    for series in old:
        print(f"{path}: the figures of Linux {series} are of another engine; measure anew")
    return int(bool(old))


def _measured(args: argparse.Namespace) -> document.Document:
    if os.geteuid() != 0:
        raise errors.PrivilegeError("bench mounts a tmpfs and makes cgroups; run it as root")
    loop = workload.Workload(binaries.compile(binaries.LIBRARY), binaries.compile(binaries.PROGRAM))
    unit = clock.read_clock(loop)
    loop.budget = BUDGETS[unit.unit]
    plan = measurement.Plan(quick=args.quick, only=args.only)
    program = binaries.compile(binaries.NOTHING)
    with (
        tree.make_tree(plan.depths, beside=plan.files, program=program, pages=operations.PAGES),
        rig.open_rig(loop, only=args.only, rounds=ROUNDS[unit.unit]) as bench,
    ):
        return document.document(unit, measurement.measure(bench, plan))
