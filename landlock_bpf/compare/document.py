# SPDX-License-Identifier: GPL-2.0-only
"""A comparison as JSON has it, for papers and for the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from landlock_bpf import conditions
from landlock_bpf.compare import results, statements

FORMAT = "landlock-bpf compare 1"


def make(columns: Sequence[results.Column], rows: Sequence[results.Row], policy: Path, bench: object = None) -> dict[str, Any]:
    """Give all that was seen, and on what machine; `bench` is a document of its own."""
    return {
        **conditions.head(FORMAT),
        "policy": {"name": statements.name_of(policy), "text": policy.read_text()},
        "mechanisms": [_column(each) for each in columns],
        "operations": [_row(each) for each in rows],
        "bench": bench,
    }


def _column(column: results.Column) -> dict[str, Any]:
    return {field.name: _plain(getattr(column, field.name)) for field in dataclasses.fields(column)}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _row(row: results.Row) -> dict[str, Any]:
    operation = row.operation
    return {
        "name": operation.name,
        "group": operation.group,
        "place": operation.place,
        "text": operation.text,
        "wanted": row.wanted,
        "why": operation.why,
        "differs": row.differs,
        "cells": {name: dataclasses.asdict(cell) for name, cell in row.cells.items()},
    }
