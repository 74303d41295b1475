# SPDX-License-Identifier: GPL-2.0-only
"""A run of `bench`: what the clock counts is found out, all cases are measured, then the figures are shown."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from landlock_bpf import errors
from landlock_bpf.bench import bystanders, cases, clock, members, report, results, rig, tree, workload

# A sample's length by the clock, and how often each is taken. Where the clock counts instructions figures hold at once;
# elsewhere the machine has other things to do, so the mechanisms take turns and the best sample of each counts.
BUDGETS = {"instructions": 20_000_000, "ns": 100_000_000}
ROUNDS = {"instructions": 1, "ns": 3}


def run(args: argparse.Namespace) -> int:
    """Measure as the arguments say, print the tables and write the JSON."""
    if os.geteuid() != 0:
        raise errors.PrivilegeError("bench mounts a tmpfs and makes cgroups; run it as root")
    loop = workload.Workload(workload.compile_workload())
    unit = clock.read_clock(loop)
    loop.budget = BUDGETS[unit.unit]
    chosen = [case for case in cases.CASES if case.quick or not args.quick]
    with (
        tree.make_tree({case.depth for case in chosen}, beside=max(case.rules for case in chosen) - 1),
        rig.open_rig(loop, only=args.only, rounds=ROUNDS[unit.unit]) as bench,
    ):
        rows = measure(bench, chosen)
    show_progress("")
    marks = results.marks(rows, unit)
    report.print_report(unit, rows, marks)
    if args.json:
        Path(args.json).write_text(json.dumps(report.document(unit, rows, marks), indent=1) + "\n")
    return 0


def measure(bench: rig.Rig, chosen: Sequence[cases.Case]) -> list[results.Row]:
    """Measure all. The kernel lets go of hooks some time after their links have gone, so first what no hook may be in, then
    bystanders of one hook, then those of all."""
    samples = {}
    for number, case in enumerate(chosen):
        show_progress(f"unrestricted and system calls: case {number + 1} of {len(chosen)}")
        samples[case] = members.measure_others(bench, case)
    rows = []
    if bench.live:
        plain = samples[cases.BASE][results.WARM][results.UNRESTRICTED]
        # What has rule programs comes last, for most hooks are attached then.
        for programs in (False, True):
            for bystander in cases.BYSTANDERS:
                if bystander.programs == programs:
                    show_progress(f"bystanders of {bystander.domains} domains")
                    found = bystanders.measure(bench, bystander, bench.live)
                    rows.append(results.Row(bystander, results.WARM, {results.UNRESTRICTED: plain, results.ENGINE: found}))
            for case in chosen:
                if case.programs == programs:
                    show_progress(f"our engine at depth {case.depth}, with {case.rules} rules in {case.layers} layers")
                    for files, found_by in members.measure_engine(bench, case, bench.live).items():
                        samples[case][files].update(found_by)
    return [results.Row(case, files, found) for case, by_files in samples.items() for files, found in by_files.items()] + rows


def show_progress(words: str) -> None:
    """Rewrite one line on the terminal; in a pipe nothing is said."""
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)
