# SPDX-License-Identifier: GPL-2.0-only
"""The controller: puts policies in force on cgroups and processes, replaces them, ends them, and tells what is in force.

Each command holds one lock, sweeps up after killed ones, and goes through the same steps: resolve all, prepare all, then one
store that puts it in force. Killed before that store it has changed nothing that is enforced, killed after it, the next
command finishes the rest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from landlock_bpf import (
    abi,
    attachment,
    cgroup,
    confinement,
    descriptors,
    domain,
    engine,
    errors,
    installation,
    inventory,
    policy,
    record,
    resolution,
    ruleset,
    sweep,
)

Confinement = confinement.Confinement
Slots = list[domain.Slot]


class Controller:
    """The commands on domains; a context manager. Enforcement does not need it: it goes on without any process of ours."""

    @classmethod
    def open(cls) -> Controller:
        """Make a controller; PrivilegeError without root."""
        if os.geteuid() != 0:
            raise errors.PrivilegeError("only root can confine others and load BPF programs; use sudo")
        return cls()

    def __enter__(self) -> Controller:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass  # each command closes what it opened

    def attach(
        self, name: str, policies: Sequence[policy.Policy], cgroup: Path, *, strict: bool = False
    ) -> inventory.DomainInfo:
        """Put policies in force on a cgroup and all beneath it, as a new domain.

        The answer's `held` lists open files of members that lie where the policies deny: they stay usable. With `strict`
        BusyError refuses instead.
        """
        domain.check_name(name)
        path = attachment.check_place(cgroup)
        with _loaded() as (live, slots):
            _refuse_taken(name, slots)
            serial = record.new_serial()
            with _resolved(live, name, policies, serial) as own:
                if strict:
                    _refuse_held(descriptors.held(path, own), name)
                new = attachment.attach(live, slots, name, own, path, serial)
            with contextlib.ExitStack() as undo:
                undo.callback(attachment.detach, live, new)
                held = descriptors.held(path, own)
                if strict:
                    _refuse_held(held, name)
                undo.pop_all()
            return dataclasses.replace(inventory.describe(live, new), held=held)

    def update(self, name: str, policies: Sequence[policy.Policy]) -> inventory.DomainInfo:
        """Replace the policies of a domain: each access is decided by the old ones or the new ones, whole."""
        with _loaded() as (live, slots):
            slot = _named(name, slots)
            serial = record.new_serial()
            with _resolved(live, name, policies, serial) as own:
                attachment.update(live, slots, slot, own, serial)
            return inventory.describe(live, _named(name, domain.slots(live)))

    def detach(self, name: str) -> None:
        """End a domain. BusyError for one of processes that still run: they keep it until they end."""
        with _found() as (live, slots):
            slot = _named(name, slots)
            if slot.kind == abi.Kind.CGROUP:
                attachment.detach(live, slot)
                return
            if not sweep.remove_scope(live, slot):
                pids = ", ".join(map(str, domain.members(live, slot.index))) or "some that are just ending"
                raise errors.BusyError(f"processes are in the domain {name}: {pids}; it ends with them")
            sweep.end(live, slot)
            sweep.count_process_domains(live, domain.slots(live))

    def prepare(self, policies: Sequence[policy.Policy], name: str | None = None, cgroup: Path | None = None) -> Confinement:
        """Make a domain for a process that is to be started, and a control group for it, in `cgroup` or our own.

        The domain lives until Confinement.close() finds no process in it, or a sweep after our end.
        """
        with _loaded() as (live, slots):
            name = domain.check_name(name) if name else _free_name(slots)
            _refuse_taken(name, slots)
            serial = record.new_serial()
            with _resolved(live, name, policies, serial) as own:
                return confinement.make(live, slots, name, own, serial, cgroup)

    def list(self) -> tuple[inventory.DomainInfo, ...]:
        """List the domains in force, by name."""
        if engine.find() is None:
            return ()
        with _found() as (live, slots):
            return tuple(inventory.describe(live, slot) for slot in sorted(slots, key=lambda slot: slot.name))

    def show(self, name: str) -> inventory.DomainDetail:
        """Tell all about one domain."""
        with _found() as (live, slots):
            return inventory.detail(live, _named(name, slots), slots)

    def unload(self) -> None:
        """End all domains, those of running processes too, and remove the engine from the kernel."""
        with record.locked():
            scopes = []
            # None is loaded, or one of another version, whose maps may be missing or differ: it goes all the same.
            with contextlib.suppress(errors.Error), _engine() as live:
                scopes = [cgroup.find(slot.cgroup) for slot in domain.slots(live) if slot.kind == abi.Kind.PROCESS]
            installation.unload()
            for scope in filter(None, scopes):
                cgroup.remove(scope)
            confinement.remove_fallback()
            for serial in record.serials():
                record.remove(serial)
            record.forget_stale()

    def sweep(self) -> None:
        """Do what each command does first: clear up after killed controllers."""
        if engine.find() is None:
            return
        with _found():
            pass


@contextlib.contextmanager
def _loaded() -> Iterator[tuple[engine.Engine, Slots]]:
    with record.locked(), installation.load() as live:
        yield live, sweep.sweep(live)


@contextlib.contextmanager
def _found() -> Iterator[tuple[engine.Engine, Slots]]:
    """As _loaded(), for commands that have nothing to do where no engine is loaded."""
    with record.locked(), _engine() as live:
        yield live, sweep.sweep(live)


def _engine() -> engine.Engine:
    live = engine.find()
    if live is None:
        raise errors.NotFoundError("no domain is in force: the engine is not loaded; `run` and `attach` load it")
    return live


@contextlib.contextmanager
def _resolved(
    live: engine.Engine, name: str, policies: Sequence[policy.Policy], serial: int
) -> Iterator[tuple[ruleset.Layer, ...]]:
    """Resolve policies; while the block runs no filesystem that they rule on goes away."""
    if not policies:
        raise errors.NotFoundError(f"no policy was given for the domain {name}; give at least one")
    with resolution.Filesystems() as filesystems:
        with live.identifier() as identifier:
            own = resolution.resolve(policies, name, serial, identifier.identify, filesystems)
        yield own


def _named(name: str, slots: Sequence[domain.Slot]) -> domain.Slot:
    for slot in slots:
        if slot.name == name:
            return slot
    raise errors.NotFoundError(f"there is no domain {name}; `landlock-bpf list` names those in force")


def _refuse_taken(name: str, slots: Sequence[domain.Slot]) -> None:
    if any(slot.name == name for slot in slots):
        raise errors.BusyError(f"there is a domain {name} already; update or detach it, or choose another name")


def _refuse_held(held: Sequence[descriptors.Held], name: str) -> None:
    if held:
        lines = "\n".join(f"  {each}" for each in held)
        raise errors.BusyError(f"{name} is not attached, for files that it denies are open in the cgroup:\n{lines}")


def _free_name(slots: Sequence[domain.Slot]) -> str:
    taken = {slot.name for slot in slots}
    names = (f"run-{os.getpid()}{suffix}" for suffix in ("", *(f"-{number}" for number in range(2, abi.Limit.DOMAINS + 3))))
    return next(name for name in names if name not in taken)
