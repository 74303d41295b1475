# SPDX-License-Identifier: GPL-2.0-only
"""Figures and what is asked of them: pure values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from landlock_bpf.bench import cases, clock, workload

UNRESTRICTED, SYSCALLS, ENGINE = "unrestricted", "syscalls", "engine"
WARM, COLD = "warm", "cold"


@dataclasses.dataclass(frozen=True)
class Row:
    """The samples of one case, by mechanism; `files` tells whether one file is opened again and again, or many in turn."""

    subject: cases.Case | cases.Bystander
    files: str
    samples: Mapping[str, workload.Sample]

    def added(self, mechanism: str) -> float | None:
        """What the mechanism adds to the unrestricted operation."""
        if mechanism not in self.samples:
            return None
        return self.samples[mechanism].median - self.samples[UNRESTRICTED].median

    @property
    def ratio(self) -> float | None:
        """What ours adds, in terms of what the system calls add."""
        return divide(self.added(ENGINE), self.added(SYSCALLS))


@dataclasses.dataclass(frozen=True)
class Mark:
    """A target beside what was measured."""

    what: str
    limit: float
    value: float | None

    @property
    def met(self) -> bool | None:
        return None if self.value is None else self.value <= self.limit


def divide(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base is not None and base > 0 else None


def find(rows: Iterable[Row], subject: cases.Case | cases.Bystander, files: str = WARM) -> Row | None:
    return next((row for row in rows if row.files == files and row.subject == subject), None)


def marks(rows: Iterable[Row], unit: clock.Clock) -> tuple[Mark, ...]:
    """Hold the rows against what this project set out to reach; counts of instructions only where the clock counts them."""
    rows = tuple(rows)

    def ratio(case: cases.Case) -> float | None:
        row = find(rows, case)
        return row.ratio if row else None

    def added(subject: cases.Case | cases.Bystander) -> float | None:
        row = find(rows, subject)
        return row.added(ENGINE) if row else None

    deep = cases.Case(depth=16, quick=True)
    one, many = (cases.Bystander(domains) for domains in (1, 1_000))
    one_rule, many_rules = cases.RULE_BYSTANDERS
    one_process, many_process = (cases.Bystander(domains, process=True) for domains in (2, 1_000))
    found = [
        Mark("ratio at depth 4", 0.50, ratio(cases.BASE)),
        # The system calls became cheaper at depth between the two kernels that the targets were set on.
        Mark("ratio at depth 16 (as on 6.12)", 0.36, ratio(deep)),
        Mark("ratio at depth 16 (as on 7.3)", 0.47, ratio(deep)),
        Mark("1,000 rules / 1 rule", 1.03, divide(added(cases.Case(rules=1_000, quick=True)), added(cases.BASE))),
        Mark("bystander, 1,000 domains / 1", 1.03, divide(added(many), added(one))),
        Mark("bystander, 1,000 domains / 2, one a process's", 1.03, divide(added(many_process), added(one_process))),
        Mark("bystander, 64 domains of rule programs / 1", 1.03, divide(added(many_rules), added(one_rule))),
    ]
    if unit.counts_instructions:
        found += [
            Mark("bystander, one hook, cgroup domains", 300, added(one)),
            Mark("bystander, one hook, a process domain too", 400, added(one_process)),
        ]
    return tuple(found)
