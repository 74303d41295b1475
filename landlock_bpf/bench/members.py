# SPDX-License-Identifier: GPL-2.0-only
"""What a mechanism costs a task that is under it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import hooks, landlock, policy, policy_actions
from landlock_bpf.bench import bystanders, cases, results, rig, tree, workload

if TYPE_CHECKING:
    from landlock_bpf import controller

Enter = Callable[[], None]
# The same rights under both: those that Landlock has.
HANDLED = policy_actions.CLASSIC


Samples = dict[str, dict[str, workload.Sample]]


def measure_others(bench: rig.Rig, case: cases.Case) -> Samples:
    """Measure one case unrestricted and under the system calls, in turn."""
    mechanisms: dict[str, Callable[[], contextlib.AbstractContextManager[Enter]]] = {results.UNRESTRICTED: unrestricted}
    if bench.with_syscalls:
        mechanisms[results.SYSCALLS] = functools.partial(syscalls, case)
    return _measure(bench, case, mechanisms)


def measure_engine(bench: rig.Rig, case: cases.Case, live: controller.Controller) -> Samples:
    """Measure one case under the engine. After it others pay for its hooks until the kernel has let go of the last one."""
    return _measure(bench, case, {results.ENGINE: functools.partial(engine, live, case, bench.measured)})


def _measure(
    bench: rig.Rig, case: cases.Case, mechanisms: dict[str, Callable[[], contextlib.AbstractContextManager[Enter]]]
) -> Samples:
    """Take the samples of one file over and over, and of many in turn: by files, then by mechanism."""
    paths = {results.WARM: tree.warm_paths(case.depth), results.COLD: tree.cold_paths(case.depth)}
    samples: Samples = {files: {} for files in paths if paths[files]}
    for _ in range(bench.rounds):
        for name, setup in mechanisms.items():
            with setup() as enter:
                for files, best in samples.items():
                    sample = bench.sample(paths[files], enter)
                    best[name] = min(sample, best.get(name, sample), key=lambda each: each.median)
    return samples


def rule_paths(case: cases.Case) -> list[str]:
    """Name what the rules of a case lie on: the top of the file's tree, then files beside."""
    return [tree.top(case.depth), *(tree.beside_path(number) for number in range(case.rules - 1))]


@contextlib.contextmanager
def unrestricted() -> Iterator[Enter]:
    """Set up nothing."""
    yield lambda: None


@contextlib.contextmanager
def syscalls(case: cases.Case) -> Iterator[Enter]:
    """Set up the landlock system calls."""
    handled = HANDLED & policy_actions.rights_of(landlock.abi_version())
    with contextlib.ExitStack() as undo:
        rulesets = [undo.enter_context(landlock.Ruleset(handled)) for _ in range(case.layers)]
        for path in rule_paths(case):
            for ruleset in rulesets:
                ruleset.allow(path, handled)

        def enter() -> None:
            for ruleset in rulesets:
                ruleset.restrict_self()

        yield enter


@contextlib.contextmanager
def engine(live: controller.Controller, case: cases.Case, cgroup: Path) -> Iterator[Enter]:
    """Set up a domain of ours: a process domain, or one on the cgroup in which all samples run; with policies or a rule."""
    rules = []
    for number, path in enumerate(rule_paths(case)):
        allowed = HANDLED & (hooks.FILE if number else hooks.ALL)  # the first is a directory
        rules.append(policy.Rule(str(Path.cwd() / path), allowed, policy.NOTHING, policy.Location("bench", number)))
    policies = tuple(policy.Policy(f"layer {layer}", HANDLED, "deny", tuple(rules), "bench") for layer in range(case.layers))
    with contextlib.ExitStack() as undo:
        if case.process:
            confinement = undo.enter_context(live.prepare(policies, cgroup=cgroup))
            yield confinement.enter
        else:
            if case.programs:
                live.attach("bench", (), cgroup, rules=bystanders.rule_programs())
            else:
                live.attach("bench", policies, cgroup)
            undo.callback(live.detach, "bench")
            yield lambda: None
