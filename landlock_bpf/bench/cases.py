# SPDX-License-Identifier: GPL-2.0-only
"""In which cases open(2) is measured: each dimension varied with the others at BASE, then the corners."""

from __future__ import annotations

import dataclasses

# What rule programs are measured with: it is asked at every hook, and at most of them allows without a look at the object.
RULE = "read-only.c"


@dataclasses.dataclass(frozen=True)
class Case:
    """A task in a domain: `depth` directories above its file, `rules` in each of `layers` rulesets."""

    depth: int = 4
    rules: int = 1
    layers: int = 1
    process: bool = False  # ours alone: a process domain (`run`) instead of a cgroup's (`attach`)
    programs: bool = False  # ours alone: RULE instead of a policy
    quick: bool = False  # a target speaks of it


BASE = Case(quick=True)
DEEP = Case(depth=16, quick=True)
MANY_RULES = Case(rules=1_000, quick=True)
LAYERED = Case(layers=10, quick=True)
CASES = (
    BASE,
    Case(depth=1),
    DEEP,
    Case(depth=64),
    Case(rules=10),
    MANY_RULES,
    Case(rules=10_000),
    Case(layers=4),
    LAYERED,
    Case(layers=16),
    Case(process=True),
    Case(depth=16, rules=1_000),
    Case(depth=16, layers=16),
    Case(depth=64, rules=10_000),
    Case(depth=64, rules=600, layers=16),  # about as many as a domain may have
    Case(depth=16, process=True),
    Case(programs=True),
    Case(depth=16, programs=True),
)


@dataclasses.dataclass(frozen=True)
class Bystander:
    """A task in no domain while `domains` are in force elsewhere, one of them a process domain or all of them cgroups'."""

    domains: int
    process: bool = False
    one_hook: bool = True  # they handle read_file alone, so of an open's hooks only file_open is attached
    programs: bool = False  # they have RULE instead of a policy, and hooks of their own
    quick: bool = True

    @property
    def cgroups(self) -> int:
        """Count the domains on cgroups."""
        return self.domains - self.process


ONE, ONE_AND_PROCESS = Bystander(1), Bystander(2, process=True)
MANY, MANY_AND_PROCESS = Bystander(999), Bystander(1_000, process=True)
# Those of one hook first, those with rule programs last: the kernel lets go of hooks late. Those of the same cgroups stand
# together, since these domains are made once.
ONE_PROGRAM, MANY_PROGRAMS = (Bystander(domains, one_hook=False, programs=True) for domains in (1, 64))
BYSTANDERS = (
    ONE,
    ONE_AND_PROCESS,
    MANY,
    MANY_AND_PROCESS,
    Bystander(1, one_hook=False, quick=False),
    Bystander(2, process=True, one_hook=False, quick=False),
    Bystander(999, one_hook=False, quick=False),
    Bystander(1_000, process=True, one_hook=False, quick=False),
    ONE_PROGRAM,
    MANY_PROGRAMS,
)
