# SPDX-License-Identifier: GPL-2.0-only
"""A run of the comparison: each mechanism in turn is put in force on a member, which is asked for every operation."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from landlock_bpf import errors, policy_actions, progress
from landlock_bpf.compare import mechanism, mechanisms, player, results, stage
from landlock_bpf.compare import scene as scenes
from landlock_bpf.compare.operation import Operation

NONE = mechanisms.MECHANISMS[0]
Outcomes = dict[str, results.Outcome]


def choose(names: Sequence[str] | None) -> tuple[mechanism.Mechanism, ...]:
    """Give mechanisms by name in the table's order, all for None; the bare run is always one."""
    known = {each.name: each for each in mechanisms.MECHANISMS}
    if unknown := [name for name in names or () if name not in known]:
        raise errors.NotFoundError(f"there is no mechanism {unknown[0]}; {policy_actions.suggestion(unknown[0], known)}")
    return tuple(each for each in mechanisms.MECHANISMS if names is None or each is NONE or each.name in names)


def run(
    chosen: Sequence[mechanism.Mechanism], policy: Path, rows: Sequence[Operation]
) -> tuple[tuple[results.Column, ...], tuple[results.Row, ...]]:
    """Do all operations under each mechanism; what is missing is a column without cells."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is in force then ends as it does for ^C
    seen: dict[str, Outcomes] = {}
    columns = {}
    # Asked before the stage is there: whatever has to be mounted for a mechanism is to be mounted for all the machine.
    missing = {each.name: each.missing() for each in chosen}
    steps = len(rows) * sum(why is None for why in missing.values())
    with progress.bar(steps) as tell, stage.Stage(policy) as scene:
        for each in chosen:
            why = missing[each.name]
            if why is None:
                try:
                    seen[each.name] = _watch(scene, each, rows, seen.get(NONE.name), tell)
                except errors.Error as error:
                    if each is NONE:  # all others are judged by it
                        raise
                    why = str(error)
            title = each.title if why is None else each.name
            columns[each.name] = results.Column(each.name, title, each.what, why, each.cannot())
        return tuple(columns.values()), tuple(_judge(row, scene, chosen, seen) for row in rows)


def _judge(
    row: Operation, scene: stage.Stage, chosen: Sequence[mechanism.Mechanism], seen: Mapping[str, Outcomes]
) -> results.Row:
    wanted = row.wanted(scene.scene)
    bare = seen[NONE.name][row.name]

    def says(each: mechanism.Mechanism) -> str | None:
        return row.lacks or None if bare.errno else each.says(row)

    cells = {
        each.name: results.judge(seen[each.name][row.name], bare, each.errnos, wanted if each is not NONE else None, says(each))
        for each in chosen
        if each.name in seen
    }
    return results.Row(row, wanted, cells)


def _watch(
    scene: stage.Stage,
    chosen: mechanism.Mechanism,
    rows: Sequence[Operation],
    bare: Outcomes | None,
    tell: progress.Tell,
) -> Outcomes:
    """Have all operations tried under one mechanism."""
    found: Outcomes = {}
    with chosen.enforced(scene.scene) as launch, contextlib.ExitStack() as undo:
        asked = undo.enter_context(contextlib.closing(player.Player(launch, scene.scene)))
        for row in rows:
            tell(f"{chosen.name}: {row.name}")
            # What changed nothing in the bare run is not looked for in the others.
            looks = bare is None or bare[row.name].changed
            found[row.name] = _try(scene, asked, row, looks=looks)
            if asked.ended:
                asked.close()
                asked = undo.enter_context(contextlib.closing(player.Player(launch, scene.scene)))
    return found


def _try(scene: stage.Stage, asked: player.Player, row: Operation, *, looks: bool) -> results.Outcome:
    scene.renew({row.place, *row.also} - {scenes.ELSEWHERE})
    with row.prepare(scene.scene.at(row.place), scene):
        before = scene.snapshot() if looks else {}
        number, trouble = asked.ask(row.name)
        return results.Outcome(results.name_of(number), looks and scene.snapshot() != before, trouble)
