# SPDX-License-Identifier: GPL-2.0-only
"""Children of an operation: programs that it executes, and what it does in a process that is changed by that."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable


def wait_for(child: int) -> None:
    """Wait for the end of a program; one that ran and failed is a defect of the operation."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise RuntimeError(f"it ran, and exited with {status}")


def spawn(path: str | os.PathLike[str]) -> None:
    """Execute a program and wait for its end."""
    wait_for(os.posix_spawn(path, [os.fspath(path)], {}))


def in_child(call: Callable[[], object]) -> None:
    """Do in a child what replaces or changes it; raises an OSError as it was raised there, of 255 for a defect."""
    child = os.fork()
    if child == 0:
        status = 255
        try:
            call()
            status = 0
        except OSError as error:
            status = error.errno or 255
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    if status := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise OSError(status, os.strerror(status))
