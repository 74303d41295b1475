# SPDX-License-Identifier: GPL-2.0-only
"""What all measurements share: the operations, the files, the cgroups and the engine."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import cgroup, errors, hooks, landlock, record
from landlock_bpf.bench import failures, workload

if TYPE_CHECKING:
    from landlock_bpf import controller


@dataclasses.dataclass(frozen=True)
class Rig:
    """`measured` is the cgroup that every sample runs in, `elsewhere` that of other domains; without `live` no engine."""

    loop: workload.Workload
    measured: Path
    elsewhere: Path
    live: controller.Controller | None
    with_syscalls: bool
    rounds: int
    failures: failures.Failures = dataclasses.field(default_factory=failures.Failures)

    def sample(
        self,
        operation: str,
        subjects: Sequence[workload.Names],
        way: workload.Way,
        *,
        times: int = 1,
        batch: int = workload.BATCH,
    ) -> workload.Sample:
        """Take a sample in a child that is in the measured cgroup under every mechanism.

        What the accounting of memory costs there is then the same for each.
        """

        def enter() -> None:
            cgroup.enter(self.measured)
            way.enter()

        return self.loop.sample(operation, subjects, workload.Way(enter, way.prefix), times=times, batch=batch)

    def sample_open(self, paths: Sequence[str], way: workload.Way) -> workload.Sample:
        """Take a sample of files that are opened in turn."""
        return self.sample(workload.OPEN, [(path, "", "") for path in paths], way)


@contextlib.contextmanager
def open_controller() -> Iterator[controller.Controller]:
    """Open the engine, with all its programs loaded and none attached.

    Raises BusyError if domains are in force already, for they would be in every figure.
    """
    from landlock_bpf import controller, installation  # not for `--only syscalls`

    with controller.Controller.open() as live:
        if live.list():
            raise errors.BusyError("domains are in force, and would be in every figure; detach them, or `landlock-bpf unload`")
        # A program that starts takes thousands of instructions more or less with the memory that the kernel has at hand.
        with record.locked(), installation.load() as loaded:
            installation.load_hooks(loaded, hooks.HOOKS)
        yield live


@contextlib.contextmanager
def make_cgroup(path: Path) -> Iterator[Path]:
    """Make a cgroup and remove it at the end."""
    cgroup.make(path)
    try:
        yield path
    finally:
        cgroup.remove(path)


@contextlib.contextmanager
def open_rig(loop: workload.Workload, *, only: str | None, rounds: int) -> Iterator[Rig]:
    """Make the cgroups and open the engine; `only` names the one mechanism wanted, None is both."""
    with contextlib.ExitStack() as undo:
        ours = undo.enter_context(make_cgroup(cgroup.mount_point() / f"landlock-bpf-bench.{os.getpid()}"))
        measured = undo.enter_context(make_cgroup(ours / "measured"))
        elsewhere = undo.enter_context(make_cgroup(ours / "elsewhere"))
        live = undo.enter_context(open_controller()) if only != "syscalls" else None
        yield Rig(loop, measured, elsewhere, live, only != "engine" and not landlock.missing(), rounds)
