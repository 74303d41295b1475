# SPDX-License-Identifier: GPL-2.0-only
"""The identifier: an iterator in the kernel that names the objects behind our own descriptors."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from types import TracebackType

from landlock_bpf import bpf, identity


class Identifier:
    """The iterator that names the objects behind our own descriptors; a context manager."""

    def __init__(self, program: int, learn: Callable[[], None]) -> None:
        """Take the descriptor of the program, and what to call when a filesystem's layout is not known to it yet."""
        self._link = bpf.link_create_iter(program, "identify", tid=threading.get_native_id())
        self._learn = learn

    def __enter__(self) -> Identifier:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._link)

    def identify(self, fds: Iterable[int]) -> identity.Names:
        """Name the objects behind open descriptors, O_PATH ones too."""
        found = self._read()
        # Others of ours may be open where that never gets known.
        if not found.all_known and not all(found[fd].known for fd in fds):
            self._learn()
            found = self._read()
        return found

    def _read(self) -> identity.Names:
        return identity.Names(bpf.iter_read(self._link, "identify"))
