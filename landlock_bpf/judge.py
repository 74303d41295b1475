# SPDX-License-Identifier: GPL-2.0-only
"""The judge: an iterator in the kernel that says which open files of others a ruleset would not have let them open."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from landlock_bpf import abi, bpf, maps

_SIZE = ctypes.sizeof(abi.Judged)


class Judge:
    """The engine's own walk from open files, for any ruleset in the kernel; a context manager. Hold the lock."""

    def __init__(self, pins: Path) -> None:
        """Take where the engine is pinned."""
        with contextlib.ExitStack() as self._stack:
            self._program = bpf.obj_get(pins / "progs" / "judge")
            self._stack.callback(os.close, self._program)
            self._map = self._stack.enter_context(maps.Map.open(pins / "maps" / "judging", value=abi.Judging))
            self._stack = self._stack.pop_all()

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def look(self, ruleset: int, thread: int, *, skip: int = 0) -> Iterator[abi.Judged | None]:
        """Give a thread's open files, as they come, with a right that layers of a ruleset deny there; none of one that ended.

        Layers in the mask `skip` are not asked. Now and then it gives None, for who does not wait for ever.
        """
        self._map.update(0, abi.Judging(ruleset=ruleset, skip=skip))
        link = bpf.link_create_iter(self._program, "judge", tid=thread)
        try:
            rest = b""
            for part in bpf.iter_parts(link, "judge"):
                rest += part
                whole = len(rest) - len(rest) % _SIZE
                for at in range(0, whole, _SIZE):
                    yield abi.Judged.from_buffer_copy(rest, at)
                rest = rest[whole:]
                yield None
        finally:
            os.close(link)
