# SPDX-License-Identifier: GPL-2.0-only
"""Open descriptors of processes that lie where policies deny: rights fixed at open outlive a later denial.

The engine decides, by its own walk from each open file: nobody who serves a filesystem is asked.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence

from landlock_bpf import abi, engine, explainer, ruleset

_ALL_LAYERS = (1 << abi.Limit.LAYERS) - 1


@dataclasses.dataclass(frozen=True)
class Held:
    """A file that a process has open though it could not open it now."""

    pid: int
    fd: int
    path: str

    def __str__(self) -> str:
        return f"process {self.pid} has {self.path} open (descriptor {self.fd})"


def held(live: engine.Engine, index: int, own: Sequence[ruleset.Layer], pids: Iterable[int]) -> tuple[Held, ...]:
    """List open files of processes that give rights which the last layers of a ruleset, `own`, deny there.

    The ruleset need not be in force yet. What a layer merely does not allow is not listed: every policy with a default of
    denial would have its members' terminals listed. Who is in a PID namespace beside ours, 0 here, is passed over. The lock
    is held.
    """
    first = live.ruleset(index).layers - len(own)
    denying = [first + number for number, layer in enumerate(own) if layer.denies and not layer.permissive]
    found = {each: None for pid in pids if pid and denying for each in _of_process(live, index, denying, pid)}
    return tuple(found)


def _of_process(live: engine.Engine, index: int, denying: Iterable[int], pid: int) -> Iterator[Held]:
    with explainer.Explainer(live.pins, pid) as opened:
        for layer in denying:
            for answer in opened.given(index, skip=~(1 << layer) & _ALL_LAYERS):
                # A rule or what cannot be decided refuses before the default does.
                if answer.denied and answer.reason != abi.Reason.NO_RULE:
                    yield Held(pid, answer.fd, _path(pid, answer.fd))


def _path(pid: int, fd: int) -> str:
    """Tell where an open file is, as we see it, from the first of the threads that has it."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        threads = []
    for thread in (pid, *threads):
        try:
            return os.readlink(f"/proc/{pid}/task/{thread}/fd/{fd}")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return "a file that is closed meanwhile"
