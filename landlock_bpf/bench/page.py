# SPDX-License-Identifier: GPL-2.0-only
"""The tables in docs/PERFORMANCE.md: a section a kernel, between two comments, which the tool alone writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from landlock_bpf import errors
from landlock_bpf.bench import document, report

BEGIN = "<!-- figures of {series}, engine {engine}: written by `landlock-bpf bench --markdown` -->"
END = "<!-- end of figures of {series} -->"
_BEGUN = re.compile(r"<!-- figures of ([\d.]+), engine ([\w-]+): ")


def write(path: Path, told: document.Document) -> None:
    """Replace the section of the document's kernel in a file; NotFoundError where it has none."""
    old = find_section(path, told["kernel"])
    path.write_text(old.string[: old.start()] + section(told) + old.string[old.end() :])


def find_section(path: Path, kernel: str) -> re.Match[str]:
    """Find the section of a kernel in a file; NotFoundError where it has none."""
    series = series_of(kernel)
    begin = re.escape(BEGIN.format(series=series, engine="ENGINE")).replace("ENGINE", r"[\w-]+")
    found = re.search(f"{begin}.*?{re.escape(END.format(series=series))}", path.read_text(), re.DOTALL)
    if not found:
        wanted = "\n".join(each.format(series=series, engine="none") for each in (BEGIN, END))
        raise errors.NotFoundError(f"{path} has no section for Linux {series}; put there:\n{wanted}")
    return found


def section(told: document.Document) -> str:
    """Write a section, comments included."""
    series = series_of(told["kernel"])
    return "\n".join([BEGIN.format(series=series, engine=told["engine"]), *_lines(told), "", END.format(series=series)])


def stale(path: Path) -> list[str]:
    """Name the series whose figures are of another engine than this checkout's; NotFoundError where there are no figures."""
    now, found = document.engine(), _BEGUN.findall(path.read_text())
    if not found:
        raise errors.NotFoundError(
            f"{path} has no section of figures; `landlock-bpf bench --markdown {path}` says what to put there"
        )
    return [series for series, engine in found if engine != now]


def series_of(kernel: str) -> str:
    """Give the series of a kernel: 6.12 of 6.12.117+deb12-amd64."""
    return ".".join(kernel.split(".")[:2])


def _lines(told: document.Document) -> Iterator[str]:
    yield f"\n{report.head(told)}.\n"
    for line in report.missing(told):
        yield f"Not measured: {line}.\n"
    for table in report.tables(told):
        yield f"**{table.title}**\n"
        yield _row(table.head)
        yield _row("---:" if table.is_figure(word) else "---" for word in table.head)
        yield from map(_row, table.lines)
        yield ""


def _row(words: Iterable[str]) -> str:
    return f"| {' | '.join(words)} |"
