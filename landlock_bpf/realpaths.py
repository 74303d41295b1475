# SPDX-License-Identifier: GPL-2.0-only
"""Paths without symbolic links; of many in one folder, the way to it is followed once."""

from __future__ import annotations

import os


class Realpaths:
    """What paths come to, as long as nobody changes anything: for what may be told or left out, not for what is enforced."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}
        self._found: dict[str, str] = {}

    def find(self, path: str) -> str:
        """Follow the links of an absolute path, whether or not it exists."""
        found = self._found.get(path)
        if found is None:
            found = self._found[path] = self._follow(path)
        return found

    def _follow(self, path: str) -> str:
        folder, _, name = path.rpartition("/")
        if name in ("", ".", "..") or os.path.islink(path):
            return os.path.realpath(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder or "/")
        return f"{self._folders[folder].rstrip('/')}/{name}"
