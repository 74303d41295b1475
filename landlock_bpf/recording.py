# SPDX-License-Identifier: GPL-2.0-only
"""The recording of all denials of one domain while something runs: read as fast as they come, none lost or the loss told."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator
from types import TracebackType

from landlock_bpf import abi, domain, engine, errors, events, record, ringbuf

_POLL_SECONDS = 0.1
_NAMES = ctypes.sizeof(abi.Names)


class Recording:
    """Denials of the domain with this name, each kind once; a context manager. Other domains' are read too, and dropped.

    Raises BusyError while somebody reads events. Start it when the domain is there, and end it after the last access.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._seen: dict[bytes, bytes] = {}
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Recording:
        with contextlib.ExitStack() as stack:
            stack.enter_context(record.alone("events", "reads events"))
            found = engine.find()
            if found is None:
                raise errors.NotFoundError("the engine was unloaded meanwhile; try again")
            self._live = stack.enter_context(found)
            slot = next(slot for slot in domain.slots(found) if slot.name == self.name)
            self._index = slot.index
            self._serial = found.ruleset(slot.ruleset).serial  # the number of a domain is used again
            self._rate = found.state.rate
            found.state.rate = 0
            stack.callback(setattr, found.state, "rate", self._rate)
            self._buffer = stack.enter_context(ringbuf.RingBuffer(found.denials.fd))
            self._drain()  # what was there before must not take the room
            self._lost = self._dropped()
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        with self._stack:
            self._drain()
            self.lost = self._dropped() - self._lost
        if self._failure and error is None:
            raise self._failure

    def denials(self) -> Iterator[events.Denial]:
        """Give them; LimitError where some were lost."""
        if self.lost:
            remedy = "try again, on an idle machine or with less at once"
            raise errors.LimitError(f"{self.lost} denials came faster than they could be read, and are not known; {remedy}")
        for data in self._seen.values():
            yield events.parse(data)

    def _dropped(self) -> int:
        rate = self._live.rates.lookup(self._index)
        return int(rate.dropped_ever) if rate else 0

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._take(_POLL_SECONDS)
        except (errors.Error, OSError) as error:
            self._failure = error

    def _drain(self) -> None:
        while self._take():
            pass

    def _take(self, seconds: float = 0) -> int:
        records = self._buffer.poll(seconds)
        for data in records:
            told = abi.Refusal.from_buffer_copy(data, abi.Denial.refusal.offset)
            if told.serial == self._serial:
                self._seen.setdefault(bytes(told) + _names(data, abi.Denial.path.offset) + _second(data), data)
        return len(records)


def _names(data: bytes, start: int) -> bytes:
    """Give the names of a path: what follows them in the buffer is left over from others."""
    size = int.from_bytes(data[start : start + 4], "little")
    begin = start + abi.Names.text.offset
    return data[begin : begin + size]


def _second(data: bytes) -> bytes:
    start = abi.Denial.second.offset
    return b"\0" + _names(data, start) if len(data) > start else b""
