# SPDX-License-Identifier: GPL-2.0-only
"""What subcommands give to programs: JSON, and files."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import errno
import json
import os
from pathlib import Path
from typing import Any

from landlock_bpf import errors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def require_writable(*paths: Path | None) -> None:
    """Raise KernelError for a file that could not be written: before what is to be in it is worked out, which takes long."""
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise _cannot_write(path, errno.EISDIR)
        if not path.parent.is_dir():
            raise _cannot_write(path, errno.ENOENT)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise _cannot_write(path, errno.EACCES)


def write(path: Path, data: bytes) -> None:
    """Write a file; KernelError where that fails."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise _cannot_write(path, error.errno or 0) from error


def write_json(path: Path, value: object) -> None:
    """Write a document for people to look into as well."""
    write(path, f"{json.dumps(value, indent=1)}\n".encode())


def _cannot_write(path: Path, number: int) -> errors.KernelError:
    return errors.KernelError("write", str(path), number, "name a file in a folder that is there and yours to write to")


def print_json(value: object) -> None:
    """Print a value, dataclasses as objects and flags as lists of names, on one line."""
    print(json.dumps(_plain(value)), flush=True)


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Flag):
        return [member.name.lower() for member in type(value) if member in value and member.name]
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value
