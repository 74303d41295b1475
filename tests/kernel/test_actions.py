# SPDX-License-Identifier: GPL-2.0-only
"""Each operation under no policy, allowed, denied in each way, and not handled: with the exact errno."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

import further
import operation
import pytest
import rule
from member import Member

from landlock_bpf import action_table, policy
from landlock_bpf.abi import Action

ROWS = operation.OPERATIONS + further.OPERATIONS
ERRORS = {row.action: getattr(errno, row.error) for row in action_table.ACTIONS}
by_action = pytest.mark.parametrize("action", Action, ids=lambda action: action.name.lower())


def asked(action: Action) -> list[operation.Operation]:
    """Give the operations that are asked for an action: each of them is denied where it is."""
    return [row for row in ROWS if row.actions & action]


def outcomes(member: Member, rows: Iterable[operation.Operation], top: Path) -> dict[str, int]:
    return {row.name: member.errno(row.run, top / row.name) for row in rows}


def populate(rows: Iterable[operation.Operation], top: Path) -> Path:
    """Make a folder for each operation, since some change what they find."""
    for row in rows:
        row.populate(top / row.name)
    return top


def all_of(rows: Iterable[operation.Operation], number: int) -> dict[str, int]:
    return {row.name: number for row in rows}


def alone(action: Action, *rules: policy.Rule, top: Path) -> policy.Policy:
    """Rule on one action; and on what is handled all the same: allowed where it is not the point."""
    always = (Action.REFER | action_table.WITHHELD) & ~action
    return rule.make(action | Action.REFER | action_table.WITHHELD, *rules, rule.allow(top, always))


@by_action
def test_allowed(action: Action, tree: Path, inside: Member, attach: rule.Attach) -> None:
    rows = asked(action)
    assert rows, "no operation is asked for it"
    attach(alone(action, rule.allow(populate(rows, tree / "top"), action), top=tree))
    assert outcomes(inside, rows, tree / "top") == all_of(rows, 0)


@by_action
def test_denied_by_no_rule(action: Action, tree: Path, inside: Member, attach: rule.Attach) -> None:
    rows = asked(action)
    top, twin = populate(rows, tree / "top"), populate(rows, tree / "twin")
    attach(alone(action, rule.allow(twin, action), top=tree))
    assert outcomes(inside, rows, top) == all_of(rows, ERRORS[action])
    assert outcomes(inside, rows, twin) == all_of(rows, 0)


@by_action
def test_denied_by_rule(action: Action, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """A denial beneath an allowed tree; its twin in that tree is allowed."""
    rows = asked(action)
    top, twin = populate(rows, tree / "top"), populate(rows, tree / "twin")
    attach(alone(action, rule.allow(tree, action), rule.deny(top, action), top=tree))
    assert outcomes(inside, rows, top) == all_of(rows, ERRORS[action])
    assert outcomes(inside, rows, twin) == all_of(rows, 0)


@by_action
def test_not_handled(action: Action, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """An action that is not handled stays untouched: nothing is allowed that is not needed as well."""
    if action & action_table.WITHHELD:
        denied_though_not_handled(action, tree, inside, attach)
        return
    rows = [row for row in asked(action) if not row.actions & Action.REFER]
    top = populate(rows, tree / "top")
    also = [rule.allow(top / row.name, (row.actions | row.also) & ~action) for row in rows]
    attach(rule.make(action_table.EVERY & ~action, *also))
    assert outcomes(inside, rows, top) == all_of(rows, 0)


def denied_though_not_handled(action: Action, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """What is withheld is denied whatever else a policy is about."""
    rows = asked(action)
    top = populate(rows, tree / "top")
    attach(rule.make(Action.EXECUTE, default="allow"))
    assert outcomes(inside, rows, top) == all_of(rows, ERRORS[action])


def test_no_policy(tree: Path, inside: Member) -> None:
    top = populate(ROWS, tree / "top")
    assert outcomes(inside, ROWS, top) == all_of(ROWS, 0)


def test_everything_allowed(tree: Path, inside: Member, attach: rule.Attach) -> None:
    top = populate(ROWS, tree / "top")
    attach(rule.make(action_table.EVERY, rule.allow(tree, action_table.EVERY)))
    assert outcomes(inside, ROWS, top) == all_of(ROWS, 0)


def test_rules_on_the_objects_themselves(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """Denied on the file where its folder allows, allowed on the file where its folder denies: the nearer one decides.

    What is mounted on a directory is another object, which a permission on that directory does not speak of.
    """
    rows = [row for row in ROWS if row.target and not row.actions & Action.MOUNT]
    tops = [populate(rows, tree / name) for name in ("denied", "allowed", "twin")]
    denied = [rule.deny(tops[0] / row.name / row.target, row.actions) for row in rows]
    allowed = [rule.allow(tops[1] / row.name / row.target, row.actions | row.also) for row in rows]
    every = action_table.EVERY
    attach(rule.make(every, rule.allow(tree, every), *denied, rule.deny(tops[1], every), *allowed))
    assert outcomes(inside, rows, tops[0]) == all_of(rows, errno.EACCES)
    assert outcomes(inside, rows, tops[1]) == all_of(rows, 0)
    assert outcomes(inside, rows, tops[2]) == all_of(rows, 0)


_kept: dict[str, int] = {}


def keep(path: Path, flags: int) -> None:
    _kept[str(path)] = os.open(path, flags)


def ftruncate(path: Path) -> None:
    os.ftruncate(_kept[str(path)], 1)


def ioctl(path: Path, command: int) -> None:
    fcntl.ioctl(_kept[str(path)], command, bytes(4))


def test_what_was_open_before_keeps_its_rights(tree: Path, inside: Member, attach: rule.Attach) -> None:
    folder = operation.populate(tree / "folder")
    inside.ask(keep, folder / "file", os.O_RDWR)
    inside.ask(keep, folder / "device", os.O_RDONLY)
    attach(rule.make(Action.TRUNCATE | Action.IOCTL_DEV))
    assert inside.errno(ftruncate, folder / "file") == 0
    assert inside.errno(ioctl, folder / "device", operation.RNDGETENTCNT) == 0
    inside.ask(keep, folder / "file", os.O_RDWR)
    inside.ask(keep, folder / "device", os.O_RDONLY)
    assert inside.errno(ftruncate, folder / "file") == errno.EACCES
    assert inside.errno(ioctl, folder / "device", operation.RNDGETENTCNT) == errno.EACCES


def test_what_was_refused_at_open_stays_refused(tree: Path, inside: Member, attach: rule.Attach, live: object) -> None:
    folder = operation.populate(tree / "folder")
    name = attach(rule.make(Action.TRUNCATE))
    inside.ask(keep, folder / "file", os.O_RDWR)
    live.update(name, [rule.make(Action.TRUNCATE, rule.allow(tree, Action.TRUNCATE))])
    assert inside.errno(ftruncate, folder / "file") == errno.EACCES
    inside.ask(keep, folder / "file", os.O_RDWR)
    assert inside.errno(ftruncate, folder / "file") == 0


HARMLESS = {"FIOCLEX": 0x5451, "FIONCLEX": 0x5450, "FIONBIO": 0x5421}


@pytest.mark.parametrize("command, expected", [*((each, 0) for each in HARMLESS), ("FIONREAD", errno.EACCES)])
def test_ioctl_commands(command: str, expected: int, tree: Path, inside: Member, attach: rule.Attach) -> None:
    folder = operation.populate(tree / "folder")
    attach(rule.make(Action.IOCTL_DEV))
    inside.ask(keep, folder / "device", os.O_RDONLY)
    inside.ask(keep, folder / "file", os.O_RDONLY)
    number = HARMLESS.get(command, 0x541B)
    assert inside.errno(ioctl, folder / "device", number) == expected
    # A file is no device.
    assert inside.errno(ioctl, folder / "file", number) == 0


def test_o_path_is_not_ruled(tree: Path, inside: Member, attach: rule.Attach) -> None:
    folder = operation.populate(tree / "folder")
    attach(rule.make(action_table.EVERY))
    assert inside.errno(operation.touch, folder / "file", os.O_PATH) == 0
    assert inside.errno(operation.touch, folder / "file", os.O_RDONLY) == errno.EACCES
