# SPDX-License-Identifier: GPL-2.0-only
"""The explainer: an iterator in the kernel that says what a ruleset decides of the objects behind our own descriptors."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from landlock_bpf import abi, bpf, maps

_SIZE = ctypes.sizeof(abi.Explained)

# Asks for all actions.
EVERYTHING = (1 << 64) - 1


class Explainer:
    """The engine's own walk, for any ruleset in the kernel; a context manager. It serves one at a time: hold the lock."""

    def __init__(self, pins: Path) -> None:
        """Take where the engine is pinned."""
        self._progs = pins / "progs"
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            program = bpf.obj_get(self._progs / "explain")
            try:
                self._link = bpf.link_create_iter(program, "explain", tid=threading.get_native_id())
            finally:
                os.close(program)
            undo.callback(os.close, self._link)
            self._map = undo.enter_context(maps.Map.open(pins / "maps" / "explaining", value=abi.Explaining))
            self._stack = undo.pop_all()

    def __enter__(self) -> Explainer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def has(self, hook: str) -> bool:
        """Whether the kernel has a hook that others lack."""
        return (self._progs / hook).exists()

    def ask(
        self,
        ruleset: int,
        fds: Iterable[int],
        asked: int,
        *,
        skip: int = 0,
        source: int = 0,
        target: int = 0,
        command: int | None = None,
    ) -> dict[int, abi.Explained]:
        """Ask the layers of a ruleset, those in the mask `skip` left out, for actions on what open descriptors stand for.

        With `source` and `target`, a higher one, and all actions, `gains` of the latter says whether what the former stands
        for would gain a right there. With an ioctl `command`, all that this needs is asked as well: `asked` of an answer says
        what that is, and `escapes` that every domain refuses it.

        What is in no tree, such as a pipe, has no answer: no policy speaks of it.
        """
        question = abi.Explaining(asked=asked, ruleset=ruleset, skip=skip, source=source, target=target)
        if command is not None:
            question.command, question.ioctl = command, 1
        self._map.update(0, question)
        told = bpf.iter_read(self._link, "explain")
        answers = (abi.Explained.from_buffer_copy(told, at) for at in range(0, len(told), _SIZE))
        wanted = set(fds)
        return {answer.fd: answer for answer in answers if answer.fd in wanted}
