# SPDX-License-Identifier: GPL-2.0-only
"""What domains elsewhere cost a task that is in none."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import abi, action_table, errors, policy, rule_request
from landlock_bpf.bench import binaries, cases, crowd, mechanisms, rig, tree, workload

if TYPE_CHECKING:
    from landlock_bpf import controller

# Nothing is denied: domains elsewhere need no rules to cost a bystander their look-up.
READ_FILE = policy.Policy("read_file", abi.Action.READ_FILE, "allow", (), "bench")
ALL_ACTIONS = policy.Policy("all actions", action_table.ALL, "allow", (), "bench")


def measure(
    bench: rig.Rig, chosen: Iterable[cases.Bystander], live: controller.Controller
) -> Iterator[tuple[cases.Bystander, workload.Sample]]:
    """Measure a task with a file at the base's depth while domains are in force elsewhere; those on cgroups are made once."""
    paths = tree.warm_paths(cases.BASE.depth)
    for (_, number, _), group in itertools.groupby(chosen, key=lambda case: (case.one_hook, case.cgroups, case.programs)):
        alike = list(group)
        with bench.failures.of(mechanisms.ENGINE), domains(bench, alike[0], number):
            for case in alike:
                wanted = READ_FILE if case.one_hook else ALL_ACTIONS
                with process_domain(live, wanted, bench.elsewhere) if case.process else contextlib.nullcontext():
                    samples = (bench.sample_open(paths, workload.Way()) for _ in range(bench.rounds))
                    yield case, min(samples, key=lambda each: each.median)


@contextlib.contextmanager
def domains(bench: rig.Rig, case: cases.Bystander, number: int) -> Iterator[None]:
    """Put so many domains in force elsewhere, on cgroups of their own."""
    paths = [bench.elsewhere / f"elsewhere-{each}" for each in range(number)]
    with contextlib.ExitStack() as undo:
        undo.callback(crowd.end)
        for path in paths:
            undo.enter_context(rig.make_cgroup(path))
        if case.programs:
            crowd.attach_rules(paths, rule_request.Request(binaries.course_rule(cases.RULE), binaries.LOADER))
        else:
            crowd.attach(paths, READ_FILE if case.one_hook else ALL_ACTIONS)
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
