# SPDX-License-Identifier: GPL-2.0-only
"""What rules and domains take of memory, by the kernel's own accounting; of records, by their size."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import bpf, cgroup, engine, errors, landlock, record
from landlock_bpf.bench import bystanders, cases, mechanisms, rig

if TYPE_CHECKING:
    from landlock_bpf import controller

RULES, DOMAINS = cases.Case(rules=10_000), cases.Bystander(999, one_hook=False)
MAPS, RECORDS, ACCOUNTED = "maps", "records", "accounted"
HOW = {
    MAPS: "memlock in fdinfo of the engine's maps, those of no domain subtracted",
    RECORDS: "size of the records under /run",
    ACCOUNTED: "what the kernel charges to the control group of the process (memory.stat, kernel)",
}


@dataclasses.dataclass(frozen=True)
class Amount:
    """Bytes of one rule or one domain, or of the engine without any; `how` is one of HOW."""

    what: str
    mechanism: str
    how: str
    bytes: float


@dataclasses.dataclass(frozen=True)
class _State:
    maps: int
    records: int

    def per(self, before: _State, count: int, what: str) -> Iterator[Amount]:
        """Give what one of so many takes, by the state before them."""
        for how in (MAPS, RECORDS):
            yield Amount(what, mechanisms.ENGINE, how, (getattr(self, how) - getattr(before, how)) / count)


def measure(bench: rig.Rig, live: controller.Controller) -> Iterator[Amount]:
    """Measure our rules and domains."""
    with live.attach("bench", mechanisms.policies(cases.BASE), bench.measured):
        pass  # what is loaded once is not counted
    empty = _state()
    yield Amount("engine", mechanisms.ENGINE, MAPS, empty.maps)
    with live.attach("bench", mechanisms.policies(RULES), bench.measured):
        yield from _state().per(empty, RULES.rules, "rule")
    empty = _state()
    with bystanders.domains(bench, DOMAINS, DOMAINS.cgroups):
        yield from _state().per(empty, DOMAINS.domains, "domain")


def measure_syscalls() -> Iterator[Amount]:
    """Measure rules of the system calls: those of one ruleset, which a child makes in a control group of its own.

    Nothing where the memory of control groups is not accounted.
    """
    controllers = cgroup.mount_point() / "cgroup.controllers"
    if not controllers.exists() or "memory" not in controllers.read_text().split():
        return
    with _accounted() as group:
        few, many = (_charged(group, case) for case in (cases.BASE, RULES))
    yield Amount("rule", mechanisms.SYSCALLS, ACCOUNTED, (many - few) / (RULES.rules - cases.BASE.rules))


@contextlib.contextmanager
def _accounted() -> Iterator[Path]:
    """Make a control group whose memory is accounted; that of others is only while this lasts."""
    root = cgroup.mount_point()
    with rig.make_cgroup(root / f"landlock-bpf-bench-memory.{os.getpid()}") as group:
        before = (root / "cgroup.subtree_control").read_text().split()
        (root / "cgroup.subtree_control").write_text("+memory")
        try:
            yield group
        finally:
            if "memory" not in before:
                (root / "cgroup.subtree_control").write_text("-memory")


def _charged(group: Path, case: cases.Case) -> int:
    """Give the kernel's memory that is charged while a child has the case's rulesets."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            cgroup.enter(group)
            with landlock.Ruleset(landlock.rights()) as ruleset:
                for path in mechanisms.rule_paths(case):
                    ruleset.allow(path, ruleset.handled)
                os.write(writing, str(_kernel_memory(group)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if not answer:
        raise errors.Error("cannot measure memory: the process with the ruleset failed")
    return int(answer)


def _kernel_memory(group: Path) -> int:
    words = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return int(words["kernel"])


def _state() -> _State:
    records = sum(path.stat().st_blocks * 512 for path in record.RULESETS.rglob("*"))
    return _State(sum(map(_memlock, (engine.PINS / "maps").iterdir())), records)


def _memlock(pin: Path) -> int:
    fd = bpf.obj_get(pin)
    try:
        info = dict(line.split(":\t") for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines())
    finally:
        os.close(fd)
    return int(info["memlock"])
