# SPDX-License-Identifier: GPL-2.0-only
"""The HTML page of a comparison: one file that needs no other, no network and, but to sort and filter, no script."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import urllib.parse
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

import landlock_bpf
from landlock_bpf import terminal
from landlock_bpf.bench import report
from landlock_bpf.compare import figures, plot, results

FOLDER = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a cell may say: its mark, which is not its colour alone, and what the mark means."""

    name: str
    mark: str
    title: str
    means: str


# In the order that a column is sorted in.
KINDS = (
    Kind("open", "○", "open", "allowed, though the policy wants it refused"),
    Kind("strict", "▲", "too strict", "refused, though the policy wants it allowed"),
    Kind("right", "✓", "as wanted", "refused or allowed as the policy wants it"),
    Kind("free", "·", "not judged", "the policy says nothing of it, or none is in force"),
    Kind("failed", "?", "failed", "it failed for another reason, so nothing is known of the mechanism"),
    Kind("absent", "-", "absent", "this kernel does not have it"),
    Kind("missing", "", "not run", "the mechanism is not to be had on this machine"),
)
# What is as wanted stands first in a bar, so that bars are compared by it.
IN_BARS = sorted(KINDS, key=lambda kind: kind.name != "right")
BY_NAME = {kind.name: kind for kind in KINDS}


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell as it is shown; `note` numbers the notes of its row, `rank` orders a column."""

    kind: Kind
    rank: int
    word: str
    result: str
    note: int | None


@dataclasses.dataclass(frozen=True)
class Row:
    """A row as it is shown; `anchor` leads to it from elsewhere."""

    anchor: str
    operation: Mapping[str, Any]
    cells: tuple[Cell, ...]
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Column:
    """A mechanism as it is shown, and how often each kind is in its cells."""

    anchor: str
    mechanism: Mapping[str, Any]
    counts: Mapping[str, int]
    bar: markupsafe.Markup

    @property
    def bare(self) -> bool:
        return bool(self.mechanism["name"] == results.BARE)

    @property
    def parts(self) -> list[str]:
        """Give the name in the parts between which a line may break."""
        *joined, last = self.mechanism["name"].split("+")
        return [*(f"{part}+" for part in joined), last]


def render(document: Mapping[str, Any]) -> str:
    """Give the page of a document of `compare`.

    Nothing in the document is taken for HTML, and what could not be seen in it is escaped to be seen.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_seen,
    )
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    bench = document["bench"]
    rows = [_row(each, document["mechanisms"]) for each in document["operations"]]
    return environment.get_template("page.html.j2").render(
        document=document,
        kinds=KINDS,
        rows=rows,
        columns=[_column(each, [row.cells[at] for row in rows]) for at, each in enumerate(document["mechanisms"])],
        differing=sum(row.operation["differs"] for row in rows),
        groups=_once(row.operation["group"] for row in rows),
        places=_once(row.operation["place"] for row in rows),
        chapters=figures.draw(bench) if bench else (),
        tables=list(report.tables(bench)) if bench else (),
        bench_head=report.head(bench) if bench else "",
        not_measured=report.missing(bench) if bench else (),
        style=markupsafe.Markup(style),
        script=markupsafe.Markup(script),
        content_policy=_content_policy(style, script),
        version=landlock_bpf.__version__,
    )


def _row(operation: Mapping[str, Any], mechanisms: Sequence[Mapping[str, Any]]) -> Row:
    found = [operation["cells"].get(each["name"]) for each in mechanisms]
    notes = _once(cell["note"] for cell in found if cell and cell["note"])
    return Row(_anchor("op", operation["name"]), operation, tuple(_cell(cell, notes) for cell in found), notes)


def _cell(cell: Mapping[str, Any] | None, notes: Sequence[str]) -> Cell:
    if cell is None:
        return _shown("missing", "", "missing", None)
    result, word = cell["result"], cell["errno"] or cell["result"]
    name = cell["fit"] or ("free" if result in (results.ALLOWED, results.REFUSED) else result)
    return _shown(name, word, result, notes.index(cell["note"]) + 1 if cell["note"] else None)


def _shown(name: str, word: str, result: str, note: int | None) -> Cell:
    kind = BY_NAME[name]
    return Cell(kind, KINDS.index(kind), word, result, note)


def _column(mechanism: Mapping[str, Any], cells: Sequence[Cell]) -> Column:
    counts = Counter(cell.kind.name for cell in cells)
    parts = [(kind.name, counts[kind.name]) for kind in IN_BARS]
    title = ", ".join(f"{count} {BY_NAME[name].title}" for name, count in parts if count)
    bar = plot.stack(f"{mechanism['name']}: {title}", parts)
    return Column(_anchor("mechanism", mechanism["name"]), mechanism, counts, bar)


def _anchor(kind: str, name: str) -> str:
    """Give what a link to it and its id say, letter for letter."""
    return f"{kind}-{urllib.parse.quote(name, safe='+', errors='backslashreplace')}"


def _once(words: Iterable[str]) -> tuple[str, ...]:
    """Leave out what was there before."""
    return tuple(dict.fromkeys(words))


def _seen(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, markupsafe.Markup):
        return "\n".join(map(terminal.shown, value.split("\n")))
    return value


def _content_policy(style: str, script: str) -> str:
    """Let the page load nothing and run nothing but this style sheet and this script."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    sources = (f"{kind}-src 'sha256-{digest}'" for kind, digest in zip(("style", "script"), digests, strict=True))
    closed = ("base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'")
    return "; ".join(("default-src 'none'", *sources, *closed))
