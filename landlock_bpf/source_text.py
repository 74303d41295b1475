# SPDX-License-Identifier: GPL-2.0-only
"""The text of a file that somebody wrote, policy or rule source; what is wrong with the file is a problem at its line."""

from __future__ import annotations

from pathlib import Path

from landlock_bpf import errors


def read(path: Path, most: int, kind: str) -> str:
    """Read a file of a kind, of so many bytes at most, as UTF-8; raises PolicyError."""
    try:
        with path.open("rb") as stream:
            data = stream.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        words = getattr(error, "strerror", None) or str(error)
        raise unfit(str(path), 0, f"cannot be read: {words}", f"name a {kind} that you may read") from error
    if len(data) > most:
        size = f"{most >> 20} MiB" if most >> 20 else f"{most >> 10} KiB"
        raise unfit(str(path), 0, f"is larger than {size}", f"is it a {kind}?")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise unfit(str(path), data.count(b"\n", 0, error.start) + 1, "is not UTF-8 text", "save it as UTF-8") from error


def unfit(file: str, line: int, what: str, remedy: str) -> errors.PolicyError:
    """Make the error of a file in which nothing more can be read."""
    return errors.PolicyError([errors.Problem(file, line, "", what, remedy)])
