# SPDX-License-Identifier: GPL-2.0-only
"""The tables of `bench`, for people and as JSON."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from landlock_bpf.bench import cases, clock, results, tree

HEAD = """\
{operation} on {filesystem}: {unit} of one, the median; Linux {kernel}, {cpus} CPU
Each dimension is varied with the others at depth 4, 1 rule, 1 layer; some corners follow.
warm: one file again and again; cold: {siblings} files in as many sibling directories in turn,
more directories than a task under the engine remembers. {rule}: a rule program instead of policies."""

Table = tuple[str, list[str], list[list[str]]]


def figure(value: float | None, style: str = ",.0f") -> str:
    return "-" if value is None else format(value, style)


def member_table(rows: Sequence[results.Row]) -> Table:
    """Show the tasks in domains."""
    head = ["depth", "rules", "layers", "domain", "files", "unrestricted", "syscalls", "ours", "ours/syscalls"]
    lines = [_member(row.subject, row) for row in rows if isinstance(row.subject, cases.Case)]
    return "In a domain: what each mechanism adds", head, lines


def _member(case: cases.Case, row: results.Row) -> list[str]:
    words = [
        str(case.depth),
        cases.RULE if case.programs else f"{case.rules:,}",
        str(case.layers),
        "process" if case.process else "cgroup",
        row.files,
    ]
    added = [figure(row.added(name), "+,.0f") for name in (results.SYSCALLS, results.ENGINE)]
    return [*words, figure(row.samples[results.UNRESTRICTED].median), *added, figure(row.ratio, ".2f")]


def bystander_table(rows: Sequence[results.Row]) -> Table:
    """Show the task in no domain."""
    title = "In no domain: what domains elsewhere add, at depth 4 (the system calls add nothing)"
    head = ["domains", "kinds", "they have", "unrestricted", "ours"]
    return title, head, [_bystander(row.subject, row) for row in rows if isinstance(row.subject, cases.Bystander)]


def _bystander(case: cases.Bystander, row: results.Row) -> list[str]:
    words = [
        f"{case.domains:,}",
        "cgroup + process" if case.process else "cgroup",
        cases.RULE if case.programs else "read_file" if case.one_hook else "all rights",
    ]
    return [*words, figure(row.samples[results.UNRESTRICTED].median), figure(row.added(results.ENGINE), "+,.0f")]


def mark_table(marks: Sequence[results.Mark]) -> Table:
    words = {True: "met", False: "MISSED", None: "not measured"}
    lines = [[mark.what, f"<= {mark.limit:g}", figure(mark.value, ".4g"), words[mark.met]] for mark in marks]
    return "Targets", ["what", "target", "measured", ""], lines


def print_report(unit: clock.Clock, rows: Sequence[results.Row], marks: Sequence[results.Mark]) -> None:
    """Print what was measured and how: with rich to a terminal, else in plain columns."""
    facts = conditions(unit)
    print(HEAD.format(**facts, siblings=tree.SIBLINGS, rule=cases.RULE))
    if not unit.counts_instructions:
        print("Wall time wavers; `vm/run --icount -- python3 -m landlock_bpf bench` counts instructions.")
    tables = [table for table in (member_table(rows), bystander_table(rows), mark_table(marks)) if table[2]]
    if sys.stdout.isatty():
        import rich.console  # slow to load, and not needed in a pipe
        import rich.table

        console = rich.console.Console()
        for title, head, lines in tables:
            shown = rich.table.Table(title=title, title_justify="left")
            for word in head:
                shown.add_column(word, justify="right" if word not in ("what", "kinds", "they have") else "left")
            for line in lines:
                shown.add_row(*line)
            console.print(shown)
        return
    for title, head, lines in tables:
        widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
        print(f"\n{title}")
        for line in (head, *lines):
            print("  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True)).rstrip())


def conditions(unit: clock.Clock) -> dict[str, Any]:
    """Tell what the figures depend on."""
    lsm = Path("/sys/kernel/security/lsm")
    return {
        "unit": unit.unit,
        "ns_per_instruction": [unit.short_chain, unit.long_chain],
        "kernel": os.uname().release,
        "machine": os.uname().machine,
        "cpus": os.cpu_count(),
        "lsm": lsm.read_text().strip().split(",") if lsm.exists() else None,
        "filesystem": "tmpfs",
        "operation": "open(O_RDONLY) + close",
    }


def document(unit: clock.Clock, rows: Sequence[results.Row], marks: Sequence[results.Mark]) -> dict[str, Any]:
    """Give all figures as JSON has them."""
    return {
        **conditions(unit),
        "rows": [
            {
                "kind": type(row.subject).__name__.lower(),
                **{name: value for name, value in dataclasses.asdict(row.subject).items() if name != "quick"},
                "files": row.files,
                "samples": {name: dataclasses.asdict(sample) for name, sample in row.samples.items()},
                "added": {name: row.added(name) for name in row.samples if name != results.UNRESTRICTED},
                "ratio": row.ratio,
            }
            for row in rows
        ],
        "targets": [{**dataclasses.asdict(mark), "met": mark.met} for mark in marks],
    }
