# SPDX-License-Identifier: GPL-2.0-only
"""Process domains made: for a process that is to be started, with the control group it runs in, or for one that runs."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import mmap
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from landlock_bpf import abi, cgroup, change, domain, engine, errors, inheritance, record, rule_slots, ruleset, sweep, threads

# Where control groups are made if our own one may have none in it.
FALLBACK = "landlock-bpf"
_ERRNO = struct.Struct("=i")
_ENDED = -1  # no errno: the domain is not there any more


class Confinement:
    """A domain that waits for its process; a context manager.

    The process to be confined, a child forked from here, calls enter(); the parent calls close() after its end. `notes` say
    what of its policies could not be covered.
    """

    def __init__(self, name: str, index: int, path: Path, live: engine.Engine, notes: tuple[str, ...] = ()) -> None:
        self.name = name
        self.notes = notes
        self.cgroup = path
        self._index = index
        self._engine = live
        # Opened now: what the child must open, it must find.
        _ = live.entrance, live.state, live.domains

    def __enter__(self) -> Confinement:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def enter(self) -> None:
        """Put the calling process, which has one thread, into the control group and the domain: from here on it is confined.

        Whoever is in a domain of the control group may trace it from then on. So it gives up before what it has of the
        engine, see inheritance.give_up(); a child that it forks keeps that, stays outside, puts it there, and ends.

        Raises NotFoundError where the domain was ended meanwhile.
        """
        told, tell = os.pipe()
        with mmap.mmap(-1, _ERRNO.size) as answer:  # to read a descriptor may be denied by then
            _ERRNO.pack_into(answer, 0, errno.EIO)
            process, helper = os.getpid(), os.fork()
            if helper == 0:
                self._help(process, told, tell, answer)
            try:
                inheritance.give_up()
                os.write(tell, b"1")
            finally:
                os.close(told)
                os.close(tell)
                with contextlib.suppress(ChildProcessError):  # SIGCHLD is ignored
                    os.waitpid(helper, 0)
            (number,) = _ERRNO.unpack_from(answer)
        if number == _ENDED:
            raise errors.NotFoundError(f"the domain {self.name} was ended before its process began; start it again")
        if number:
            what = f"the domain {self.name} and the control group {self.cgroup}"
            raise errors.KernelError("enter", what, number, "be root, with that control group writable, and memory left")

    def _help(self, process: int, told: int, tell: int, answer: mmap.mmap) -> NoReturn:
        """Put our parent there once it says that it has nothing more of the engine."""
        try:
            os.close(tell)
            if os.read(told, 1):
                _ERRNO.pack_into(answer, 0, self._put(process))
        except (OSError, errors.KernelError) as error:
            _ERRNO.pack_into(answer, 0, error.errno or errno.EIO)
        finally:
            os._exit(0)

    def _put(self, process: int) -> int:
        # Under the lock, so that nobody ends it as empty between our look and the entry.
        with record.locked():
            if not any(slot.name == self.name and slot.index == self._index for slot in domain.slots(self._engine)):
                return _ENDED
            if os.getppid() != process:  # it has ended, or has made a PID namespace for its children
                return errno.ESRCH
            self._engine.enter(process, self._index)
            cgroup.enter(self.cgroup, process)
        return 0

    def close(self) -> None:
        """End the domain, and remove its control group, if no process is left in it; else a later sweep does."""
        with self._engine, record.locked(), contextlib.ExitStack() as stack:
            live = engine.find()
            if live is None:
                cgroup.remove(self.cgroup)
                return
            stack.enter_context(live)
            mine = [slot for slot in domain.slots(live) if slot.name == self.name and slot.index == self._index]
            if mine and sweep.remove_scope(live, mine[0]):
                sweep.end(live, mine[0])
                sweep.count_process_domains(live, domain.slots(live))


def make(
    live: engine.Engine,
    slots: Sequence[domain.Slot],
    name: str,
    own: tuple[ruleset.Layer, ...],
    serial: int,
    parent: Path | None,
    loaded: rule_slots.Loaded | None = None,
) -> Confinement:
    """Make a process domain and its control group; nobody is in it yet. The lock is held."""
    around = domain.of_process(live, os.getpid())
    outer = next((slot for slot in slots if slot.index == around), None)
    layers = *(change.living_layers(live, outer) if outer else ()), *own
    place = _place(live, parent)
    _check_layers(live, name, place, layers)
    scope = place / f"landlock-bpf-{name}"
    with contextlib.ExitStack() as undo:
        # What the slot says of its cgroup can only be known once that is there, and it is there only once recorded.
        empty = domain.Slot(
            domain.free_slot(slots),
            0,
            abi.Kind.PROCESS,
            name,
            0,
            maker=os.getpid(),
            maker_start=domain.start_of(os.getpid()),
            parent=around,
        )
        wanted = [change.Wanted(empty, layers, str(scope))]
        with change.prepared(live, wanted, serial, loaded) as made:
            cgroup.make(scope)
            undo.callback(cgroup.remove, scope)
            # From before the first task enters: with no process domain the engine looks no task up.
            sweep.count_process_domains(live, [*slots, empty])
            domain.write(live, dataclasses.replace(empty, ruleset=made[0].index, cgroup=cgroup.id_of(scope)))
            undo.pop_all()
    return Confinement(name, empty.index, scope, engine.Engine(live.pins), ruleset.notes(own))


def confine(
    live: engine.Engine,
    slots: Sequence[domain.Slot],
    name: str,
    own: tuple[ruleset.Layer, ...],
    serial: int,
    target: threads.Target,
    loaded: rule_slots.Loaded | None = None,
    *,
    check: Callable[[int], object] | None = None,
) -> domain.Slot:
    """Make a process domain of a running process, or of one thread, inside the one it is in. The lock is held.

    No control group is involved. It lives as long as anybody is in it. `check` is given its ruleset's index before that is
    in force.
    """
    around = threads.shared_domain(live, target)
    outer = next((slot for slot in slots if slot.index == around), None)
    layers = *(change.living_layers(live, outer) if outer else ()), *own
    place = cgroup.of_process(target.pid)
    if place and place.exists():
        _check_layers(live, name, place, layers)
    # Until all threads are in it, it is ours: killed in between, a sweep goes on, see threads.resume().
    maker = os.getpid(), domain.start_of(os.getpid())
    empty = domain.Slot(domain.free_slot(slots), 0, abi.Kind.PROCESS, name, 0, *maker, parent=around)
    with change.prepared(live, [change.Wanted(empty, layers, target=target.words)], serial, loaded) as made:
        if check:
            check(made[0].index)
        sweep.count_process_domains(live, [*slots, empty])
        new = dataclasses.replace(empty, ruleset=made[0].index)
        domain.write(live, new)
    with contextlib.ExitStack() as undo:
        undo.callback(_take_back, live, target, new)
        threads.move(live, target, around, new.index)
        undo.pop_all()
    domain.set_maker(live, new.index, target.first, domain.start_of(target.first))
    return new


def join(live: engine.Engine, slot: domain.Slot, target: threads.Target) -> None:
    """Put a running process into a process domain that is there, right inside the one it is in. The lock is held."""
    with contextlib.ExitStack() as undo:
        undo.callback(_leave, live, slot, target)
        threads.move(live, target, slot.parent, slot.index)
        undo.pop_all()


def _leave(live: engine.Engine, slot: domain.Slot, target: threads.Target) -> None:
    with contextlib.suppress(errors.Error):
        threads.move(live, target, slot.index, slot.parent)


def _take_back(live: engine.Engine, target: threads.Target, new: domain.Slot) -> None:
    """Undo a confinement that did not come to be; children made meanwhile keep it, and so does a process half gone."""
    _leave(live, new, target)
    domain.set_maker(live, new.index, 0, 0)
    if domain.left_by_all(live, new.index):
        sweep.end(live, new)
        sweep.count_process_domains(live, domain.slots(live))


def _place(live: engine.Engine, parent: Path | None) -> Path:
    """Find where to make a control group: in ours, so that what limits us limits the command too."""
    if parent:
        return cgroup.check(parent)
    own = cgroup.own()
    kind = own / "cgroup.type"
    # No domain cgroup can be made in a threaded one; the root has no such file.
    if not kind.exists() or kind.read_text().strip() in ("domain", "domain threaded"):
        return own
    if domain.at(live, own):
        raise errors.KernelError("make a control group in", str(own), errno.EOPNOTSUPP, "start from one that is not threaded")
    fallback = cgroup.mount_point() / FALLBACK
    fallback.mkdir(exist_ok=True)
    return fallback


def remove_fallback() -> None:
    """Remove the control group that was made for those that could not be in ours, unless something is in it."""
    with contextlib.suppress(OSError, errors.UnsupportedError):
        (cgroup.mount_point() / FALLBACK).rmdir()


def _check_layers(live: engine.Engine, name: str, place: Path, layers: Sequence[ruleset.Layer]) -> None:
    index = domain.at(live, place)
    ruled = [slot.ruleset for slot in domain.slots(live) if slot.index == index]
    around = live.ruleset(ruled[0]).layers if ruled else 0
    change.check_layers(name, around + len(layers), "of its control group")
