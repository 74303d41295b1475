# SPDX-License-Identifier: GPL-2.0-only
"""docs/HOOKS.md is what the table of questions gives."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from landlock_bpf import abi, catalogue, questions

HOOKS = (Path(__file__).parents[2] / "docs" / "HOOKS.md").read_text()


def test_it_is_current() -> None:
    assert catalogue.generate() == HOOKS, "run python -m landlock_bpf.catalogue > docs/HOOKS.md"


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
