# SPDX-License-Identifier: GPL-2.0-only
"""Templates of BPF C: Jinja2 renders structure (one wrapper for each hook), never a user's text and no logic."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def render(path: Path, **values: Any) -> str:
    """Render a template; one that uses a name not among `values` is a defect and raises jinja2.UndefinedError."""
    # Imported here because it costs more than a whole warm start, which renders nothing.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # C, not HTML
    )
    return environment.get_template(path.name).render(**values)
