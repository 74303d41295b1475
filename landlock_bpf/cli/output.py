# SPDX-License-Identifier: GPL-2.0-only
"""What subcommands print: aligned columns for people, JSON for programs."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from landlock_bpf import terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def print_columns(rows: Iterable[Sequence[object]]) -> None:
    """Print rows with their columns aligned; the last one is as wide as it is."""
    table = [[terminal.shown(str(cell)) for cell in row] for row in rows]
    if not table:
        return
    widths = [max(map(len, column)) for column in zip(*table)]
    for row in table:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip())


def print_json(value: object) -> None:
    """Print a value, dataclasses as objects and flags as lists of names, on one line."""
    print(json.dumps(_plain(value)), flush=True)


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Flag):
        return [member.name.lower() for member in type(value) if member in value and member.name]
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value
