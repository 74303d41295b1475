# SPDX-License-Identifier: GPL-2.0-only
"""A process that tries things before and after it is confined, and says how they went through memory alone.

A Member talks through a socket, which a rule program that allows no write would silence.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import struct
import traceback
from collections.abc import Callable, Sequence
from typing import Any

Try = Callable[[Any], object]
_UNTRIED = 0x7FFFFFFF


def outcomes(prepare: Callable[[], contextlib.AbstractContextManager[Any]], tries: Sequence[Try]) -> list[int]:
    """Prepare, then try each on what was prepared, in a process of its own; gives the errnos."""
    return run(prepare, tries, lambda pid: None)


def run(
    prepare: Callable[[], contextlib.AbstractContextManager[Any]],
    tries: Sequence[Try],
    confine: Callable[[int], object],
) -> list[int]:
    """As outcomes(), but between the two `confine` is called here, with the number of the process."""
    with mmap.mmap(-1, mmap.PAGESIZE) as shared:
        struct.pack_into(f"{len(tries)}i", shared, 0, *[_UNTRIED] * len(tries))
        pid = os.fork()
        if pid == 0:
            try:
                os.strerror(1)  # which may look for translations, but once
                with prepare() as prepared:
                    signal.raise_signal(signal.SIGSTOP)
                    for number, each in enumerate(tries):
                        struct.pack_into("i", shared, 4 * number, errno_of(each, prepared))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        try:
            _, status = os.waitpid(pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status), "it could not be made ready"
            confine(pid)
            os.kill(pid, signal.SIGCONT)
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            raise
        finally:
            if not os.WIFEXITED(status):
                os.waitpid(pid, 0)
        found = list(struct.unpack_from(f"{len(tries)}i", shared))
    assert _UNTRIED not in found, f"number {found.index(_UNTRIED)} never ended"
    return found


def errno_of(function: Callable[..., object], *arguments: Any) -> int:
    """Try something; the errno, 0 for success."""
    try:
        function(*arguments)
    except OSError as error:
        return error.errno or -1
    return 0
