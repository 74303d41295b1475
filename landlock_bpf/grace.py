# SPDX-License-Identifier: GPL-2.0-only
"""Grace periods: after one, no hook call that may have seen what was in force before it is still running."""

from __future__ import annotations

import ctypes
import os
import sys

from landlock_bpf import libbpf, maps


def wait() -> None:
    """Wait until every hook call that runs now has ended (some 10 ms).

    Programs of hooks run in RCU read-side sections, and the kernel waits for RCU after an update of a map of maps, for
    this very purpose (kernel/bpf/syscall.c, maybe_wait_bpf_programs). Not by membarrier(2): that waits for nobody where
    one CPU is online, and not at all under nohz_full.
    """
    lib = libbpf.library()
    with maps.Map.create(maps.MapType.ARRAY, "grace_inner", 4, 4, 1) as inner:
        opts = libbpf.MapCreateOpts(sz=ctypes.sizeof(libbpf.MapCreateOpts), inner_map_fd=inner.fd)
        outer = lib.bpf_map_create(maps.MapType.ARRAY_OF_MAPS, b"grace_outer", 4, 4, 1, ctypes.byref(opts))
        libbpf.check(outer, "create the map", "grace_outer")
        try:
            result = lib.bpf_map_update_elem(outer, bytes(4), inner.fd.to_bytes(4, sys.byteorder), maps.ANY)
            libbpf.check(result, "wait for a grace period with", "the map grace_outer")
        finally:
            os.close(outer)
