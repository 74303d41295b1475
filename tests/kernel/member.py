# SPDX-License-Identifier: GPL-2.0-only
"""A member of a control group: a forked process that does what it is told and says how that went."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any


class Member:
    """A process in a control group (None: where we are); a context manager. The test itself is never confined."""

    def __init__(self, cgroup: Path | None = None, before: Callable[[], object] | None = None) -> None:
        self.cgroup = cgroup
        self._before = before

    def __enter__(self) -> Member:
        self._pipe, theirs = multiprocessing.Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._pipe.close()
                if self.cgroup:
                    (self.cgroup / "cgroup.procs").write_text("0")
                if self._before:
                    self._before()
                theirs.send((True, None))
                serve(theirs)
            finally:
                os._exit(1)
        theirs.close()
        self.end()  # it is there, and ready
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pipe.close()  # which ends it
        os.waitpid(self.pid, 0)

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Have it call a function of a module, and give back the result or raise what was raised there."""
        self.begin(function, *arguments)
        return self.end()

    def begin(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have it call a function while we do something else; end() gives the result."""
        self._pipe.send((function, arguments))

    def end(self) -> Any:
        """Wait for the function that was begun."""
        good, result = self._pipe.recv()
        if good:
            return result
        raise result

    def errno(self, function: Callable[..., Any], *arguments: Any) -> int:
        """Have it try something; the errno, 0 for success."""
        try:
            self.ask(function, *arguments)
        except OSError as error:
            return error.errno or -1
        return 0


def serve(pipe: Any) -> None:
    """Do what comes through a pipe, until it is closed."""
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            os._exit(0)
        try:
            answer = True, function(*arguments)
        except Exception as error:  # told to the test, which judges
            answer = False, error
        pipe.send(answer)
