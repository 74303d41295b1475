# SPDX-License-Identifier: GPL-2.0-only
"""Our own engine, with the policy itself."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import landlock_bpf
from landlock_bpf import cgroup, controller, errors, installation, record
from landlock_bpf.compare import mechanism, statements
from landlock_bpf.compare.operation import Operation
from landlock_bpf.compare.scene import Scene

PATIENCE = 10.0  # seconds


def engine_missing() -> str | None:
    """Say why the engine cannot be loaded here; it is loaded, if it was not."""
    try:
        with record.locked(), installation.load():
            return None
    except (errors.Error, OSError) as error:
        return str(error)


@contextlib.contextmanager
def emptied(group: Path) -> Iterator[None]:
    """See at the end that nobody is left in a control group: a domain ends with its last process.

    An interrupted member is dead by then; what it had a child do is killed with it, but ends when the kernel gets to it.
    """
    try:
        yield
    finally:
        (group / "cgroup.kill").write_text("1")
        last = time.monotonic() + PATIENCE
        while cgroup.populated(group) and time.monotonic() < last:
            time.sleep(0.005)


class Engine:
    name = "bpf"
    what = "Policies as BPF programs on LSM hooks decide them: put on from outside, with rules that deny as well."
    errnos = mechanism.USUAL | {"EXDEV"}

    @property
    def title(self) -> str:
        return f"landlock-bpf {landlock_bpf.__version__}"

    def missing(self) -> str | None:
        return engine_missing()

    def cannot(self) -> tuple[str, ...]:
        return ("no rules on ports, signals and abstract sockets",)

    def says(self, operation: Operation) -> str | None:
        return None

    @contextlib.contextmanager
    def enforced(self, scene: Scene) -> Iterator[mechanism.Launch]:
        policies = statements.load(Path(scene.policy), scene.root)
        with controller.Controller.open() as live, live.prepare(policies) as confinement:
            with emptied(confinement.cgroup):
                yield mechanism.Launch(enter=confinement.enter)
