# SPDX-License-Identifier: GPL-2.0-only
"""Domains in the kernel: the slots that tell which ruleset is in force, and the cgroups and tasks that are in them."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import os
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from landlock_bpf import abi, cgroup, engine, errors

_SIZE = ctypes.sizeof(abi.Domain)
_ASK = (1 << 64) - 1  # a mark of no cgroup: whoever meets it looks up
_INIT_PID_NS = 0xEFFFFFFC  # include/linux/proc_ns.h, PROC_PID_INIT_INO
_PIDFD_THREAD = os.O_EXCL  # include/uapi/linux/pidfd.h; Linux 6.9
# What pidfd_open(2) says of a thread that has ended, in one version of the kernel or another.
_ENDED = (errno.ESRCH, errno.ENOENT, errno.EINVAL)
_OWN, _INHERITED = 1, 2  # bits of Domain.sticky; the engine asks whether there is any
_PER_SLOT = _SIZE // 8  # the kernel aligns the elements of an array to 8 bytes


@dataclasses.dataclass(frozen=True)
class Slot:
    """struct domain of abi.h and its index: a copy of what was there when it was read."""

    index: int
    ruleset: int
    kind: abi.Kind
    name: str
    cgroup: int
    maker: int = 0
    maker_start: int = 0
    parent: int = 0
    sticky: bool = False


def slots(live: engine.Engine) -> list[Slot]:
    """Read the slots in use, half-made ones as well."""
    # Of 1,000 slots few are used: the first word is ruleset and kind, and C passes by those that have none.
    heads = live.domains.cast("Q")[::_PER_SLOT].tolist()
    found, place = [], -1
    for head in filter(None, heads):
        place = heads.index(head, place + 1)
        found.append(_read(live, place))
    return found


def free_slot(used: Iterable[Slot]) -> int:
    """Find an index for a new domain."""
    return free_index({slot.index for slot in used}, abi.Limit.DOMAINS + 1, "domains")


def free_ruleset(used: Iterable[int]) -> int:
    """Find an index for a new ruleset."""
    return free_index(set(used), abi.Limit.RULESETS, "rulesets")


def free_index(used: Container[int], count: int, what: str) -> int:
    """Find the first number below `count` that is not used, 0 left out; LimitError names what is used up."""
    for index in range(1, count):
        if index not in used:
            return index
    raise errors.LimitError(f"{count - 1} {what} are in use, and there are no more; detach one first")


def write(live: engine.Engine, slot: Slot) -> None:
    """Make a slot. The switch is thrown last, for what is in the slot before may be of a killed controller."""
    made = abi.Domain(
        kind=slot.kind,
        cgroup=slot.cgroup,
        maker=slot.maker,
        maker_start=slot.maker_start,
        parent=slot.parent,
        sticky=int(slot.sticky),
        name=slot.name.encode(),
    )
    live.rates.update(slot.index, abi.Rate())  # what it counts was another domain's
    start = slot.index * _SIZE
    live.domains[start : start + _SIZE] = bytes(made)
    switch(live, slot.index, slot.ruleset)


def switch(live: engine.Engine, index: int, ruleset: int) -> None:
    """Put another ruleset in force in a domain, 0 for none: one aligned store of 32 bits."""
    live.domains.cast("I")[(index * _SIZE + abi.Domain.ruleset.offset) // 4] = ruleset


def set_parent(live: engine.Engine, index: int, parent: int) -> None:
    """Tell which domain a domain is in: user space alone asks."""
    live.domains.cast("I")[(index * _SIZE + abi.Domain.parent.offset) // 4] = parent


def clear(live: engine.Engine, index: int) -> None:
    """Free a slot that nothing refers to any more."""
    start = index * _SIZE
    live.domains[start : start + _SIZE] = bytes(_SIZE)


def give_cgroups(live: engine.Engine, path: Path, slot: Slot) -> None:
    """Put the control group of a domain, and all beneath it that are in that around it or in none, into the domain.

    Control groups made meanwhile get their parent's domain from the engine: when a pass over the tree after settle() finds
    none that it has to record, none is left out. NotFoundError where another control group is at its path now.
    """
    index, before = slot.index, slot.parent
    written: set[int] = set()
    while True:
        if cgroup.id_of(path) != slot.cgroup:
            raise errors.NotFoundError(f"the control group {path} was removed and made again meanwhile; attach to the new one")
        found = [slot.cgroup, *(number for number, _path in cgroup.beneath(path))]
        # What is in none here was made when there was no room to record it.
        missing = [number for number in found if of_cgroup(live, number) in (0, before)]
        if not missing:
            break
        _record(live, missing, index)
        written.update(missing)
        cgroup.settle(path)
    # One removed between being found and being written has no one to remove its entry.
    for number in written.difference(found):
        live.cgroups.delete(number)


def take_cgroups(live: engine.Engine, index: int, heir: int) -> None:
    """Take all control groups out of a domain and put them into `heir`, the one around it (0: none)."""
    while left := [key.value for key, value in live.cgroups.items() if value.value == index]:
        if heir:
            _record(live, left, heir)
        else:
            _unmark(live, left)
            live.cgroups.delete_batch(left)
        cgroup.settle(cgroup.mount_point())


def spread_sticky(live: engine.Engine, known: Iterable[Slot] | None = None) -> None:
    """Make the domains inside sticky ones sticky as well: who is moved out of both would leave the outer one.

    `known` are the slots, where they have just been read.
    """
    found = {slot.index: slot for slot in (slots(live) if known is None else known)}
    for slot in found.values():
        wanted, outer = int(slot.sticky), found.get(slot.parent)
        while outer and slot.kind == abi.Kind.CGROUP:
            wanted |= _INHERITED if outer.sticky else 0
            outer = found.get(outer.parent)
        words, place = live.domains.cast("I"), (slot.index * _SIZE + abi.Domain.sticky.offset) // 4
        if words[place] != wanted:
            words[place] = wanted


def set_maker(live: engine.Engine, index: int, maker: int, start: int) -> None:
    """Tell by which process a domain lives: user space alone asks."""
    place = index * _SIZE
    # A number without its start is nobody's: whoever reads in between looks for members.
    live.domains.cast("Q")[(place + abi.Domain.maker_start.offset) // 8] = start
    live.domains.cast("I")[(place + abi.Domain.maker.offset) // 4] = maker


def members(live: engine.Engine, index: int) -> Iterator[int]:
    """List the processes that have a thread in a process domain, wherever they are."""
    for process, threads in _processes():
        # The first one is mostly enough: threads are in the domain of the process unless they were confined alone.
        if any(of_thread(live, thread) == index for thread in threads):
            yield process


def _processes() -> Iterator[tuple[int, list[int]]]:
    """List the processes that /proc shows us, and the threads of each."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            yield int(name), [int(thread) for thread in os.listdir(f"/proc/{name}/task")]


