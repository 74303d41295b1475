# SPDX-License-Identifier: GPL-2.0-only
"""What attaching, updating and detaching a domain takes, by its rules: in one process that has done so before."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import landlock
from landlock_bpf.bench import binaries, cases, mechanisms, spent, tree

if TYPE_CHECKING:
    from landlock_bpf import controller
    from landlock_bpf.bench import rig

ATTACH, UPDATE, DETACH = "attach", "update", "detach"
# While no other domain is in force: all hooks are attached and detached as well.
FIRST, LAST = "attach the first domain", "detach the last domain"
NAME = "bench"
FEW, MANY = cases.Case(rules=10), cases.Case(rules=10_000)
# How often each is done: of many rules once tells.
TIMES = {FEW: 5, MANY: 1}


@dataclasses.dataclass(frozen=True)
class Change:
    """What one command on a domain of so many rules took under a mechanism: the median, by the clock."""

    what: str
    rules: int
    mechanism: str
    median: float


def measure(bench: rig.Rig, *, quick: bool) -> Iterator[Change]:
    """Measure ours, and what a launcher in C takes that makes as many rules with the system calls and restricts itself."""
    for case in (FEW, MANY):
        if bench.live:
            with bench.failures.of(mechanisms.ENGINE), mechanisms.hooks_kept(bench.live, bench.elsewhere):
                yield from _engine(bench.live, bench.measured, case)
        if bench.live and case == FEW and not quick:
            with bench.failures.of(mechanisms.ENGINE):
                yield from _first(bench.live, bench.measured, case)
        if quick or landlock.missing():
            continue
        with bench.failures.of(mechanisms.SYSCALLS):
            yield _launcher(case)


def _launcher(case: cases.Case) -> Change:
    handled = landlock.access_fs(landlock.rights())
    words = [str(binaries.compile(binaries.RESTRICT)), str(handled), *mechanisms.rule_paths(case)]
    words += ["--", f"{tree.folder(case.depth, 0)}/{tree.PROGRAM}"]
    taken = statistics.median(spent.of_command(words) for _ in range(TIMES[case]))
    return Change(ATTACH, case.rules, mechanisms.SYSCALLS, taken)


def _engine(live: controller.Controller, cgroup: Path, case: cases.Case) -> Iterator[Change]:
    first, second = (mechanisms.policies(case) for _ in range(2))
    steps: dict[str, Callable[[], object]] = {
        ATTACH: lambda: live.attach(NAME, first, cgroup),
        UPDATE: lambda: live.update(NAME, second),
        DETACH: lambda: live.detach(NAME),
    }
    found: dict[str, list[float]] = {what: [] for what in steps}
    if case == FEW:
        for step in steps.values():  # what is loaded once is not counted
            step()
    for _ in range(TIMES[case]):
        for what, step in steps.items():
            found[what].append(spent.of_step(step))
    for what, values in found.items():
        yield Change(what, case.rules, mechanisms.ENGINE, statistics.median(values))


def _first(live: controller.Controller, cgroup: Path, case: cases.Case) -> Iterator[Change]:
    policies = mechanisms.policies(case)
    yield Change(FIRST, case.rules, mechanisms.ENGINE, spent.of_step(lambda: live.attach(NAME, policies, cgroup)))
    yield Change(LAST, case.rules, mechanisms.ENGINE, spent.of_step(lambda: live.detach(NAME)))
