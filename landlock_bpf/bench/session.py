# SPDX-License-Identifier: GPL-2.0-only
"""A run of the measurements: what the clock counts is found out, then all is measured."""

from __future__ import annotations

from landlock_bpf.bench import binaries, clock, document, measurement, operations, rig, tree, workload

# A sample's length by the clock, and how often each is taken. Where the clock counts instructions figures hold at once;
# elsewhere the machine has other things to do, so the mechanisms take turns and the best sample of each counts.
BUDGETS = {"instructions": 5_000_000, "ns": 100_000_000}
ROUNDS = {"instructions": 1, "ns": 3}


def run(*, quick: bool = False, only: str | None = None) -> document.Document:
    """Measure all, or with `quick` what a target speaks of, of all mechanisms or of `only` one; give all figures."""
    library, program, nothing, _restrict = map(binaries.compile, binaries.BINARIES)
    loop = workload.Workload(library, program)
    unit = clock.read_clock(loop)
    loop.budget = BUDGETS[unit.unit]
    plan = measurement.Plan(quick=quick, only=only)
    with (
        tree.make_tree(plan.depths, beside=plan.files, program=nothing, pages=operations.PAGES),
        rig.open_rig(loop, only=only, rounds=ROUNDS[unit.unit]) as bench,
    ):
        return document.document(unit, measurement.measure(bench, plan))
