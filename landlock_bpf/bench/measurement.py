# SPDX-License-Identifier: GPL-2.0-only
"""The measurements of a run, in their order.

The kernel lets go of hooks some time after their links have gone. So what no hook may be in comes first, then bystanders of
one hook, then those of all; what has rule programs comes last, for most hooks are attached then. What starts programs goes
before what fills the kernel's memory: starts take more or less with what it has at hand.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from landlock_bpf import progress
from landlock_bpf.bench import (
    bystanders,
    cases,
    changes,
    mechanisms,
    members,
    memory,
    operations,
    results,
    rig,
    startup,
    workload,
)

if TYPE_CHECKING:
    from landlock_bpf import controller


class Plan:
    """What a run measures: all, or what a target speaks of."""

    def __init__(self, *, quick: bool = False, only: str | None = None) -> None:
        self.quick = quick
        self.columns = mechanisms.mechanisms(syscalls=only != "engine", engine=only != "syscalls", quick=quick)
        self.cases = [case for case in cases.CASES if case.quick or not quick]
        self.bystanders = [case for case in cases.BYSTANDERS if case.quick or not quick]
        self.operations = [each for each in operations.OPERATIONS if each.compared or each.name in operations.FREE or not quick]
        self.starts = [each for each in self.operations if each.samples > 1]
        self.others = [each for each in self.operations if each not in self.starts]
        self.depths = {case.depth for case in self.cases}
        # What else is ruled on, but for the tree itself.
        self.files = max(case.rules for case in (*self.cases, startup.CASE, changes.MANY)) - 1

    def steps(self, *, engine: bool) -> int:
        """Count what is told of on the way, about."""
        measured = sum(column.missing is None for column in self.columns)
        return len(self.cases) * (1 + engine) + len(self.bystanders) * engine + len(self.operations) * measured + 3


class Measurement:
    """What has been measured so far."""

    def __init__(self, bench: rig.Rig, plan: Plan, tell: progress.Tell) -> None:
        self.bench = bench
        self.plan = plan
        self.tell = tell
        self.cases: dict[tuple[cases.Case, str], dict[str, workload.Sample]] = {}
        self.bystanders: list[results.Row] = []
        self.operations: dict[operations.Operation, dict[str, workload.Sample]] = {each: {} for each in plan.operations}
        self.memory: list[memory.Amount] = []

    def others(self) -> None:
        """Measure what needs none of our programs."""
        self._operations(members.operations_of_others(self.bench, self.plan.starts, self.plan.columns))
        for case in self.plan.cases:
            self.tell(f"open, {case.rules} rules at depth {case.depth} in {case.layers} layers, without the engine")
            self._add(case, members.measure_others(self.bench, case))
        self._operations(members.operations_of_others(self.bench, self.plan.others, self.plan.columns))

    def engine(self, live: controller.Controller) -> None:
        """Measure domains of ours."""
        self._bystanders(live, programs=False)
        self._operations(members.operations_of_engine(self.bench, self.plan.starts, live))
        self._cases(live, programs=False)
        self._operations(members.operations_of_engine(self.bench, self.plan.others, live))

    def programs(self, live: controller.Controller) -> None:
        """Measure what has rule programs."""
        if not self.plan.quick:
            self._operations(members.operations_of_programs(self.bench, self.plan.operations, live))
        self._bystanders(live, programs=True)
        self._cases(live, programs=True)

    def memory_of(self, live: controller.Controller | None) -> None:
        """Measure memory."""
        self.tell("memory of rules and domains")
        if self.bench.with_syscalls:
            with self.bench.failures.of(mechanisms.SYSCALLS):
                self.memory += memory.measure_syscalls()
        if live:
            with self.bench.failures.of(mechanisms.ENGINE):
                self.memory += memory.measure(self.bench, live)

    def figures(self, starts: Iterable[startup.Start], changed: Iterable[changes.Change]) -> results.Figures:
        """Give all figures, and why others are missing."""
        columns = (dataclasses.replace(each, failed=self.bench.failures.words(each.name)) for each in self.plan.columns)
        rows = [results.Row(samples, case, files) for (case, files), samples in self.cases.items()]
        lines = (results.Line(samples, operation) for operation, samples in self.operations.items())
        return results.Figures(
            tuple(columns), (*rows, *self.bystanders), tuple(lines), tuple(starts), tuple(changed), tuple(self.memory)
        )  # fmt: skip

    def _cases(self, live: controller.Controller, *, programs: bool) -> None:
        for case in self.plan.cases:
            if case.programs == programs:
                self.tell(f"open, {case.rules} rules at depth {case.depth} in {case.layers} layers, our engine")
                self._add(case, members.measure_engine(self.bench, case, live))

    def _bystanders(self, live: controller.Controller, *, programs: bool) -> None:
        plain = self.cases[cases.BASE, results.WARM].get(mechanisms.UNRESTRICTED)
        chosen = [case for case in self.plan.bystanders if case.programs == programs]
        for case, sample in bystanders.measure(self.bench, chosen, live):
            self.tell(f"open of a bystander of {case.domains} domains")
            samples = {mechanisms.UNRESTRICTED: plain} if plain else {}
            self.bystanders.append(results.Row({**samples, mechanisms.ENGINE: sample}, case, results.WARM))

    def _operations(self, found: Iterator[members.Found]) -> None:
        for operation, mechanism, sample in found:
            self.tell(f"{operation.name}, {mechanism}")
            self.operations[operation][mechanism] = members.better(sample, self.operations[operation].get(mechanism))

    def _add(self, case: cases.Case, found: members.Samples) -> None:
        for files, samples in found.items():
            self.cases.setdefault((case, files), {}).update(samples)


def measure(bench: rig.Rig, plan: Plan) -> results.Figures:
    """Measure all that is planned."""
    live = bench.live
    with progress.bar(plan.steps(engine=live is not None)) as tell:
        done = Measurement(bench, plan, tell)
        done.others()
        if live:
            done.engine(live)
        tell("starts")
        starts = list(startup.measure(bench, quick=plan.quick))
        tell("changes of domains")
        changed = list(changes.measure(bench, quick=plan.quick))
        if not plan.quick:
            done.memory_of(live)
        if live:
            done.programs(live)
    return done.figures(starts, changed)
