# SPDX-License-Identifier: GPL-2.0-only
"""bubblewrap, which starts a program in a mount namespace of its own."""

from __future__ import annotations

import functools
import shutil
import subprocess

PROGRAM = "bwrap"


def missing(*options: str) -> str | None:
    """Say why it cannot be used here with these options, with the remedy; None where it can."""
    if shutil.which(PROGRAM) is None:
        return "bubblewrap is not installed; install it (Debian: apt-get install bubblewrap)"
    tried = subprocess.run([PROGRAM, *options, "--", "true"], capture_output=True, text=True, check=False)
    return f"bubblewrap does not run here: {tried.stderr.strip()}; see what its words name" if tried.returncode else None


@functools.cache
def version() -> str:
    """Ask it for its name and version."""
    return subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout.strip()
