# SPDX-License-Identifier: GPL-2.0-only
"""What domains elsewhere cost a task that is in none."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import abi, course, errors, policy, policy_actions, rule_request
from landlock_bpf.bench import cases, crowd, rig, tree, workload

if TYPE_CHECKING:
    from landlock_bpf import controller

# Nothing is denied: domains elsewhere need no rules to cost a bystander their look-up.
READ_FILE = policy.Policy("read_file", abi.Action.READ_FILE, "allow", (), "bench")
ALL_RIGHTS = policy.Policy("all rights", policy_actions.CLASSIC, "allow", (), "bench")


def measure(bench: rig.Rig, case: cases.Bystander, live: controller.Controller) -> workload.Sample:
    """Measure a task with a file at the base's depth while domains are in force elsewhere."""
    paths = tree.warm_paths(cases.BASE.depth)
    with domains(bench, live, case):
        return min((bench.sample(paths, lambda: None) for _ in range(bench.rounds)), key=lambda each: each.median)


def rule_programs() -> rule_request.Request:
    """Compile the rule that rule programs are measured with."""
    return rule_request.Request(rule_request.compile((course.source(cases.RULE),), "libbpf"), "libbpf")


@contextlib.contextmanager
def domains(bench: rig.Rig, live: controller.Controller, case: cases.Bystander) -> Iterator[None]:
    """Put domains in force elsewhere: on cgroups of their own, and one on a process that waits."""
    wanted = READ_FILE if case.one_hook else ALL_RIGHTS
    with contextlib.ExitStack() as undo:
        paths = [bench.elsewhere / f"elsewhere-{number}" for number in range(case.domains - case.process)]
        for path in paths:
            undo.enter_context(rig.make_cgroup(path))
        # Ending all at once is quick, ending each of a thousand is not.
        undo.callback(live.unload)
        if case.programs:
            crowd.attach_rules(paths, rule_programs())
        else:
            crowd.attach(paths, wanted)
        if case.process:
            undo.enter_context(process_domain(live, wanted, bench.elsewhere))
        yield


@contextlib.contextmanager
def process_domain(live: controller.Controller, wanted: policy.Policy, cgroup: Path) -> Iterator[None]:
    """Keep a process in a process domain until the end."""
    with live.prepare((wanted,), cgroup=cgroup) as confinement:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                confinement.enter()
                os.write(writing, b"1")
                signal.pause()
            finally:
                os._exit(1)
        os.close(writing)
        try:
            if not os.read(reading, 1):
                raise errors.Error("cannot measure bystanders: the process that waits could not enter its domain")
            yield
        finally:
            os.close(reading)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