def holds(live: engine.Engine, group: int) -> bool:
    """Whether the domain of a control group, by its id, may hold tasks that left it by themselves: see bpf/leaving.h."""
    if not live.state.escaped:
        return False
    if not _sees_all():
        return True
    before = live.state.escaped, _forks(live)
    # Twice, and nobody new meanwhile: as in left_by_all(). Forks of who is in no process domain are counted in slot 0.
    return any(_holds(live, group) for _ in range(2)) or (live.state.escaped, _forks(live)) != before


def _sees_all() -> bool:
    """Whether /proc shows us all processes."""
    return os.stat("/proc/self/ns/pid").st_ino == _INIT_PID_NS


def _holds(live: engine.Engine, group: int) -> bool:
    if any(each.held == group for each in departed(live).values()):
        return True
    for _process, threads in _processes():
        for thread in threads:
            with thread_opened(thread) as pidfd:
                task = live.tasks.lookup(pidfd) if pidfd is not None else None
            if task and task.held == group:
                return True
    return False


def departed(live: engine.Engine) -> dict[int, abi.Departed]:
    """Read what is kept of threads that could have no storage when they were moved, by id; of ended ones it is forgotten."""
    if not live.state.departed:
        return {}
    found = {int(thread.value): kept for thread, kept in live.departures.items()}
    ended = [thread for thread in found if not os.path.exists(f"/proc/{thread}")] if _sees_all() else []
    for thread in ended:
        live.departures.delete(thread)
        del found[thread]
    return found


