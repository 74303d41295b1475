# SPDX-License-Identifier: GPL-2.0-only
"""Hooks are attached while a domain needs them, and enough of them are: each action alone is enforced."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import further
import operation
import rule
from member import Member

from landlock_bpf import abi, action_table, controller, engine, hooks
from landlock_bpf.abi import Action

ERRORS = {row.action: getattr(errno, row.error) for row in action_table.ACTIONS}


def attached() -> set[str]:
    found = engine.find()
    assert found
    with found:
        return found.attached()


def needed(action: Action, need: hooks.Need) -> set[str]:
    """Name the hooks of a policy that handles an action, and what all policies handle; those that this kernel has."""
    absent = set(os.listdir(engine.PINS / "absent"))
    return {row.name for row in hooks.needed(action | Action.REFER | action_table.WITHHELD, need)} - absent


def test_each_action_alone(tree: Path, cgroup: Path, inside: Member, alone: controller.Controller) -> None:
    """One domain whose policy is replaced: what the new one needs is attached, and what only the old one did is not."""
    assert attached() == set()
    alone.attach("alone", [rule.make(Action.MAKE_DIR, default="allow")], cgroup)
    for action in Action:
        alone.update("alone", [rule.make(action)])
        assert attached() == needed(action, hooks.Need.DOMAIN), action
        for row in operation.OPERATIONS + further.OPERATIONS:
            if row.actions & action:
                folder = row.populate(tree / f"{row.name}-{action.name}")
                assert inside.errno(row.run, folder) == ERRORS[action], (action, row.name)
    alone.detach("alone")
    assert attached() == set()


def test_what_else_needs_hooks(tree: Path, cgroup: Path, alone: controller.Controller) -> None:
    """Denials need those that seal, process domains the one that follows forks."""
    read = Action.READ_FILE
    alone.attach("alone", [rule.make(read, rule.deny(tree, read), default="allow")], cgroup)
    assert attached() == needed(read, hooks.Need.DOMAIN | hooks.Need.DENIAL)
    alone.update("alone", [rule.make(read, rule.allow(tree, read))])
    assert attached() == needed(read, hooks.Need.DOMAIN)
    with alone.prepare([rule.make(read)], cgroup=cgroup):
        assert [info.kind for info in alone.list()] == [abi.Kind.CGROUP, abi.Kind.PROCESS]
        assert attached() == needed(read, hooks.Need.DOMAIN | hooks.Need.PROCESS)
    assert attached() == needed(read, hooks.Need.DOMAIN)
    alone.detach("alone")
    assert attached() == set()
