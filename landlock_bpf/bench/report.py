# SPDX-License-Identifier: GPL-2.0-only
"""The tables of `bench`, made of its document: for a terminal, for a pipe, and for docs/PERFORMANCE.md."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator

from landlock_bpf import terminal
from landlock_bpf.bench import cases, clock, memory, tree
from landlock_bpf.bench.document import Document
from landlock_bpf.bench.mechanisms import ENGINE, SYSCALLS, UNRESTRICTED

HEAD = "Linux {kernel}, {cpus} CPU, LSMs {lsms}; {unit}, the median; on {filesystem}; engine {engine}, {date}"
CASES = f"""\
open(2) and close(2), by cases: what each mechanism adds. warm: one file again and again; cold: {tree.SIBLINGS} files in as
many directories in turn, more than a processor under the engine remembers. {cases.RULE}: a rule program instead of policies"""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; the columns named in `words` hold words, all others figures."""

    title: str
    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()

    def is_figure(self, column: str) -> bool:
        return column not in self.words


def figure(value: float | None, style: str = ",.0f") -> str:
    return "-" if value is None else format(value, style)


def head(told: Document) -> str:
    """Say in a line what was measured, and on what."""
    return HEAD.format(**{**told, "date": told["date"][:10]}, lsms=",".join(told["lsm"] or ["unknown"]))


def tables(told: Document) -> Iterator[Table]:
    """Give the tables that have lines."""
    for make in (_operations, _cases, _bystanders, _starts, _changes, _memory, _targets):
        table = make(told)
        if table.lines:
            yield table


def missing(told: Document) -> list[str]:
    """Say which mechanisms were not measured, or not wholly, and why."""
    return [*(f"{each['title']}: {each['missing']}" for each in told["mechanisms"] if each["missing"]), *failures(told)]


def failures(told: Document) -> list[str]:
    """Say of which mechanisms figures are missing that there should be, and why."""
    return [f"{each['title']}, in part: {' '.join(why.split())}" for each in told["mechanisms"] for why in each["failed"]]


def missed(told: Document) -> list[str]:
    """Say which targets are missed, where that can be told: where instructions are counted, and figures repeat."""
    if told["unit"] != clock.INSTRUCTIONS:
        return []
    marks = (each for each in told["targets"] if each["met"] is False and each["firm"])
    return [f"{each['what']}: {each['value']:,.4g}, to be <= {each['limit']:,g}" for each in marks]


def _operations(told: Document) -> Table:
    columns = [each for each in told["mechanisms"] if each["name"] != UNRESTRICTED and not each["missing"]]
    lines = []
    for row in told["operations"]:
        cells = [_added(told, row, each["name"]) + _ratio(row, each["name"]) for each in columns]
        lines.append((row["name"], row["text"], _plain(told, row), *cells))
    title = "Operations, at depth 4, 1 rule, 1 layer: what each mechanism adds, and that in terms of the system calls'"
    return Table(title, ("", "what", UNRESTRICTED, *(each["title"] for each in columns)), tuple(lines), ("", "what"))


def _ratio(row: Document, mechanism: str) -> str:
    # Beside what the system calls do not check there is nothing to compare with.
    ratio = row["ratios"].get(mechanism) if row["compared"] else None
    return "" if ratio is None else f" ({ratio:.2f})"


def _cases(told: Document) -> Table:
    columns = ("depth", "rules", "layers", "domain", "files", UNRESTRICTED, "system calls", "ours", "ours / system calls")
    lines = [
        (
            str(row["depth"]),
            cases.RULE if row["programs"] else f"{row['rules']:,}",
            str(row["layers"]),
            "process" if row["process"] else "cgroup",
            row["files"],
            _plain(told, row),
            *(_added(told, row, name) for name in (SYSCALLS, ENGINE)),
            figure(row["ratio"], ".2f"),
        )
        for row in told["rows"]
        if row["kind"] == "case"
    ]
    return Table(CASES, columns, tuple(lines))


