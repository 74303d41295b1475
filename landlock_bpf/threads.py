# SPDX-License-Identifier: GPL-2.0-only
"""The threads of a running process: which process domain each is in, and all of them put into another one."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os

from landlock_bpf import domain, engine, errors, libc

_CALM = 2  # passes over the threads that find nothing to do
# arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h; include/uapi/linux/kcmp.h
_SYS_KCMP, _KCMP_FILES = {"x86_64": 312}.get(os.uname().machine, 272), 2


@dataclasses.dataclass(frozen=True)
class Target:
    """A process, known by its start (domain.start_of()) as well, or one thread of it; `thread` 0: all of them."""

    pid: int
    start: int
    thread: int = 0

    def __str__(self) -> str:
        return f"thread {self.thread} of process {self.pid}" if self.thread else f"process {self.pid}"

    @property
    def words(self) -> str:
        """Say it in a word for records: from_words() reads it."""
        return f"{self.pid}:{self.start}:{self.thread}"

    @property
    def first(self) -> int:
        """Give the thread by which the target lives."""
        return self.thread or self.pid


def find(pidfd: int, thread: int = 0) -> Target:
    """Say which process a pidfd (or a thread's, of which the process is meant) is of; NotFoundError once it has ended."""
    pids: list[int] = []
    with contextlib.suppress(FileNotFoundError), open(f"/proc/self/fdinfo/{pidfd}") as lines:
        pids += [int(line.split()[1]) for line in lines if line.startswith("Pid:")]
    if not pids:
        raise errors.NotFoundError(f"descriptor {pidfd} is no pidfd; os.pidfd_open() makes one")
    start = domain.start_of(pids[0]) if pids[0] > 0 else 0
    if not start:
        raise errors.NotFoundError("the process has ended, or this PID namespace does not show it")
    target = Target(pids[0], start, thread)
    if thread and thread not in listed(pids[0]):
        raise errors.NotFoundError(f"there is no {target}; /proc/{pids[0]}/task lists its threads")
    return target


def from_words(words: str) -> Target:
    """Read what Target.words says."""
    return Target(*map(int, words.split(":")))


def open_process(pid: int) -> int:
    """Open a pidfd of a process."""
    try:
        return os.pidfd_open(pid)
    except (OSError, OverflowError) as cause:
        if os.path.exists(f"/proc/{pid}"):
            raise errors.NotFoundError(
                f"{pid} is a thread, not a process; name the process, and give --thread {pid}"
            ) from cause
        raise errors.NotFoundError(f"there is no process {pid}") from cause


def shared_domain(live: engine.Engine, target: Target) -> int:
    """Give the process domain that all threads concerned are in, 0 for none; BusyError where they are in several."""
    found: dict[int, list[int]] = {}
    for thread in _concerned(target):
        index = domain.of_thread(live, thread)
        if index is not None:
            found.setdefault(index, []).append(thread)
    if len(found) > 1:
        names = {slot.index: slot.name for slot in domain.slots(live)}
        parts = "; ".join(
            f"{', '.join(map(str, threads))} in {names.get(index, '?') if index else 'none'}"
            for index, threads in sorted(found.items())
        )
        raise errors.BusyError(f"threads of {target} are in different process domains ({parts}); confine them one by one")
    if not found:
        raise ended(target)
    return next(iter(found))


def move(live: engine.Engine, target: Target, before: int, index: int) -> None:
    """Put all threads concerned into domain `index`; those in neither that nor `before` are an error.

    Each is in it from its own store on, and what it then makes begins in it. Threads made meanwhile by those that were not
    are found by looking again, until nothing is left to do; a clone that was under way is mended by on_task_newtask().
    """
    calm = 0
    while calm < _CALM:
        calm += 1
        for thread in _concerned(target):
            now = domain.of_thread(live, thread)
            if now == before:
                calm = 0
                live.enter(thread, index)
            elif now not in (index, None):
                raise errors.BusyError(f"thread {thread} of {target} is in yet another process domain; try again")
    if not is_there(target):
        raise ended(target)


def resume(live: engine.Engine, target: Target, slot: domain.Slot) -> None:
    """Finish what a killed controller began: whoever of the target is not in the domain yet enters it."""
    with contextlib.suppress(errors.Error):  # it ended, or what it made is elsewhere by now: then its members are what counts
        move(live, target, slot.parent, slot.index)
    domain.set_maker(live, slot.index, target.first, domain.start_of(target.first) if is_there(target) else 0)


def is_there(target: Target) -> bool:
    """Whether it has not ended."""
    return domain.start_of(target.pid) == target.start and (not target.thread or target.thread in listed(target.pid))


def ended(target: Target) -> errors.NotFoundError:
    """Make the error for a target that has ended."""
    return errors.NotFoundError(f"{target} ended before it was confined")


def _concerned(target: Target) -> list[int]:
    threads = listed(target.pid)
    return [each for each in threads if not target.thread or each == target.thread]


def listed(pid: int) -> list[int]:
    """List the threads of a process; none once it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    return []


def share_descriptors(one: int, other: int) -> bool:
    """Whether two threads have one table of descriptors; False where kcmp(2) does not tell."""
    words = (ctypes.c_long(word) for word in (_SYS_KCMP, one, other, _KCMP_FILES, 0, 0))
    return int(libc.library().syscall(*words)) == 0
