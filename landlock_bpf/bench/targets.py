# SPDX-License-Identifier: GPL-2.0-only
"""What this project set out to reach, beside what was measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from landlock_bpf.bench import cases, changes, clock, mechanisms, operations, results, startup

# Where a policy must cost nothing: what the clock itself wavers by.
NOTHING = 0.002


@dataclasses.dataclass(frozen=True)
class Mark:
    """A target beside what was measured; not `firm` where figures waver by more than is measured."""

    what: str
    limit: float
    value: float | None
    firm: bool = True

    @property
    def met(self) -> bool | None:
        return None if self.value is None else self.value <= self.limit


def marks(found: results.Figures, unit: clock.Clock) -> tuple[Mark, ...]:
    """Hold the figures against the targets; counts of instructions only where the clock counts them."""
    return (*_opens(found), *_operations(found), *_starts(found), *(_counts(found) if unit.counts_instructions else ()))


def _opens(found: results.Figures) -> Iterator[Mark]:
    def ratio(case: cases.Case) -> float | None:
        row = found.row(case)
        return row.ratio if row else None

    def times(more: cases.Case | cases.Bystander, less: cases.Case | cases.Bystander) -> float | None:
        return results.divide(_added(found, more), _added(found, less))

    yield Mark("open, ratio at depth 4", 0.50, ratio(cases.BASE))
    # The system calls became cheaper at depth between the two kernels that the targets were set on.
    yield Mark("open, ratio at depth 16 (as on 6.12)", 0.36, ratio(cases.DEEP))
    yield Mark("open, ratio at depth 16 (as on 7.3)", 0.47, ratio(cases.DEEP))
    yield Mark("open, ratio with 10 layers", 0.50, ratio(cases.LAYERED))
    yield Mark("open, 1,000 rules / 1 rule", 1.03, times(cases.MANY_RULES, cases.BASE))
    yield Mark("bystander, 999 domains / 1", 1.03, times(cases.MANY, cases.ONE))
    yield Mark("bystander, 1,000 domains / 2, one a process's", 1.03, times(cases.MANY_AND_PROCESS, cases.ONE_AND_PROCESS))
    yield Mark("bystander, 64 domains of rule programs / 1", 1.03, times(cases.MANY_PROGRAMS, cases.ONE_PROGRAM))


def _operations(found: results.Figures) -> Iterator[Mark]:
    for operation in operations.OPERATIONS:
        line = found.line(operation.name)
        if operation.compared:
            firm = operation.name not in operations.WAVERING
            yield Mark(f"{operation.name}, ratio", 1.0, line.ratio if line else None, firm)
        elif operation.name in operations.FREE:
            share = results.divide(line.added(mechanisms.ENGINE), line.median(mechanisms.UNRESTRICTED)) if line else None
            yield Mark(f"{operation.name}, added / unrestricted", NOTHING, share)


def _starts(found: results.Figures) -> Iterator[Mark]:
    share = results.divide(found.start(startup.RUN), found.start(startup.PYTHON))
    yield Mark("run with 10 rules / python3 -c pass", 5.0, share)


def _counts(found: results.Figures) -> Iterator[Mark]:
    yield Mark("bystander, one hook, cgroup domains", 300, _added(found, cases.ONE))
    yield Mark("bystander, one hook, a process domain too", 400, _added(found, cases.ONE_AND_PROCESS))
    for case, limit in ((changes.FEW, 5_000_000), (changes.MANY, 150_000_000)):
        yield Mark(f"a domain of {case.rules:,} rules attached", limit, found.change(changes.ATTACH, case.rules))


def _added(found: results.Figures, subject: cases.Case | cases.Bystander) -> float | None:
    row = found.row(subject)
    return row.added(mechanisms.ENGINE) if row else None
