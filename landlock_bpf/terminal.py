# SPDX-License-Identifier: GPL-2.0-only
"""Text for terminals: names come from strangers' files, and control characters in them do as they like there."""

from __future__ import annotations


def shown(text: str) -> str:
    """Give a line with escapes for what a terminal would obey or could not show; a newline is one of these."""
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)
