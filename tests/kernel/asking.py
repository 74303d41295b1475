# SPDX-License-Identifier: GPL-2.0-only
"""A process that tries a trigger under rules/choose.c, and what the engine then holds of its last question."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import mmap
import os
import signal
import traceback
from pathlib import Path

import trigger

from landlock_bpf import abi, engine

# As that rule has them.
EVENT_SHIFT, NO_MODE = 20, 1 << 16
_MOST = 8


class _Said(ctypes.Structure):
    """What the process says, through memory: no hook sees that."""

    _fields_ = [("done", ctypes.c_uint32), ("errno", ctypes.c_int32), ("modes", ctypes.c_int32 * _MOST)]


@dataclasses.dataclass(frozen=True)
class Tried:
    """How it went: the errno, the modes of what questions are about, and the engine's last inquiry of the process."""

    pid: int
    errno: int
    modes: tuple[int, ...]
    inquiry: abi.Inquiry | None


def attempt(row: trigger.Trigger, folder: Path, cgroup: Path | None = None, chosen: int | None = None) -> Tried:
    """Run a trigger in a process of its own, in a control group if given; `chosen` is the number of the question denied."""
    trigger.populate(folder)
    with mmap.mmap(-1, mmap.PAGESIZE) as shared:
        said = _Said.from_buffer(shared)
        pid = os.fork()
        if pid == 0:
            try:
                _try(row, folder, cgroup, chosen, said)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        _, status = os.waitpid(pid, os.WUNTRACED)
        try:
            assert os.WIFSTOPPED(status) and said.done, f"{row} could not be made ready"
            modes = tuple(said.modes[: len(row.asks)])
            return Tried(pid, said.errno, modes, _inquiry(pid) if cgroup else None)
        finally:
            del said
            if os.WIFSTOPPED(status):
                os.kill(pid, signal.SIGCONT)
                os.waitpid(pid, 0)


def _try(row: trigger.Trigger, folder: Path, cgroup: Path | None, chosen: int | None, said: _Said) -> None:
    if cgroup:
        (cgroup / "cgroup.procs").write_text("0")
    os.strerror(1)  # which may look for translations, but once
    with row.prepare(folder) as prepared:
        for number, ask in enumerate(row.asks):
            said.modes[number] = mode_of(folder, ask)
        if chosen is not None:
            ask = row.asks[chosen]
            os.setresgid(ask.arg2, -1, -1)
            os.setresuid(ask.event << EVENT_SHIFT | _number(said.modes[chosen]), -1, -1)
        try:
            row.run(prepared)
        except OSError as error:
            said.errno = error.errno or -1
        said.done = 1
        signal.raise_signal(signal.SIGSTOP)
        os.setresuid(0, -1, -1)


def mode_of(folder: Path, ask: trigger.Ask) -> int:
    """Give the mode of what a question is about as rule programs see it, a negative errno where there is nothing."""
    return os.lstat(folder / ask.what).st_mode if ask.what else -2


def _number(mode: int) -> int:
    return NO_MODE | -mode if mode < 0 else mode


def _inquiry(pid: int) -> abi.Inquiry | None:
    found = engine.find()
    if found is None:
        return None
    with found, contextlib.closing(open(os.pidfd_open(pid), "rb", closefd=True)) as pidfd:
        room = found.rooms.lookup(pidfd.fileno())
        return room.inquiry if room else None
