# SPDX-License-Identifier: GPL-2.0-only
"""What a mechanism costs a task that is under it: open(2) by cases, and all operations at the base."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from landlock_bpf.bench import binaries, cases, mechanisms, operations, results, rig, tree, workload

if TYPE_CHECKING:
    from landlock_bpf import controller

Samples = dict[str, dict[str, workload.Sample]]
Found = tuple[operations.Operation, str, workload.Sample]


def measure_others(bench: rig.Rig, case: cases.Case) -> Samples:
    """Measure one case unrestricted and under the system calls, in turn: by files, then by mechanism."""
    setups: dict[str, mechanisms.Setup] = {mechanisms.UNRESTRICTED: mechanisms.unrestricted}
    if bench.with_syscalls:
        setups[mechanisms.SYSCALLS] = functools.partial(mechanisms.syscalls, case)
    return _measure(bench, case, setups)


def measure_engine(bench: rig.Rig, case: cases.Case, live: controller.Controller) -> Samples:
    """Measure one case under the engine. After it others pay for its hooks until the kernel has let go of the last one."""
    return _measure(bench, case, {mechanisms.ENGINE: functools.partial(mechanisms.engine, live, case, bench.measured)})


def _measure(bench: rig.Rig, case: cases.Case, setups: Mapping[str, mechanisms.Setup]) -> Samples:
    """Take the samples of one file over and over, and of many in turn."""
    paths = {results.WARM: tree.warm_paths(case.depth), results.COLD: tree.cold_paths(case.depth)}
    samples: Samples = {files: {} for files in paths if paths[files]}
    for _ in range(bench.rounds):
        for name, setup in setups.items():
            with bench.failures.of(name), setup() as way:
                for files, best in samples.items():
                    sample = bench.sample_open(paths[files], way)
                    best[name] = better(sample, best.get(name))
    return samples


def operations_of_others(
    bench: rig.Rig, chosen: Sequence[operations.Operation], columns: Iterable[mechanisms.Mechanism]
) -> Iterator[Found]:
    """Measure operations under what needs no BPF program; gives each sample with its operation and mechanism."""
    setups: dict[str, mechanisms.Setup] = {
        mechanisms.UNRESTRICTED: mechanisms.unrestricted,
        mechanisms.SYSCALLS: functools.partial(mechanisms.syscalls, cases.BASE),
        mechanisms.BUBBLEWRAP: functools.partial(mechanisms.bubblewrap_mounts, cases.BASE),
        mechanisms.APPARMOR: functools.partial(mechanisms.apparmor_profile, cases.BASE),
    }
    names = [column.name for column in columns if column.name in setups and not column.missing]
    for name in names * bench.rounds:
        with bench.failures.of(name), setups[name]() as way:
            yield from _operations(bench, chosen, name, way)


def operations_of_engine(
    bench: rig.Rig, chosen: Sequence[operations.Operation], live: controller.Controller
) -> Iterator[Found]:
    """Measure operations in a domain with one policy; those that handle more come last."""
    in_order = sorted(chosen, key=lambda each: (each.handled.bit_count(), each.handled))
    for handled, group in itertools.groupby(in_order, key=lambda each: each.handled):
        with (
            bench.failures.of(mechanisms.ENGINE),
            mechanisms.engine(live, cases.BASE, bench.measured, handled) as way,
        ):
            yield from _operations(bench, list(group), mechanisms.ENGINE, way)


def operations_of_programs(
    bench: rig.Rig, chosen: Sequence[operations.Operation], live: controller.Controller
) -> Iterator[Found]:
    """Measure operations under empty programs of BPF_LSM_CGROUP, and under rule programs."""
    for operation in chosen:
        with bench.failures.of(mechanisms.LSM_CGROUP), mechanisms.lsm_cgroup(bench.measured, operation.hooks) as way:
            yield from _operations(bench, [operation], mechanisms.LSM_CGROUP, way)
    for name, count in mechanisms.RULES.items():
        with bench.failures.of(name), mechanisms.rules(live, binaries.rules(count), bench.measured) as way:
            yield from _operations(bench, chosen, name, way)


def _operations(bench: rig.Rig, chosen: Sequence[operations.Operation], mechanism: str, way: workload.Way) -> Iterator[Found]:
    for operation in chosen:
        subject = operation.subject(cases.BASE.depth)
        samples = (
            bench.sample(operation.function, [subject], way, times=operation.times, batch=operation.batch)
            for _ in range(operation.samples)
        )
        with bench.failures.of(mechanism):
            yield operation, mechanism, functools.reduce(better, samples)


def better(sample: workload.Sample, best: workload.Sample | None) -> workload.Sample:
    """Give the sample that was disturbed less."""
    return sample if best is None else min(sample, best, key=lambda each: each.median)
