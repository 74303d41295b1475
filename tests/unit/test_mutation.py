# SPDX-License-Identifier: GPL-2.0-only
"""Mutations: what they replace is there, and so are the tests that must fail."""

from __future__ import annotations

import re
from pathlib import Path

import mutation
import mutations
import pytest


@pytest.mark.parametrize("row", mutations.ALL, ids=lambda row: row.name)
def test_row(row: mutation.Mutation, tmp_path: Path) -> None:
    mutation.apply((*row.given, *row.off), tmp_path)
    for change in (*row.given, *row.off):
        assert (tmp_path / change.file).read_text() != (mutation.ROOT / change.file).read_text()
    assert row.tests
    for test in row.tests:
        file, _, name = test.partition("::")
        assert re.search(rf"^def {re.escape(name.partition('[')[0])}\(", (mutation.ROOT / file).read_text(), re.M), test


def test_names_are_unique() -> None:
    assert len(mutations.BY_NAME) == len(mutations.ALL)


def test_stale_text_is_an_error(tmp_path: Path) -> None:
    stale = mutation.Change("bpf/decide.h", "this is not there", "")
    with pytest.raises(ValueError, match="0 times"):
        mutation.apply([stale], tmp_path)
