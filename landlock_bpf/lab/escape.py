# SPDX-License-Identifier: GPL-2.0-only
"""The experiment container-escape: a container into which the host's root leaks, bare and under each guard."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from landlock_bpf import cgroup, errors, progress
from landlock_bpf.lab import bundle, guard, host, runtime, step

ALLOWED, REFUSED, FAILED = "allowed", "refused", "failed"
_REFUSALS = frozenset({"EACCES", "EPERM", "EXDEV"})
_NAMES = {os.strerror(number): name for number, name in errno.errorcode.items()}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a step came to: `failed` is what neither came about nor was refused with an errno of mechanisms."""

    result: str
    errno: str | None
    printed: str


@dataclasses.dataclass(frozen=True)
class Experiment:
    """All that was seen: outcomes by guard and step; of a guard that could not be tried, why."""

    runtime: str
    outcomes: Mapping[str, Mapping[str, Outcome]]
    missing: Mapping[str, str]

    def stopped(self, name: str) -> list[step.Step]:
        """List the steps on the host that a guard stopped."""
        return self._host_steps(name, REFUSED)

    def let_through(self, name: str) -> list[step.Step]:
        """List the steps on the host that came about under a guard."""
        return self._host_steps(name, ALLOWED)

    def problems(self) -> Iterator[str]:
        """Say what keeps the experiment from showing what it is for."""
        for name, why in self.missing.items():
            yield f"{name} could not be tried: {why}"
        for name, outcomes in self.outcomes.items():
            for each in step.STEPS:
                wanted = REFUSED if each.files == step.HOST and name == guard.ENGINE else ALLOWED
                seen = outcomes[each.name]
                # What the system calls stop and let through is the question itself.
                open_question = each.files == step.HOST and name not in (guard.BARE, guard.ENGINE) and seen.result != FAILED
                if seen.result != wanted and not open_question:
                    yield f"{each.name} under {name} should have been {wanted}, but {seen.result}: {seen.printed or 'no word'}"

    def _host_steps(self, name: str, result: str) -> list[step.Step]:
        outcomes = self.outcomes.get(name, {})
        return [each for each in step.STEPS if each.files == step.HOST and outcomes and outcomes[each.name].result == result]


def run(guards: Sequence[guard.Guard] = guard.GUARDS) -> Experiment:
    """Run it under each guard in turn, on fresh files and in a fresh container; nothing of it is left afterwards."""
    outcomes, missing = {}, {}
    with progress.bar(len(guards)) as tell, tempfile.TemporaryDirectory(prefix="landlock-bpf-lab-") as name:
        folder = Path(name).resolve()
        containers = runtime.Runtime(folder / "state")
        version = containers.version()
        for each in guards:
            tell(each.name)
            try:
                if why := each.missing():
                    missing[each.name] = why
                else:
                    outcomes[each.name] = _run_under(each, containers, folder / each.name)
            except errors.Error as error:
                missing[each.name] = str(error)
    return Experiment(version, outcomes, missing)


def _run_under(each: guard.Guard, containers: runtime.Runtime, folder: Path) -> dict[str, Outcome]:
    name = f"landlock-bpf-lab-{os.getpid()}-{each.name}"
    group = cgroup.mount_point() / name
    folder.mkdir()
    victim = host.make(folder / "host")
    words, first = each.first()
    bundle.make(folder / "bundle", step.script(victim, runtime.LEAKED), first)
    bundle.configure(folder / "bundle", (*words, "/bin/sh", "/escape"), runtime.WORKDIR, f"/{name}")
    with contextlib.ExitStack() as undo:
        undo.callback(_remove, group)
        pidfd = undo.enter_context(containers.created(name, folder / "bundle"))
        with each.enforced(folder / "bundle", group):
            containers.run(name, pidfd)
    return {one.name: judge(one, victim, folder / "bundle" / "rootfs" / "out") for one in step.STEPS}


def _remove(group: Path) -> None:
    """See that the container's cgroup is gone; the runtime removes it, unless it was killed."""
    if not cgroup.remove(group):
        raise errors.BusyError(f"processes are left in {group}; kill them: echo 1 >{group}/cgroup.kill, then rmdir it")


def judge(one: step.Step, victim: host.Host, out: Path) -> Outcome:
    """Judge a step by what the container said of it and by what is to be seen of it outside: both must agree."""
    try:
        printed, status = (out / one.name).read_text(errors="replace"), (out / f"{one.name}.status").read_text().strip()
    except FileNotFoundError as error:
        raise errors.Error(f"the container ended before the step {one.name}, for reasons of its own; try again") from error
    happened = one.happened is None or one.happened(victim, printed)
    if status == "0" and happened:
        return Outcome(ALLOWED, None, printed.strip())
    number = next((name for text, name in _NAMES.items() if printed.rstrip().endswith(f": {text}")), None)
    # A command may fail after what it was to do has come about: nothing was stopped then.
    stopped = status != "0" and number in _REFUSALS and not (one.happened and happened)
    return Outcome(REFUSED if stopped else FAILED, number, printed.strip())
