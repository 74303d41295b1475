# SPDX-License-Identifier: GPL-2.0-only
"""docs/BYPASS.md: a closed row has a test that fails with its mechanism off; an open one has a reason."""

from __future__ import annotations

import re
from pathlib import Path

import mutations
import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/BYPASS.md").read_text()
HEAD = "| trick | state | mechanism | test, or the reason and what to do |"
ROWS = [
    tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
    for line in DOCUMENT.splitlines()
    if line.startswith("| ") and line != HEAD
]


def test_each_table_has_this_head() -> None:
    assert DOCUMENT.count(HEAD) == DOCUMENT.count("|---|---|---|---|") == len(re.findall("^## ", DOCUMENT, re.M))
    assert len(ROWS) > 30
    assert len({row[0] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_row(row: tuple[str, ...]) -> None:
    _trick, state, mechanism, told = row
    if state == "open":
        assert not mechanism and len(told) > 20
        return
    assert state == "closed"
    switched = [mutations.BY_NAME[name] for name in mechanism.split(", ")]
    failing = {test.partition("[")[0] for each in switched for test in each.tests}
    tests = re.findall(r"`(test_\w+\.py)::(\w+)`", told)
    assert tests
    for file, name in tests:
        assert re.search(rf"^def {name}\(", (ROOT / "tests/kernel" / file).read_text(), re.M), f"{file}::{name}"
        assert f"tests/kernel/{file}::{name}" in failing, f"{mechanism} off: {file}::{name} is not among what fails"


def test_each_mechanism_has_a_row() -> None:
    """A mechanism of the engine that no trick needs would be one too many; those of the decision alone are its parts."""
    named = {name for row in ROWS for name in row[2].split(", ") if name}
    assert {each.name for each in mutations.ALL if each.in_guest} <= named
