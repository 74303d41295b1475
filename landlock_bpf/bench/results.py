# SPDX-License-Identifier: GPL-2.0-only
"""Figures: pure values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from landlock_bpf.bench import cases, changes, mechanisms, memory, operations, startup, workload
from landlock_bpf.bench.mechanisms import ENGINE, SYSCALLS, UNRESTRICTED

WARM, COLD = "warm", "cold"


@dataclasses.dataclass(frozen=True)
class Samples:
    """Samples of the same operation, by mechanism."""

    samples: Mapping[str, workload.Sample]

    def median(self, mechanism: str) -> float | None:
        return self.samples[mechanism].median if mechanism in self.samples else None

    def added(self, mechanism: str) -> float | None:
        """What the mechanism adds to the unrestricted operation."""
        value, plain = self.median(mechanism), self.median(UNRESTRICTED)
        return value - plain if value is not None and plain is not None else None

    def ratio_of(self, mechanism: str) -> float | None:
        """What a mechanism adds, in terms of what the system calls add."""
        return divide(self.added(mechanism), self.added(SYSCALLS))

    @property
    def ratio(self) -> float | None:
        return self.ratio_of(ENGINE)


@dataclasses.dataclass(frozen=True)
class Row(Samples):
    """open(2) in one case; `files` tells whether one file is opened again and again, or many in turn."""

    subject: cases.Case | cases.Bystander
    files: str


@dataclasses.dataclass(frozen=True)
class Line(Samples):
    """One operation at the base."""

    operation: operations.Operation


@dataclasses.dataclass(frozen=True)
class Figures:
    """All that a run has measured."""

    columns: tuple[mechanisms.Mechanism, ...] = ()
    rows: tuple[Row, ...] = ()
    lines: tuple[Line, ...] = ()
    starts: tuple[startup.Start, ...] = ()
    changes: tuple[changes.Change, ...] = ()
    memory: tuple[memory.Amount, ...] = ()

    def row(self, subject: cases.Case | cases.Bystander, files: str = WARM) -> Row | None:
        return next((row for row in self.rows if row.files == files and row.subject == subject), None)

    def line(self, name: str) -> Line | None:
        return next((line for line in self.lines if line.operation.name == name), None)

    def start(self, name: str) -> float | None:
        return next((start.median for start in self.starts if start.name == name), None)

    def change(self, what: str, rules: int) -> float | None:
        return next(
            (each.median for each in self.changes if (each.what, each.rules, each.mechanism) == (what, rules, ENGINE)), None
        )  # fmt: skip


def divide(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base is not None and base > 0 else None