def left_by_all(live: engine.Engine, index: int) -> bool:
    """Whether no process is in a process domain, wherever it is and however fast it forks; False where that cannot be seen."""
    if not _sees_all():
        return False
    before = _forks(live)[index]
    # Whoever is in it all the while is listed, unless it is a new one: then the engine has counted a fork, or did so just
    # before we looked; that one is there for the second list.
    empty = all(next(members(live, index), None) is None for _ in range(2))
    return empty and _forks(live)[index] == before


def of_cgroup(live: engine.Engine, number: int) -> int:
    """Give the domain that a control group is in, its own or one around it; 0 for none."""
    found = live.cgroups.lookup(number)
    return found.value if found else 0


def at(live: engine.Engine, path: Path) -> int:
    """Give the domain that holds in a control group, as the engine finds it: if unrecorded, that of the nearest above."""
    top = cgroup.mount_point()
    for each in (path, *path.parents) if live.state.orphans else (path,):
        found = of_cgroup(live, cgroup.id_of(each))
        if found or each == top:
            return found
    return 0


def of_process(live: engine.Engine, pid: int) -> int:
    """Give the process domain of a process, that of its first thread; 0 for none."""
    return of_thread(live, pid) or 0


def of_thread(live: engine.Engine, thread: int) -> int | None:
    """Give the process domain of a thread, 0 for none; None where it has ended."""
    with thread_opened(thread) as pidfd:
        if pidfd is None:
            return None
        task = live.tasks.lookup(pidfd)
    return int(task.domain) if task else 0


@contextlib.contextmanager
def thread_opened(thread: int) -> Iterator[int | None]:
    """Open a pidfd of a thread; None where it has ended."""
    try:
        pidfd = os.pidfd_open(thread, _PIDFD_THREAD)
    except OSError as error:
        if error.errno not in _ENDED:
            raise
        pidfd = None
    try:
        yield pidfd
    finally:
        if pidfd is not None:
            os.close(pidfd)


def start_of(pid: int) -> int:
    """Give the start of a process in clock ticks after boot; 0 if there is none. With the id it names a process for ever."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # proc(5): the second field, the name, is in parentheses and may contain anything; starttime is the 22nd.
            return int(stat.read().rpartition(b")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _forks(live: engine.Engine) -> list[int]:
    """Read how many tasks were made in each slot: 0 is of those that are held or drawn and in no process domain."""
    return live.domains.cast("I")[abi.Domain.forks.offset // 4 :: _SIZE // 4].tolist()


def _record(live: engine.Engine, numbers: list[int], index: int) -> None:
    _unmark(live, numbers)
    try:
        live.cgroups.update_batch(dict.fromkeys(numbers, index))
    except errors.KernelError as cause:
        if cause.errno != errno.E2BIG:
            raise
        limit = int(abi.Limit.CGROUPS)
        raise errors.LimitError(f"more than {limit} control groups would be in domains; detach one first") from cause
    for number in numbers:
        live.marks[number % abi.Limit.MARKS] = number << abi.Limit.MARK_BITS & _ASK | index


def _unmark(live: engine.Engine, numbers: list[int]) -> None:
    """Have the engine look control groups up: it believes a mark, so none may stand while what it says is changed."""
    for number in numbers:
        live.marks[number % abi.Limit.MARKS] = _ASK


def _read(live: engine.Engine, index: int) -> Slot:
    raw = abi.Domain.from_buffer_copy(live.domains, index * _SIZE)
    return Slot(
        index,
        raw.ruleset,
        abi.Kind(raw.kind),
        raw.name.decode(errors="replace"),
        raw.cgroup,
        raw.maker,
        raw.maker_start,
        raw.parent,
        bool(raw.sticky & _OWN),
    )
