# SPDX-License-Identifier: GPL-2.0-only
"""What the page draws of a document of `bench`: lines by depth, rules and layers, and bars for the rest of what is timed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import markupsafe

from landlock_bpf.bench import mechanisms, startup
from landlock_bpf.compare import plot

DIMENSIONS = {"depth": "directories above the file", "rules": "rules", "layers": "layers"}
# What sets a row apart from those that a plot compares, whatever its dimensions are.
APART = ("process", "programs")
FILES = {"warm": "one file again and again", "cold": "many directories in turn"}
Rows = Sequence[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Figure:
    """A plot, and what it is of."""

    title: str
    picture: markupsafe.Markup


@dataclasses.dataclass(frozen=True)
class Chapter:
    """Figures that are read together, and what they have in common."""

    title: str
    text: str
    figures: tuple[Figure, ...]
    wide: bool = False


def draw(bench: Mapping[str, Any]) -> tuple[Chapter, ...]:
    """Draw what was measured; of what was left out, there is no chapter."""
    titles = {each["name"]: each["title"] for each in bench["mechanisms"]}
    measured = [name for name in titles if name != mechanisms.UNRESTRICTED]
    names = _Names(titles, {name: slot for slot, name in enumerate(measured)})
    unit = bench["unit"]
    chapters = (
        Chapter(
            "open(2) and close(2)",
            f"The {unit} that each mechanism adds, by one dimension with the others as they mostly are.",
            tuple(_lines(bench["rows"], names, unit)),
            wide=True,
        ),
        Chapter(
            "Operations",
            f"The {unit} that each mechanism adds, each operation to its own scale; in brackets, in terms of the system "
            "calls' where these check the same.",
            tuple(_operations(bench["operations"], names)),
        ),
        Chapter(
            "Starts",
            f"The {unit} of starting a command with 10 rules, warm, of all processes; in brackets, in terms of Python's start.",
            tuple(_starts(bench["starts"], names)),
            wide=True,
        ),
        Chapter(
            "Changes",
            f"The {unit} of putting a domain in force, replacing and ending it.",
            tuple(_changes(bench["changes"], names)),
        ),
    )
    return tuple(chapter for chapter in chapters if chapter.figures)


@dataclasses.dataclass(frozen=True)
class _Names:
    """What mechanisms are called, and which marker and colour each has in all plots."""

    titles: Mapping[str, str]
    slots: Mapping[str, int]

    def bar(self, name: str, value: float, ratio: float | None = None) -> plot.Bar:
        return plot.Bar(self.titles[name], self.slots[name], value, _figure(value, ratio, sign="+"))


def _lines(rows: Rows, names: _Names, unit: str) -> Iterator[Figure]:
    """Draw a plot for each dimension and each way to choose files, those of one dimension to the same scale."""
    rows = [row for row in rows if row["kind"] == "case" and not any(row[name] for name in APART)]
    # Each dimension is varied with the others as most rows have them.
    base = {name: Counter(row[name] for row in rows).most_common(1)[0][0] for name in DIMENSIONS if rows}
    for dimension, across in DIMENSIONS.items():
        varied = [row for row in rows if all(row[name] == base[name] for name in DIMENSIONS if name != dimension)]
        top = max((value for row in varied for value in _added(row).values()), default=0)
        for files in dict.fromkeys(row["files"] for row in varied):
            chosen = sorted((row for row in varied if row["files"] == files), key=lambda row: int(row[dimension]))
            if len(chosen) > 1:
                added = dict.fromkeys(name for row in chosen for name in _added(row))
                series = [
                    plot.Series(names.titles[each], names.slots[each], _points(chosen, dimension, each)) for each in added
                ]
                if series:
                    title = f"By {dimension}, {files}: {FILES[files]}"
                    yield Figure(title, plot.lines(title, across, f"{unit} added", series, top))


def _points(rows: Rows, dimension: str, name: str) -> tuple[tuple[float, float], ...]:
    return tuple((row[dimension], _added(row)[name]) for row in rows if name in _added(row))


def _added(row: Mapping[str, Any]) -> dict[str, float]:
    """Give what mechanisms add; without an unrestricted sample nobody knows."""
    return {name: value for name, value in row["added"].items() if value is not None}


def _operations(operations: Rows, names: _Names) -> Iterator[Figure]:
    for row in operations:
        ratios = row["ratios"] if row["compared"] else {}
        added = _added(row)
        bars = [names.bar(name, added[name], ratios.get(name)) for name in names.slots if name in added]
        if bars:
            yield Figure(f"{row['name']}: {row['text']}", plot.bars(row["name"], bars))


def _starts(starts: Rows, names: _Names) -> Iterator[Figure]:
    bars = [_start(row, names) for row in starts]
    if bars:
        yield Figure("Start of a command", plot.bars("Start of a command", bars, plot.WIDTH))


def _start(row: Mapping[str, Any], names: _Names) -> plot.Bar:
    """Draw a start in the colour of its mechanism, or in one of its own if that is none."""
    slot = names.slots.get(startup.mechanism_of(row["name"]), len(names.slots))
    return plot.Bar(row["text"], slot, row["median"], _figure(row["median"], row["times"]))


def _changes(changes: Rows, names: _Names) -> Iterator[Figure]:
    for what, rules in dict.fromkeys((row["what"], row["rules"]) for row in changes):
        title = f"{what}, {rules:,} rules"
        found = [row for row in changes if (row["what"], row["rules"]) == (what, rules)]
        bars = [
            plot.Bar(names.titles[row["mechanism"]], names.slots[row["mechanism"]], row["median"], _figure(row["median"]))
            for row in found
        ]
        yield Figure(title, plot.bars(title, bars))


def _figure(value: float, ratio: float | None = None, sign: str = "") -> str:
    return format(value, f"{sign},.0f") + (f" ({ratio:.2f})" if ratio is not None else "")
