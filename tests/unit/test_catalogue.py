# SPDX-License-Identifier: GPL-2.0-only
"""docs/HOOKS.md and docs/ACTIONS.md are what the tables give."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from landlock_bpf import abi, action_catalogue, action_table, catalogue, questions

DOCS = Path(__file__).parents[2] / "docs"
HOOKS = (DOCS / "HOOKS.md").read_text()
ACTIONS = (DOCS / "ACTIONS.md").read_text()


def test_it_is_current() -> None:
    assert catalogue.generate() == HOOKS, "run python -m landlock_bpf.catalogue"


def test_a_change_of_the_table_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = dataclasses.replace(questions.ROWS[0], questions=questions.ROWS[0].questions[1:])
    monkeypatch.setattr(questions, "ROWS", (changed, *questions.ROWS[1:]))
    assert catalogue.generate() != HOOKS


def test_every_hook_has_a_row() -> None:
    for row in questions.ROWS:
        assert HOOKS.count(f"\n| `{row.hook}` |") == 1
    lines = [line for line in HOOKS.splitlines() if " | FS" in line]
    assert len(lines) == sum(len(row.questions) for row in questions.ROWS)


def test_additions_have_their_reason() -> None:
    added = HOOKS[HOOKS.index(" hooks added") :]
    for row in questions.ROWS:
        assert (f"\n| `{row.hook}` |" in added) == bool(row.added)
        assert row.added in added


def test_every_bit_has_a_meaning() -> None:
    assert set(catalogue.MEANINGS) == set(abi.ActionFs)


def test_the_actions_are_current() -> None:
    assert action_catalogue.generate() == ACTIONS, "run python -m landlock_bpf.catalogue"


def test_a_change_of_the_table_of_actions_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = action_table.ACTIONS[0]._replace(landlock_abi=None)
    monkeypatch.setattr(action_table, "ACTIONS", (changed, *action_table.ACTIONS[1:]))
    assert action_catalogue.generate() != ACTIONS


def test_every_action_has_a_row_with_its_hooks() -> None:
    for row in action_table.ACTIONS:
        (line,) = (line for line in ACTIONS.splitlines() if line.startswith(f"| `{row.name}` |"))
        assert line.endswith(f"| {row.error} | {row.landlock_abi or 'none'} |")
        asked = list(action_catalogue.asked(row.action))
        assert asked and all(f"`{hook.name}`" in line for hook in asked)
