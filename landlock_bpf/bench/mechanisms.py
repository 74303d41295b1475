# SPDX-License-Identifier: GPL-2.0-only
"""The mechanisms that are measured: each sets itself up, says how a child comes under it, and takes itself down."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import abi, action_table, apparmor, bubblewrap, landlock, policy, rule_request
from landlock_bpf.bench import binaries, cases, empty, tree, workload

if TYPE_CHECKING:
    from landlock_bpf import controller, rule_program

UNRESTRICTED, SYSCALLS, ENGINE = "unrestricted", "syscalls", "engine"
LSM_CGROUP, BUBBLEWRAP, APPARMOR = "lsm_cgroup", "bubblewrap", "apparmor"
RULES = {f"rules-{count}": count for count in binaries.RULES}
PROFILE = "landlock-bpf-bench"
READ_ONLY = ("--ro-bind", "/", "/")  # what bubblewrap is given before what may be written

Setup = Callable[[], contextlib.AbstractContextManager[workload.Way]]


@dataclasses.dataclass(frozen=True)
class Mechanism:
    """A column; what it is called, why it cannot be measured here, and where it can, why some of its figures are missing."""

    name: str
    title: str
    missing: str | None = None
    failed: tuple[str, ...] = ()


def mechanisms(*, syscalls: bool = True, engine: bool = True, quick: bool = False) -> tuple[Mechanism, ...]:
    """List the columns, and why some of them are not measured."""
    left_out, slow = "left out by --only", "left out by --quick" if quick else None
    ours = None if engine else left_out
    rest = slow or ours
    return (
        Mechanism(UNRESTRICTED, "unrestricted"),
        Mechanism(SYSCALLS, "landlock system calls", landlock.missing() if syscalls else left_out),
        Mechanism(ENGINE, "our engine", ours),
        *(Mechanism(name, f"{count} rule program{'s' * (count > 1)}", rest) for name, count in RULES.items()),
        Mechanism(LSM_CGROUP, "BPF_LSM_CGROUP, empty programs", rest),
        Mechanism(BUBBLEWRAP, "bubblewrap", slow or bubblewrap.missing(*READ_ONLY)),
        Mechanism(APPARMOR, "AppArmor", slow or apparmor.missing()),
    )


def rule_paths(case: cases.Case) -> list[str]:
    """Name what the rules of a case lie on: the top of the file's tree, then files beside."""
    return [tree.top(case.depth), *(tree.beside_path(number) for number in range(case.rules - 1))]


@contextlib.contextmanager
def unrestricted() -> Iterator[workload.Way]:
    """Set up nothing."""
    yield workload.Way()


@contextlib.contextmanager
def syscalls(case: cases.Case) -> Iterator[workload.Way]:
    """Set up the landlock system calls, with all rights on files that this kernel's have."""
    handled = landlock.rights()
    with contextlib.ExitStack() as undo:
        rulesets = [undo.enter_context(landlock.Ruleset(handled)) for _ in range(case.layers)]
        for path in rule_paths(case):
            for ruleset in rulesets:
                ruleset.allow(path, handled)

        def enter() -> None:
            for ruleset in rulesets:
                ruleset.restrict_self()

        yield workload.Way(enter)


def policies(case: cases.Case, handled: abi.Action = action_table.ALL) -> tuple[policy.Policy, ...]:
    """Give the policies of a case: deny all that is handled, but beneath the rules."""
    rules = []
    for number, path in enumerate(rule_paths(case)):
        allowed = handled & (action_table.FILE if number else handled)  # the first is a directory
        rules.append(policy.Rule(str(Path.cwd() / path), allowed, policy.NOTHING, policy.Location("bench", number)))
    return tuple(policy.Policy(f"layer {layer}", handled, "deny", tuple(rules), "bench") for layer in range(case.layers))


@contextlib.contextmanager
def engine(
    live: controller.Controller, case: cases.Case, cgroup: Path, handled: abi.Action = action_table.ALL
) -> Iterator[workload.Way]:
    """Set up a domain of ours: a process domain, or one on the cgroup in which all samples run; with policies or a rule."""
    if case.process:
        with live.prepare(policies(case, handled), cgroup=cgroup) as confinement:
            yield workload.Way(confinement.enter)
    elif case.programs:
        with rules(live, binaries.course_rule(cases.RULE), cgroup) as way:
            yield way
    else:
        with live.attach("bench", policies(case, handled), cgroup):
            yield workload.Way()


@contextlib.contextmanager
def hooks_kept(live: controller.Controller, cgroup: Path) -> Iterator[None]:
    """Have a domain elsewhere that needs all hooks: attaching them is no part of what others cost then."""
    with live.attach("keeper", policies(cases.BASE), cgroup):
        yield


@contextlib.contextmanager
def rules(live: controller.Controller, layer: rule_program.RuleLayer, cgroup: Path) -> Iterator[workload.Way]:
    """Put rule programs in force on the cgroup in which all samples run."""
    with live.attach("bench", (), cgroup, rules=rule_request.Request(layer, binaries.LOADER)):
        yield workload.Way()


@contextlib.contextmanager
def lsm_cgroup(cgroup: Path, at: Sequence[str]) -> Iterator[workload.Way]:
    """Attach an empty program of BPF_LSM_CGROUP at each hook: what the kernel's own way costs before anything is asked."""
    with empty.attached(cgroup, at):
        yield workload.Way()


@contextlib.contextmanager
def bubblewrap_mounts(case: cases.Case) -> Iterator[workload.Way]:
    """Have bubblewrap start the program: all is read-only, but for the tree."""
    here = str(Path.cwd())
    tops = str(Path.cwd() / tree.top(case.depth))
    yield workload.Way(prefix=(bubblewrap.PROGRAM, *READ_ONLY, "--bind", tops, tops, "--chdir", here, "--"))


@contextlib.contextmanager
def apparmor_profile(case: cases.Case) -> Iterator[workload.Way]:
    """Load a profile that allows what is beneath the tree, and have the child change to it."""
    text = f"profile {PROFILE} {{\n  {Path.cwd() / tree.top(case.depth)}/{{,**}} rwlkmix,\n}}\n"
    with apparmor.loaded(text):
        yield workload.Way(lambda: apparmor.change_profile(PROFILE))
