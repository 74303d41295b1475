# SPDX-License-Identifier: GPL-2.0-only
"""The decision's mechanisms switched off: the tests of the decision see it each time. Those of the engine: vm/mutate."""

from __future__ import annotations

import dataclasses

import mutate
import mutation
import pytest


@pytest.mark.parametrize("row", [row for row in mutation.MUTATIONS if row.hostly], ids=lambda row: row.name)
def test_is_missed(row: mutation.Mutation) -> None:
    assert mutate.survives(row) == ""


def test_what_does_not_fail_is_told() -> None:
    """Were it otherwise, everything would count as missed."""
    row = mutation.BY_NAME["gain"]
    others = dataclasses.replace(row, tests=("tests/build/test_decide.py::test_filter_bit",))
    assert "did not fail" in mutate.survives(others)
