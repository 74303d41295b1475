# SPDX-License-Identifier: GPL-2.0-only
"""The canary: a denial that is made to happen, to see that the kernel enforces and reports."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from landlock_bpf import abi, controller, engine, errors, events, policy

# kernel/bpf/ringbuf.c and include/uapi/linux/bpf.h: a header of 8 bytes, its first word the length and two flags.
_HEADER, _BUSY, _DISCARDED = 8, 1 << 31, 1 << 30


class Tail:
    """What is added to the ring buffer from now on, read without taking it from whoever reads events; a context manager."""

    def __init__(self, live: engine.Engine) -> None:
        self._size = live.denials.info.max_entries
        # After the consumer's page: the producer's, then the records, mapped twice so that none is parted at the end.
        length = mmap.PAGESIZE + 2 * self._size
        self._memory = mmap.mmap(live.denials.fd, length, prot=mmap.PROT_READ, offset=mmap.PAGESIZE)
        self._position = self._end()

    def __enter__(self) -> Tail:
        return self

    def __exit__(self, *exc: object) -> None:
        self._memory.close()

    def records(self) -> Iterator[bytes]:
        """Give the records since the last call; stops at one that is still being written."""
        while self._position < self._end():
            start = mmap.PAGESIZE + self._position % self._size
            word = int.from_bytes(self._memory[start : start + 4], "little")
            if word & _BUSY:
                return
            length = word & ~(_BUSY | _DISCARDED)
            self._position += (_HEADER + length + 7) & ~7
            if not word & _DISCARDED:
                yield self._memory[start + _HEADER : start + _HEADER + length]

    def _end(self) -> int:
        return int.from_bytes(self._memory[:8], "little")


def sing() -> str:
    """Confine a process of our own, see it denied and the denial reported; returns what was seen.

    Raises UnsupportedError where enforcement fails, and whatever the controller raises.
    """
    name = f"canary-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.NamedTemporaryFile(prefix="landlock-bpf-canary-")).name)
        control = stack.enter_context(controller.Controller.open())
        confinement = stack.enter_context(control.prepare((_policy(path),), name=name))
        live = engine.find()
        if live is None:
            raise errors.NotFoundError("the engine was unloaded meanwhile; try again")
        stack.enter_context(live)
        tail = stack.enter_context(Tail(live))
        lost = live.state.lost
        before, after = _try(path, confinement)
        if before:
            raise errors.UnsupportedError(f"{path} could not even be read unconfined: {os.strerror(before)}", "mend that first")
        if after != errno.EACCES:
            seen = os.strerror(after) if after else "it was read"
            raise errors.UnsupportedError(f"a denied read was not refused with EACCES: {seen}", "report this as a defect")
        if any(events.parse(record).domain == name for record in tail.records()):
            return "a canary was denied a read, and the denial was reported"
        if live.state.lost > lost:
            return "a canary was denied a read; unread denials fill the buffer (landlock-bpf events --no-follow empties it)"
        raise errors.UnsupportedError("a denied read was refused, but not reported", "report this as a defect")


def _policy(path: Path) -> policy.Policy:
    read = abi.Action.READ_FILE
    rule = policy.Rule(str(path), policy.NOTHING, read, policy.Location("canary", 1), read)
    return policy.Policy("canary", read, "allow", (rule,), "canary")


def _try(path: Path, confinement: controller.Confinement) -> tuple[int, int]:
    """Read a file in a child, before and after it enters; returns the two errnos, 0 for success."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            before = _read(path)
            confinement.enter()
            os.write(tell, bytes([before, _read(path)]))
        except (errors.Error, OSError) as error:
            os.write(tell, str(error).encode())
        finally:
            os._exit(0)
    os.close(tell)
    with open(told, "rb") as pipe:
        words = pipe.read()
    os.waitpid(pid, 0)
    if len(words) != 2:
        raise errors.Error(f"the canary could not be confined: {words.decode() or 'it died'}")
    return words[0], words[1]


def _read(path: Path) -> int:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        return error.errno or 0
    return 0
