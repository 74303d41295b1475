# SPDX-License-Identifier: GPL-2.0-only
"""Changes of what is in force: rulesets prepared whole, put in force by one store each, old ones removed after a grace period.

A domain of a cgroup inside another one's, or of a process inside another one, has all layers of the outer one in its own
ruleset, so that one look-up answers for all. `Slot.parent` says which that is; sweep.py mends what a killed controller left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from landlock_bpf import (
    abi,
    domain,
    engine,
    errors,
    fsview,
    grace,
    hooks,
    installation,
    merging,
    record,
    rule_slots,
    ruleset,
    views,
)


class Wanted(NamedTuple):
    """The layers that a domain is to have; `scope` and `target` go into its record."""

    slot: domain.Slot
    layers: tuple[ruleset.Layer, ...]
    scope: str = ""
    target: str = ""


def recorded(live: engine.Engine, slot: domain.Slot, *, whole: bool = True) -> record.Record:
    """Give the record of what a domain has in force, or its head alone."""
    found = record.read(live.ruleset(slot.ruleset).serial, whole=whole)
    if found is None:
        raise errors.NotFoundError(f"the record of the domain {slot.name} under {record.RULESETS} was removed; detach it")
    return found


def living_layers(live: engine.Engine, slot: domain.Slot) -> tuple[ruleset.Layer, ...]:
    """Give the layers that a domain has in force, without the rules that ended with their filesystem."""
    found = recorded(live, slot)
    objects = fsview.living(live, slot.ruleset, found.objects())
    return tuple(layer.keep(objects) for layer in found.layers)


def children(slots: Iterable[domain.Slot], parent: int, kind: abi.Kind) -> list[domain.Slot]:
    """Give the domains right inside another one (0: inside none)."""
    return [slot for slot in slots if slot.parent == parent and slot.kind == kind]


def inner(
    live: engine.Engine,
    slots: Sequence[domain.Slot],
    roots: Iterable[domain.Slot],
    outer: tuple[ruleset.Layer, ...],
    *,
    forgiving: bool = False,
) -> Iterator[Wanted]:
    """Say what domains and all inside them are to have when the layers around them become `outer`.

    NotFoundError for one whose record was removed; `forgiving` leaves it, and those inside it, what they have.
    """
    for slot in roots:
        try:
            before, scope = living_layers(live, slot), recorded(live, slot, whole=False).scope
        except errors.NotFoundError:
            if forgiving:
                continue
            raise
        layers = *outer, *kept(slot, before, outer[-1].owner if outer else "")
        yield Wanted(slot, layers, scope)
        yield from inner(live, slots, children(slots, slot.index, slot.kind), layers, forgiving=forgiving)


def kept(slot: domain.Slot, layers: tuple[ruleset.Layer, ...], outer: str) -> tuple[ruleset.Layer, ...]:
    """Give the layers that a domain keeps whatever becomes of the domain around it, named `outer`.

    A control group keeps its own: the domains around it may be ended. A process keeps those of domains in between as well,
    which have ended only because nobody else is left in them.
    """
    own = ruleset.own(layers)
    if slot.kind == abi.Kind.CGROUP:
        return own
    inherited = layers[: len(layers) - len(own)]
    places = [place for place, layer in enumerate(inherited, 1) if layer.owner == outer]
    return layers[places[-1] if places else 0 :]


def check_limits(wanted: Iterable[Wanted]) -> None:
    """Raise LimitError for a domain that would have too many layers or rules."""
    for each in wanted:
        check_layers(each.slot.name, len(each.layers), "around it")
        merging.check(each.layers)
        rules = sum(layer.rules for layer in ruleset.own(each.layers))
        if rules > abi.Limit.RULES:
            what = f"the domain {each.slot.name} would have {rules} rules"
            raise errors.LimitError(f"{what}; at most {int(abi.Limit.RULES)} are possible: put rules on directories")
        programs = sum(len(layer.programs.rules) for layer in each.layers if layer.programs)
        if programs > abi.Limit.SOURCES:
            what = f"the domain {each.slot.name} would have {programs} rule programs, those of domains around it counted"
            raise errors.LimitError(f"{what}; at most {int(abi.Limit.SOURCES)} are possible")


def check_layers(name: str, count: int, others: str) -> None:
    """Raise LimitError where a domain, with those of `others` that its tasks are in, would have too many layers."""
    if count > abi.Limit.LAYERS:
        what = f"the domain {name} would have {count} layers, those {others} counted"
        raise errors.LimitError(f"{what}; at most {int(abi.Limit.LAYERS)} are possible: join policies into one file")


def replace(live: engine.Engine, wanted: Sequence[Wanted]) -> None:
    """Replace what domains have in force, each by one store."""
    with prepared(live, wanted, record.new_serial()) as made:
        switch(live, wanted, made)
    retire(live, [each.slot.ruleset for each in wanted])


def switch(live: engine.Engine, wanted: Sequence[Wanted], made: Sequence[record.Record]) -> None:
    """Put prepared rulesets in force, the outermost domain's first."""
    for each, new in zip(wanted, made):
        domain.switch(live, each.slot.index, new.index)


