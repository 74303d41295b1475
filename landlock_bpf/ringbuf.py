# SPDX-License-Identifier: GPL-2.0-only
"""The reader of a BPF ring buffer."""

from __future__ import annotations

import ctypes
import errno
from types import TracebackType

from landlock_bpf import libbpf

# Records of one poll(): a flood of events must not keep the caller in it.
BATCH = 1024


class RingBuffer:
    """The consumer's side of a pinned ring buffer map; a context manager. One consumer at a time, or each misses records."""

    def __init__(self, fd: int) -> None:
        """Map the buffer behind a descriptor, which stays the caller's and open as long as this object."""
        self._records: list[bytes] = []
        self._error: BaseException | None = None
        # Kept here: the C side holds a pointer to it.
        self._receive = libbpf.RING_BUFFER_SAMPLE(self._take)
        self._lib = libbpf.library()
        self._handle = self._lib.ring_buffer__new(fd, self._receive, None, None)
        if not self._handle:
            raise libbpf.failure(ctypes.get_errno(), "read", f"the ring buffer (descriptor {fd})")

    def __enter__(self) -> RingBuffer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Unmap the buffer."""
        if self._handle:
            self._lib.ring_buffer__free(self._handle)
            self._handle = None

    def poll(self, timeout: float) -> list[bytes]:
        """Wait at most `timeout` seconds (negative: for ever) for records; an empty list after that, or a signal."""
        result = self._lib.ring_buffer__poll(self._handle, max(-1, int(timeout * 1000)))
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if result not in (-errno.EINTR, -errno.ECANCELED):
            libbpf.check(result, "read", "the ring buffer")
        records, self._records = self._records, []
        return records

    def _take(self, context: int | None, data: int, size: int) -> int:
        # No exception crosses C frames: ctypes would print and drop it, a KeyboardInterrupt too. So it is kept for
        # poll() to raise. A negative result ends the poll; the record counts as read.
        try:
            self._records.append(ctypes.string_at(data, size))
        except BaseException as error:
            self._error = error
            return -errno.ECANCELED
        return -errno.ECANCELED if len(self._records) >= BATCH else 0
