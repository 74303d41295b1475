# SPDX-License-Identifier: GPL-2.0-only
"""Files of the host that an escaped container would want: made for the experiment, and looked at from outside afterwards."""

from __future__ import annotations

import dataclasses
import os
import secrets
import stat
from pathlib import Path

# Each step that changes something has a file for itself, so that no step depends on another.
FILES = ("notes", "log", "linked", "old", "precious", "tool", "owned", "dated")


@dataclasses.dataclass(frozen=True)
class Host:
    """A folder of the host; `token` is what its secret holds, and what nobody could have guessed."""

    folder: Path
    token: str

    @property
    def size(self) -> str:
        """The size of the secret, as stat(1) prints it."""
        return str(len(self.token))

    @property
    def beneath_root(self) -> str:
        """Where it is for somebody whose working directory is the host's root."""
        return str(self.folder).lstrip("/")

    def status(self, name: str) -> os.stat_result:
        return (self.folder / name).lstat()

    def mode(self, name: str) -> int:
        return stat.S_IMODE(self.status(name).st_mode)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def has(self, name: str) -> bool:
        return os.path.lexists(self.folder / name)


def make(folder: Path) -> Host:
    """Fill a new folder; its files are root's, and nobody else may read them."""
    folder.mkdir(mode=0o755)
    host = Host(folder, secrets.token_hex(16 + secrets.randbelow(16)))
    (folder / "secret").write_text(host.token)
    for name in FILES:
        (folder / name).write_text("the host's\n")
    (folder / "program").write_text(f"#!/bin/sh\necho {host.token}\n")
    for path in folder.iterdir():
        path.chmod(0o600)
    (folder / "program").chmod(0o700)
    return host