def _bystanders(told: Document) -> Table:
    lines = [
        (
            f"{row['domains']:,}",
            "cgroup and process" if row["process"] else "cgroup",
            cases.RULE if row["programs"] else "read_file" if row["one_hook"] else "all actions",
            _plain(told, row),
            _added(told, row, ENGINE),
        )
        for row in told["rows"]
        if row["kind"] == "bystander"
    ]
    title = "open(2) and close(2) of a task in no domain, at depth 4: what domains elsewhere add (the system calls add nothing)"
    return Table(title, ("domains", "kinds", "they have", UNRESTRICTED, "ours"), tuple(lines), ("kinds", "they have"))


def _starts(told: Document) -> Table:
    lines = [(row["text"], figure(row["median"]), figure(row["times"], ".2f")) for row in told["starts"]]
    title = "Starts with 10 rules, warm: the processor time of all processes"
    return Table(title, ("what", "in all", "/ python3 -c pass"), tuple(lines), ("what",))


def _changes(told: Document) -> Table:
    columns = ("what", "rules", "ours", "a launcher in C with the system calls")
    found = {(row["what"], row["rules"], row["mechanism"]): row["median"] for row in told["changes"]}
    lines = [
        (what, f"{rules:,}", *(figure(found.get((what, rules, name))) for name in (ENGINE, SYSCALLS)))
        for what, rules in dict.fromkeys((what, rules) for what, rules, _ in found)
    ]
    return Table("Domains changed, in one process that has done so before", columns, tuple(lines), ("what",))


def _memory(told: Document) -> Table:
    lines = [
        (row["what"], "ours" if row["mechanism"] == ENGINE else "system calls", memory.HOW[row["how"]], figure(row["bytes"]))
        for row in told["memory"]
        if row["how"] in memory.HOW  # others were found to say nothing
    ]
    return Table("Memory", ("of one", "mechanism", "how", "bytes"), tuple(lines), ("of one", "mechanism", "how"))


def _targets(told: Document) -> Table:
    words = {True: "met", False: "MISSED", None: "not measured"}
    lines = [
        (mark["what"], f"<= {mark['limit']:,g}", figure(mark["value"], ",.4g"), words[mark["met"]]) for mark in told["targets"]
    ]
    return Table("Targets", ("what", "target", "measured", ""), tuple(lines), ("what", ""))


def _plain(told: Document, row: Document) -> str:
    sample = row["samples"].get(UNRESTRICTED)
    return _cell(told, UNRESTRICTED, sample and sample["median"], ",.0f")


def _added(told: Document, row: Document, mechanism: str) -> str:
    return _cell(told, mechanism, row["added"].get(mechanism), "+,.0f")


def _cell(told: Document, mechanism: str, value: float | None, style: str) -> str:
    """Write a figure of a mechanism, or that it failed: failures() tells why."""
    failed = any(each["failed"] for each in told["mechanisms"] if each["name"] == mechanism)
    return "failed" if value is None and failed else figure(value, style)


def print_report(told: Document) -> None:
    """Print what was measured and how: with rich to a terminal, else in plain columns."""
    print(head(told))
    if told["unit"] == "ns":
        print("Wall time wavers; `vm/run --icount -- landlock-bpf bench` counts instructions.")
    for line in missing(told):
        print(f"not measured: {line}")
    for table in tables(told):
        if sys.stdout.isatty():
            _print_rich(table)
        else:
            print(f"\n{table.title}")
            figures = [number for number, word in enumerate(table.head) if table.is_figure(word)]
            terminal.print_columns((table.head, *table.lines), figures)


def _print_rich(table: Table) -> None:
    import rich.console  # slow to load, and not needed in a pipe
    import rich.table

    shown = rich.table.Table(title=table.title, title_justify="left")
    for word in table.head:
        shown.add_column(word, justify="right" if table.is_figure(word) else "left")
    for line in table.lines:
        shown.add_row(*line)
    rich.console.Console().print(shown)
