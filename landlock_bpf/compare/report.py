# SPDX-License-Identifier: GPL-2.0-only
"""A comparison on a terminal: where mechanisms differ first, then where they agree, and what each came to."""

from __future__ import annotations

import collections
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from landlock_bpf import terminal
from landlock_bpf.compare import results, statements

Line = Sequence[tuple[str, str]]  # words, and their style
_PLAIN = ""
# Marks are for those who see no colours.
STYLES = {results.RIGHT: "green", results.OPEN: "bold red", results.STRICT: "yellow", None: _PLAIN}
MARKS = {results.OPEN: "!", results.STRICT: "+"}
_AGREED = {
    results.ALLOWED: "allowed",
    results.REFUSED: "refused",
    results.FAILED: "the bare run fails",
    results.ABSENT: "this kernel does not have it",
}
LEGEND = "! lets pass what the policy denies   + refuses what the policy allows   - not on this kernel   ? another failure"


def print_report(columns: Sequence[results.Column], rows: Sequence[results.Row], policy: Path) -> None:
    """Print all that was seen: with rich to a terminal, else in plain columns."""
    ran = [column for column in columns if column.missing is None]
    differ, agree = ([row for row in rows if row.differs == wanted] for wanted in (True, False))
    asked = f"{len(rows)} operations under {len(ran)} mechanisms"
    print(f"Linux {os.uname().release}: {asked}, of the policy {terminal.shown(statements.name_of(policy))}")
    head = ["operation", "wanted", *(column.name for column in ran)]
    if differ:
        _print_table(f"{len(differ)} on which they differ", head, [_line(row, ran) for row in differ])
        print(LEGEND)
    _print_agreement(agree)
    _print_table("What each came to", ["mechanism", "as wanted", "lets pass", "too strict", ""], list(_totals(ran, rows)))
    for column in columns:
        if column.missing is None:
            for each in column.cannot:
                print(f"{column.name} cannot: {each}")
    for column in columns:
        if column.missing is not None:
            print(f"{column.name} is missing: {terminal.shown(column.missing)}")


def _print_agreement(rows: Iterable[results.Row]) -> None:
    found: dict[str, list[str]] = {}
    for row in rows:
        cell = [*row.cells.values()][-1]
        found.setdefault(cell.result, []).append(row.operation.name + MARKS.get(cell.fit or "", ""))
    for result, names in found.items():
        words = f"{len(names)} on which they agree: {_AGREED[result]}"
        print(f"\n{words}\n{textwrap.fill(', '.join(names), shutil.get_terminal_size().columns, break_on_hyphens=False)}")


def _line(row: results.Row, columns: Iterable[results.Column]) -> Line:
    cells = [row.cells[column.name] for column in columns]
    return [(row.operation.name, _PLAIN), (row.wanted or "", _PLAIN), *((word(cell), STYLES[cell.fit]) for cell in cells)]


def word(cell: results.Cell) -> str:
    """Say in a word what came of it, with a mark where that is not what is wanted."""
    if cell.result == results.ABSENT:
        return "-"
    said = cell.errno or ("ok" if cell.result == results.ALLOWED else "")
    if cell.result == results.FAILED:
        return f"{said}?"
    return (said or "stand-in") + MARKS.get(cell.fit or "", "")


def _totals(columns: Iterable[results.Column], rows: Iterable[results.Row]) -> Iterable[Line]:
    for column in columns:
        if column.name == results.BARE:
            continue
        count = collections.Counter(row.cells[column.name].fit for row in rows)
        numbers = [(str(count[fit]), STYLES[fit]) for fit in (results.RIGHT, results.OPEN, results.STRICT)]
        yield [(column.name, _PLAIN), *numbers, (column.title, _PLAIN)]


def _print_table(title: str, head: Sequence[str], lines: Sequence[Line]) -> None:
    if sys.stdout.isatty():
        import rich.console  # slow to load, and not needed in a pipe
        import rich.table
        import rich.text

        table = rich.table.Table(title=title, title_justify="left")
        for each in head:
            table.add_column(each)
        for line in lines:
            table.add_row(*(rich.text.Text(said, style) for said, style in line))
        rich.console.Console().print(table)
        return
    print(f"\n{title}")
    terminal.print_columns([head, *([said for said, _style in line] for line in lines)])
