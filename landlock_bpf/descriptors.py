# SPDX-License-Identifier: GPL-2.0-only
"""Open descriptors of processes that lie where policies deny: rights fixed at open outlive a later denial.

The engine judges them. What they stand for is not looked at from here: a server of FUSE may never answer.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Iterable, Iterator, Sequence

from landlock_bpf import abi, engine, errors, judge, pathname, ruleset, threads

# What a member has open is his choice, and others wait for the lock.
SECONDS = 10  # for all members
MOST = 100  # files of one process that are listed
_ALL_LAYERS = (1 << abi.Limit.LAYERS) - 1


@dataclasses.dataclass(frozen=True)
class Held:
    """A file that a process has open though it could not open it now; with no `fd`, words on what could not be judged."""

    pid: int
    fd: int | None
    path: str

    def __str__(self) -> str:
        if self.fd is None:
            return self.path
        return f"process {self.pid} has {self.path} open (descriptor {self.fd})"


def held(
    live: engine.Engine, index: int, own: Sequence[ruleset.Layer], pids: Iterable[int], thread: int = 0
) -> tuple[Held, ...]:
    """List open files that give rights which the last layers of a ruleset, `own`, deny there: of processes, or of a thread.

    The ruleset need not be in force. What a layer merely does not allow is not listed: else every policy with a default of
    denial would have its members' terminals listed. The lock is held.
    """
    # Counted from the end: those of domains around come first.
    denying = [number for number, layer in enumerate(own, -len(own)) if layer.denies and not layer.permissive]
    members = list(pids) if denying else []
    if not members:
        return ()
    try:
        return tuple(dict.fromkeys(_held(live, index, denying, members, thread)))
    except (OSError, errors.KernelError) as error:
        return (Held(0, None, f"what members have open could not be judged: {error}"),)


def _held(live: engine.Engine, index: int, denying: Iterable[int], members: Iterable[int], thread: int) -> Iterator[Held]:
    count = live.ruleset(index).layers
    skip = _ALL_LAYERS & ~sum(1 << count + number for number in denying)
    end = time.monotonic() + SECONDS
    with judge.Judge(live.pins) as opened:
        for pid in members:
            if pid == 0:
                yield Held(0, None, "members in PID namespaces beside ours cannot be judged from here")
                continue
            found: list[Held] = []
            late = False
            try:
                for each in itertools.islice(_of_process(opened, index, skip, pid, thread, end), MOST + 1):
                    found.append(each)  # and stays so when the time ends
            except TimeoutError:
                late = True
            if os.path.exists(f"/proc/{pid}"):  # else all of it is closed
                yield from found[:MOST]
                if len(found) > MOST:
                    yield Held(pid, None, f"process {pid} has more such files open")
            if late:
                what = f"process {pid}, and those after it, have too much open for all to be judged in {SECONDS} seconds"
                yield Held(pid, None, what)
                return


def _of_process(opened: judge.Judge, index: int, skip: int, pid: int, thread: int, end: float) -> Iterator[Held]:
    for each in [thread] if thread else _tables(pid, end):
        for told in opened.look(index, each, skip=skip):
            if time.monotonic() > end:
                raise TimeoutError
            if told:
                yield Held(pid, told.fd, pathname.text(told.path))


def _tables(pid: int, end: float) -> Iterator[int]:
    """Give a thread for each table of descriptors that threads of a process have, nearly always one for all."""
    seen: list[int] = []
    for thread in threads.listed(pid):
        if time.monotonic() > end:
            raise TimeoutError
        if not any(threads.share_descriptors(thread, other) for other in seen):
            seen.append(thread)
            yield thread
