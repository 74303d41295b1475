# SPDX-License-Identifier: GPL-2.0-only
"""The controller: puts policies in force on cgroups and processes, replaces them, ends them, and tells what is in force.

Each command holds one lock, sweeps up after killed ones, and goes through the same steps: resolve all, prepare all, then one
store that puts it in force. Killed before that store it has changed nothing that is enforced, killed after it, the next
command finishes the rest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

# What `run` does not need is imported where it is used, for each start of a command pays for what is imported here.
from landlock_bpf import (
    abi,
    attachment,
    cgroup,
    change,
    confinement,
    domain,
    engine,
    errors,
    installation,
    naming,
    record,
    resolution,
    ruleset,
    sweep,
    threads,
    turn,
    views,
    ways,
)

if TYPE_CHECKING:
    from landlock_bpf import descriptors, inventory, live_domain, marking, policy, rule_request, rule_slots

Confinement = confinement.Confinement
_T = TypeVar("_T")


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
        self,
        name: str,
        policies: Sequence[policy.Policy],
        cgroup: Path,
        *,
        strict: bool = False,
        sticky: bool = False,
        rules: rule_request.Request | None = None,
    ) -> live_domain.Domain:
        """Put policies and rule programs in force on a cgroup and all beneath it, as a new domain.

        With `sticky`, whoever was in it stays in it till its end, wherever somebody outside moves him.

        Its `held` lists open files of members that give what the policies deny there: they stay usable. With `strict`
        BusyError refuses instead.
        """
        from landlock_bpf import live_domain

        naming.check(name)
        path = attachment.check_place(cgroup)
        with turn.loaded() as (live, slots):
            naming.refuse_taken(name, slots)
            serial = record.new_serial()

            def put(rules: rule_request.Request | None) -> tuple[tuple[ruleset.Layer, ...], domain.Slot]:
                with _resolved(live, name, policies, serial, rules) as (own, loaded):
                    check = functools.partial(_held, live, name, own, path, strict=True) if strict else None
                    return own, attachment.attach(live, slots, name, own, path, serial, loaded, sticky=sticky, check=check)

            own, new = _either_way(put, rules, abi.Kind.CGROUP)
            with contextlib.ExitStack() as undo:
                undo.callback(attachment.detach, live, new)
                held = _held(live, name, own, path, new.ruleset, strict=strict)
                undo.pop_all()
            return live_domain.Domain(self, name, held, ruleset.notes(own))

    def domain(self, name: str) -> live_domain.Domain:
        """Give a domain in force by its name."""
        from landlock_bpf import live_domain

        with turn.found() as (_live, slots):
            naming.find(name, slots)
        return live_domain.Domain(self, name)

    def update(
        self, name: str, policies: Sequence[policy.Policy], *, rules: rule_request.Request | None = None
    ) -> inventory.DomainInfo:
        """Replace all that a domain was given: each access is decided by the old layers or the new ones, whole."""
        with turn.changing() as (live, slots):
            slot = naming.find(name, slots)
            serial = record.new_serial()

            def put(rules: rule_request.Request | None) -> None:
                with _resolved(live, name, policies, serial, rules) as (own, loaded):
                    attachment.update(live, slots, slot, own, serial, loaded)

            _either_way(put, rules, slot.kind)
            return _describe(live, name)

    def mark(self, name: str, trees: marking.Trees) -> inventory.DomainInfo:
        """Mark anew what is in views of a domain's rule programs, at once; views that `trees` does not name stay."""
        from landlock_bpf import marking

        with turn.changing() as (live, slots):
            slot = naming.find(name, slots)
            given = ruleset.own(change.living_layers(live, slot))
            programs = next((layer.programs for layer in given if layer.programs), None)
            if programs is None:
                raise errors.NotFoundError(f"the domain {name} was given no rule programs, and so no views; give -r as well")
            marking.check(trees, programs.views)
            serial = record.new_serial()
            with ways.Filesystems() as filesystems:
                with live.identifier() as identifier:
                    found = marking.resolve(trees, programs.views, identifier.identify, filesystems)
                attachment.update(live, slots, slot, views.marked(live, given, serial, trees, found), serial)
            return _describe(live, name)

    def add_rules(self, name: str, wanted: policy.Policy, layer: int | None = None) -> inventory.DomainInfo:
        """Add the rules of a policy to one of a domain's, at once; rules that it has are not resolved anew.

        What a denial alone makes handled is allowed elsewhere; a permission for what is not handled is left out. `layer` is
        the number of the policy in `show`, if the domain was given several.
        """
        from landlock_bpf import amendment, covering

        with turn.changing() as (live, slots):
            slot, serial = naming.find(name, slots), record.new_serial()
            layers = [*change.living_layers(live, slot)]
            place = amendment.choose(layers, layer)
            fitting = amendment.fitting(layers[place], wanted)
            own = len(ruleset.own(layers))
            with ways.Filesystems() as filesystems:
                with live.identifier() as identifier:
                    identify = identifier.identify
                    (more,) = resolution.resolve([fitting], name, serial, identify, filesystems, alone=False)
                    layers[place] = covering.cover(amendment.add(layers[place], more), identify, filesystems)
                amended = views.marked(live, layers[-own:], serial, (), ())
                attachment.update(live, slots, slot, amended, serial)
            return _describe(live, name)

    def remove_rule(self, name: str, path: str, layer: int | None = None) -> inventory.DomainInfo:
        """Remove what a domain's policies, or the one with that number in `show`, say of a path; at once."""
        from landlock_bpf import amendment, covering

        with turn.changing() as (live, slots):
            slot, serial = naming.find(name, slots), record.new_serial()
            layers = [*change.living_layers(live, slot)]
            own = len(ruleset.own(layers))
            places = range(len(layers) - own, len(layers)) if layer is None else [amendment.choose(layers, layer)]
            less = {place: amendment.remove(layers[place], path) for place in places}
            if not any(less.values()):
                what = f"the domain {name} was given no rule on {path}"
                raise errors.NotFoundError(f"{what}; `landlock-bpf show {name}` lists its rules")
            with ways.Filesystems() as filesystems:
                with live.identifier() as identifier:
                    for place, amended in less.items():
                        if amended:
                            layers[place] = covering.cover(amended, identifier.identify, filesystems)
                attachment.update(live, slots, slot, views.marked(live, layers[-own:], serial, (), ()), serial)
            return _describe(live, name)

    def detach(self, name: str) -> None:
        """End a domain. BusyError for one of processes that still run: they keep it until they end."""
        with turn.found() as (live, slots):
            slot = naming.find(name, slots)
            if slot.kind == abi.Kind.CGROUP:
                attachment.detach(live, slot)
                return
            if not sweep.remove_scope(live, slot):
                pids = ", ".join(map(str, domain.members(live, slot.index))) or "some that are just ending"
                raise errors.BusyError(f"processes are in the domain {name}: {pids}; it ends with them")
            sweep.end(live, slot)
            sweep.count_process_domains(live, domain.slots(live))

    def prepare(
        self,
        policies: Sequence[policy.Policy],
        name: str | None = None,
        cgroup: Path | None = None,
        *,
        rules: rule_request.Request | None = None,
    ) -> Confinement:
        """Make a domain for a process that is to be started, and a control group for it, in `cgroup` or our own.

        The domain lives until Confinement.close() finds no process in it, or a sweep after our end.
        """
        with turn.loaded() as (live, slots):
            name, serial = naming.choose(name, slots, f"run-{os.getpid()}"), record.new_serial()
            with _resolved(live, name, policies, serial, _for_processes(rules)) as (own, loaded):
                return confinement.make(live, slots, name, own, serial, cgroup, loaded)

    def confine(
        self,
        pidfd: int,
        policies: Sequence[policy.Policy] = (),
        name: str | None = None,
        *,
        thread: int = 0,
        rules: rule_request.Request | None = None,
        strict: bool = False,
    ) -> live_domain.Domain:
        """Put a running process, or one thread of it, under a further layer, in a new process domain.

        It and all that it forks from now on stay in it, whatever control group they move to; children that it has already
        do not enter. `held` lists open files as in attach(); with `strict` BusyError refuses while there are any. BusyError as
        well where its threads are in different process domains.
        """
        from landlock_bpf import live_domain

        target = threads.find(pidfd, thread)
        with turn.loaded() as (live, slots):
            name, serial = naming.choose(name, slots, f"confine-{target.first}"), record.new_serial()
            with _resolved(live, name, policies, serial, _for_processes(rules)) as (own, loaded):
                check = functools.partial(_held, live, name, own, target, strict=True) if strict else None
                new = confinement.confine(live, slots, name, own, serial, target, loaded, check=check)
            held = _held(live, name, own, target, new.ruleset, strict=False)
            return live_domain.Domain(self, name, held, ruleset.notes(own))

    def confine_alike(self, name: str, pidfd: int, *, thread: int = 0) -> live_domain.Domain:
        """Put a running process, or one thread of it, under what a domain was given itself; see Domain.confine()."""
        from landlock_bpf import live_domain

        target = threads.find(pidfd, thread)
        with turn.changing() as (live, slots):
            slot = naming.find(name, slots)
            if slot.kind == abi.Kind.PROCESS and threads.shared_domain(live, target) == slot.parent:
                confinement.join(live, slot, target)
                return live_domain.Domain(self, name)
            serial, new = record.new_serial(), naming.find_free(f"{name}-{target.first}", slots)
            given = ruleset.own(change.living_layers(live, slot))
            if any(layer.programs and layer.programs.attach == ruleset.LSM_CGROUP for layer in given):
                what = f"rule programs of {name} are attached to its cgroup"
                raise errors.UnsupportedError(what, "attach them through the engine, or confine with -r")
            own = tuple(dataclasses.replace(layer, owner=new, made=serial) for layer in given)
            confinement.confine(live, slots, new, own, serial, target)
            return live_domain.Domain(self, new)

    def list(self) -> tuple[inventory.DomainInfo, ...]:
        """List the domains in force, by name."""
        from landlock_bpf import inventory

        if engine.find() is None:
            return ()
        with turn.found() as (live, slots):
            return tuple(inventory.describe(live, slot) for slot in sorted(slots, key=lambda slot: slot.name))

    def show(self, name: str) -> inventory.DomainDetail:
        """Tell all about one domain."""
        from landlock_bpf import inventory

        with turn.found() as (live, slots):
            return inventory.detail(live, naming.find(name, slots), slots)

    def try_out(self, policies: Sequence[policy.Policy]) -> None:
        """Resolve policies, and nothing more; PolicyError with every path that cannot be ruled on."""
        with turn.loaded() as (live, _slots), _resolved(live, "nothing", policies, record.new_serial(), None):
            pass

    def limit_events(self, rate: int) -> None:
        """Have each domain report no more than `rate` denials a second, until the engine is unloaded; 0: all."""
        with turn.found() as (live, _slots):
            live.state.rate = rate

    def dropped(self) -> dict[str, int]:
        """Count, for each domain that has any, the denials since its last reported one that were not reported."""
        if engine.find() is None:
            return {}
        with turn.found() as (live, slots):
            rates = ((slot.name, live.rates.lookup(slot.index)) for slot in slots)
            return {name: rate.dropped for name, rate in rates if rate and rate.dropped}

    def unload(self) -> None:
        """End all domains, those of running processes too, and remove the engine from the kernel."""
        with record.locked():
            scopes = []
            # None is loaded, or one of another version, whose maps may be missing or differ: it goes all the same.
            with contextlib.suppress(errors.Error), turn.find_engine() as live:
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
        with turn.found():
            pass