@contextlib.contextmanager
def prepared(
    live: engine.Engine, wanted: Sequence[Wanted], serial: int, loaded: rule_slots.Loaded | None = None
) -> Iterator[list[record.Record]]:
    """Put new rulesets into the kernel, in force nowhere yet; gone again if the block raises.

    `loaded` are the rule programs of the one layer that has new ones; those of other layers are in their slots, and so are
    their views. The block puts all in force; what may fail after that is for after the block.
    """
    check_limits(wanted)
    used = {slot.ruleset for slot in domain.slots(live)}
    with contextlib.ExitStack() as undo:
        made = []
        for number, each in enumerate(wanted):
            index = domain.free_ruleset(used)
            used.add(index)
            new = record.Record(serial + number, index, each.slot.name, each.scope, each.layers, each.target)
            undo.callback(_withdraw, live, new)
            record.write(new)
            fsview.install(live, new)
            made.append(new)
        _install_programs(live, wanted, loaded)
        undo.callback(detach_surplus, live)
        for each, new in zip(wanted, made):
            if missing := live.unattached(_hooks(new, each.slot.kind)):
                # Those that ask rule programs have been loaded with these.
                installation.load_hooks(live, (row for row in missing if row in hooks.HOOKS))
                live.attach(missing)
        yield made
        undo.pop_all()


def _install_programs(live: engine.Engine, wanted: Sequence[Wanted], loaded: rule_slots.Loaded | None) -> None:
    """Fill the slot and the views of the layer that is new; nothing refers to either yet."""
    if loaded:
        rule_slots.install(live, loaded)
    seeing = [layer.programs for layer in (wanted[0].layers if wanted else ()) if layer.programs and layer.programs.serial]
    known: set[int] = set().union(*rule_slots.used(live).values()) if seeing else set()
    for programs in seeing:
        if programs.serial not in known:
            views.install(live, programs)


def _hooks(new: record.Record, kind: abi.Kind) -> Iterator[hooks.HookRow]:
    """Give the hooks that a prepared ruleset needs."""
    need = hooks.Need.DOMAIN
    if new.denies:
        need |= hooks.Need.DENIAL
    if kind == abi.Kind.PROCESS:
        need |= hooks.Need.PROCESS
    places = ruleset.places(new.layers)
    if places:
        need |= hooks.Need.PROGRAMS
    mask = 0
    for place in places:
        mask |= place.hooks
    # Of the programs of a hook, the kernel runs that first which was attached last: policies before rule programs, if both
    # come at once. What is attached already is not detached for that.
    yield from rule_slots.ask_rows(mask)
    yield from hooks.needed(ruleset.handled(new.layers), need)


def retire(live: engine.Engine, rulesets: Iterable[int]) -> None:
    """Remove rulesets that are in force nowhere any more, after the last hook call that may have seen them."""
    old = list(rulesets)
    if old:
        grace.wait()
        drop(live, old)


def drop(live: engine.Engine, rulesets: Iterable[int]) -> None:
    """Remove rulesets that no hook call can see any more, and the hooks that nobody needs any more."""
    serials: list[int] = []
    places: list[ruleset.Place] = []
    for index in rulesets:
        old = live.ruleset(index)
        serials.append(old.serial)
        places += ruleset.places_of(old)
        kept = record.read(serials[-1])
        fsview.remove(live, index, kept)
    rule_slots.release(live, places)
    detach_surplus(live)
    # Last: by a record that no domain has, a sweep knows that there is something to do.
    for serial in serials:
        record.remove(serial)


def detach_surplus(live: engine.Engine) -> None:
    """Detach the hooks that no domain needs any more."""
    slots = domain.slots(live)
    if not slots:
        live.detach_all_but(())
        return
    need, handled, asked = hooks.Need.DOMAIN, 0, 0
    if any(slot.kind == abi.Kind.PROCESS for slot in slots):
        need |= hooks.Need.PROCESS
    for index in {slot.ruleset for slot in slots}:
        in_force = live.ruleset(index)
        handled |= in_force.handled_any
        asked |= in_force.hooks_any
        if in_force.programs[0].slot:
            need |= hooks.Need.PROGRAMS
    rows = list(hooks.needed(handled, need))
    if len(rows) < len(list(hooks.needed(handled, need | hooks.Need.DENIAL))) and any(_denies(live, slot) for slot in slots):
        rows = list(hooks.needed(handled, need | hooks.Need.DENIAL))
    live.detach_all_but([*rows, *rule_slots.ask_rows(asked)])


def _withdraw(live: engine.Engine, new: record.Record) -> None:
    # A ^C may come right after the store that put it in force.
    if new.index not in (slot.ruleset for slot in domain.slots(live)):
        fsview.remove(live, new.index, new)
        rule_slots.release(live, ruleset.places(new.layers))
        record.remove(new.serial)


def _denies(live: engine.Engine, slot: domain.Slot) -> bool:
    found = record.read(live.ruleset(slot.ruleset).serial, whole=False)
    return found is None or found.denies
