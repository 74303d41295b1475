# SPDX-License-Identifier: GPL-2.0-only
"""What subcommands give to programs: JSON, and files."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import enum
import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from landlock_bpf import errors

# Why a file cannot be replaced that may be written in place.
_IN_PLACE = (errno.EBUSY, errno.EACCES, errno.EPERM, errno.EINVAL)


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
    """Write a file, a regular one whole or not at all; KernelError where that fails.

    What a link leads to is written in place, as are devices and pipes (/dev/stdout is one or the other), and files that the
    caller could not make as they are.
    """
    try:
        if not (_is_replaceable(path) and _replaced(path, data)):
            path.write_bytes(data)
    except OSError as error:
        raise _cannot_write(path, error.errno or 0) from error


def _replaced(path: Path, data: bytes) -> bool:
    """Replace a file; False where one is there that cannot be, as it is a mount point, or none may be made beside it."""
    try:
        with opened(path) as place:
            replace(place, data, None, mode=0o666)
    except errors.KernelError as error:
        if error.errno in _IN_PLACE and path.exists():
            return False
        raise
    return True


def _is_replaceable(path: Path) -> bool:
    """Whether a file is missing, or a regular one of the caller's that may be written and has this name alone."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return True
    own = (found.st_uid == os.geteuid() and found.st_gid in (os.getegid(), *os.getgroups())) or not os.geteuid()
    ours = own and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and ours


def write_json(path: Path, value: object) -> None:
    """Write a document for people to look into as well."""
    write(path, f"{json.dumps(value, indent=1)}\n".encode())


class Place(NamedTuple):
    """Where a file is to be: its directory, open, and the regular file that had its name `before`."""

    path: Path
    directory: int
    before: os.stat_result | None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Place]:
    """Open the place of a file, for replace(): before anybody runs who could put another directory or file there."""
    with contextlib.ExitStack() as stack:
        try:
            directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
            stack.callback(os.close, directory)
            before = _file(directory, path.name)
        except OSError as error:
            raise _cannot_write(path, error.errno or 0) from error
        yield Place(path, directory, before)


def replace(place: Place, data: bytes, owner: tuple[int, int] | None, *, mode: int = 0o600) -> None:
    """Write a file in a directory that others may write to, whole or not at all; KernelError where that fails.

    No link is followed: one by the file's name is replaced. The file that was there before, and still is, hands down the owner
    and mode that it had; else the new one is the `owner`'s, user and group, or the caller's, and as `mode` and the umask have
    it: with the default, readable for nobody else.
    """
    part = f".landlock-bpf-{os.urandom(16).hex()}"  # which nobody can guess
    directory, name = place.directory, place.path.name
    try:
        with contextlib.ExitStack() as undo:
            made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=directory)
            undo.callback(os.unlink, part, dir_fd=directory)
            with open(made, "wb") as file:
                now = _file(directory, name)
                if place.before and now and os.path.samestat(place.before, now):
                    # As it was: a file made since may have the same inode number.
                    owner = place.before.st_uid, place.before.st_gid
                    os.fchmod(made, place.before.st_mode & 0o777)
                if owner:
                    os.fchown(made, *owner)
                file.write(data)
                file.flush()
                os.fsync(made)
            os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
            undo.pop_all()
    except OSError as error:
        raise _cannot_write(place.path, error.errno or 0) from error


def _file(directory: int, name: str) -> os.stat_result | None:
    with contextlib.suppress(FileNotFoundError):
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        return found if stat.S_ISREG(found.st_mode) else None
    return None


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