@contextlib.contextmanager
def _resolved(
    live: engine.Engine,
    name: str,
    policies: Sequence[policy.Policy],
    serial: int,
    rules: rule_request.Request | None,
) -> Iterator[tuple[tuple[ruleset.Layer, ...], rule_slots.Loaded | None]]:
    """Resolve policies and load rule programs; while the block runs no filesystem that they speak of goes away."""
    if not (policies or rules):
        raise errors.NotFoundError(f"nothing was given for the domain {name}; give a policy or a rule program")
    with contextlib.ExitStack() as stack:
        filesystems = stack.enter_context(ways.Filesystems())
        identifier = stack.enter_context(live.identifier())
        own = resolution.resolve(policies, name, serial, identifier.identify, filesystems)
        if not rules:
            yield own, None
            return
        from landlock_bpf import marking, rule_request

        marks = marking.resolve(rules.trees, rules.views, identifier.identify, filesystems)
        loaded = stack.enter_context(rule_request.loaded(live, rules, serial, marks))
        # The newest of its layers: policies and rule programs must all allow, so the order shows in `show` alone.
        yield (*own, ruleset.of_programs(name, serial, loaded.programs)), loaded


def _either_way(put: Callable[[rule_request.Request | None], _T], rules: rule_request.Request | None, kind: abi.Kind) -> _T:
    """Put rule programs in force the way that was asked for, or if that was left open and has no room, the other one."""
    if rules is None:
        return put(None)
    from landlock_bpf import rule_request, rule_slots

    decided = rule_request.decide(rules, kind)
    try:
        return put(decided)
    except rule_slots.NoRoomError:
        if rules.attach != rule_request.AUTO:
            raise
        return put(decided.through_engine("not lsm_cgroup, for programs at other hooks have all its room"))


def _for_processes(rules: rule_request.Request | None) -> rule_request.Request | None:
    """Say which way rule programs are asked in a domain of processes."""
    if rules is None:
        return None
    from landlock_bpf import rule_request

    return rule_request.decide(rules, abi.Kind.PROCESS)


def _describe(live: engine.Engine, name: str) -> inventory.DomainInfo:
    """Tell what `list` tells of a domain as it is now."""
    from landlock_bpf import inventory

    return inventory.describe(live, naming.find(name, domain.slots(live)))


def _held(
    live: engine.Engine, name: str, own: Sequence[ruleset.Layer], members: Path | threads.Target, index: int, *, strict: bool
) -> tuple[descriptors.Held, ...]:
    """List what members of a control group, or a process, have open that the ruleset with this index denies them."""
    from landlock_bpf import descriptors

    if isinstance(members, Path):
        held = descriptors.held(live, index, own, cgroup.processes(members))
    else:
        held = descriptors.held(live, index, own, [members.pid], members.thread)
    if held and strict:
        lines = "\n".join(f"  {each}" for each in held)
        raise errors.BusyError(f"{name} is not put in force, for files that it denies are open:\n{lines}")
    return held
