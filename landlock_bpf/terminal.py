# SPDX-License-Identifier: GPL-2.0-only
"""Text for terminals: names come from strangers' files, and control characters in them do as they like there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def shown(text: str) -> str:
    """Give a line with escapes for what a terminal would obey or could not show; a newline is one of these."""
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)


def print_columns(rows: Iterable[Sequence[object]], right: Collection[int] = ()) -> None:
    """Print rows with their columns aligned, those numbered in `right` at their right ends."""
    table = [[shown(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        sides = (">" if number in right else "<" for number in range(len(row)))
        print("  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip())
