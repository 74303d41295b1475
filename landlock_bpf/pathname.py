# SPDX-License-Identifier: GPL-2.0-only
"""Paths as the engine writes them, name by name from the object up (struct names): name_path() in bpf/emit.h."""

from __future__ import annotations

from collections.abc import Sequence

from landlock_bpf import abi, terminal


def text(told: abi.Names) -> str:
    """Put a path together from its names; what is no text becomes escapes. Empty where the hook was told of no file."""
    if told.absent:
        return ""
    shown = (terminal.shown(name.decode(errors="backslashreplace")) for name in names(told))
    return ("..." if told.truncated else "") + "/" + "/".join(shown)


def names(told: abi.Names) -> Sequence[bytes]:
    """Give the names from the root down, as they are."""
    # The attribute `text` would end at the first 0.
    start = abi.Names.text.offset
    return bytes(told)[start : start + told.bytes].split(b"\0")[-2::-1]
