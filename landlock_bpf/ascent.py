# SPDX-License-Identifier: GPL-2.0-only
"""The ascent from an object up to the root: each place on the way, open, as the caller sees it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from landlock_bpf import errors, paths


class Ascent:
    """Open places on the way from an object up to the root; a context manager. The object is first."""

    def __init__(self, path: str, *, follow: bool, parent: bool = False) -> None:
        """Open a path, or what of it is there; `names` is what is not. With `parent` the directory of its last name.

        Raises OSError where the kernel would not find it either, NotFoundError for what has no path here.
        """
        self.names: list[str] = []
        self.fds: list[int] = []
        self._stack = contextlib.ExitStack()
        path = paths.absolute(path)
        if parent:
            path = directory(path)
        with contextlib.ExitStack() as self._stack:
            self._climb(path, self._first(path, follow=follow or parent))
            self._stack = self._stack.pop_all()

    def __enter__(self) -> Ascent:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @property
    def object(self) -> int:
        return self.fds[0]

    @property
    def mode(self) -> int:
        return os.fstat(self.object).st_mode

    @property
    def target(self) -> str:
        """The path of what is asked about, whether it is there or not."""
        return "/".join([self.path(self.object).rstrip("/"), *self.names]) or "/"

    def path(self, fd: int) -> str:
        """Name a place as we see it."""
        return os.readlink(f"/proc/self/fd/{fd}")

    def paths(self) -> Iterator[tuple[int, str]]:
        for fd in self.fds:
            yield fd, self.path(fd)

    def _first(self, path: str, *, follow: bool) -> int:
        flags = os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
        for _ in range(paths.LONGEST):  # names and links that may be missing at the end: more would not fit
            try:
                return self._open(path, flags)
            except FileNotFoundError:
                path = path.rstrip("/")
                if not flags & os.O_NOFOLLOW and os.path.islink(path):
                    path = paths.tidy(os.path.join(os.path.dirname(path), os.readlink(path)))
                    continue
                path, _, name = path.rpartition("/")
                if name in ("", ".."):  # nothing is above what is missing
                    raise
                self.names.insert(0, name)
                path, flags = path or "/", os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def _climb(self, path: str, fd: int) -> None:
        self.fds.append(fd)
        status = os.fstat(fd)
        if not stat.S_ISDIR(status.st_mode):
            if not paths.is_at(self.path(fd), status):
                what = f"{path} leads to {self.path(fd)}, which is not to be found by a path"
                raise errors.NotFoundError(f"{what}; ask about what is in a directory of this mount namespace")
            fd = self._open(os.path.dirname(self.path(fd)), os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY)
            self.fds.append(fd)
        while self.path(fd) != "/":
            fd = self._open("..", os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY, fd)
            self.fds.append(fd)

    def _open(self, path: str, flags: int, at: int | None = None) -> int:
        fd = os.open(path, flags, dir_fd=at)
        self._stack.callback(os.close, fd)
        return fd


def directory(path: str) -> str:
    """Give the directory that has the last name of an absolute path; above "..", that is what is above where it leads."""
    return f"{path}/.." if path.endswith("/..") else os.path.dirname(path)
