# SPDX-License-Identifier: GPL-2.0-only
"""The approach: the places by which commands come to the engine, its records and the cgroups, told to the engine.

Nobody in a domain mounts anything there, or unmounts it, where outsiders see it: see bpf/approach.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import threading
from pathlib import Path

from landlock_bpf import abi, bpf, cgroup, engine, errors, identity

# By it commands learn what is mounted, and who runs.
PROC = Path("/proc")
_APPROACHED = struct.Struct(f"=I4x{identity.OBJECT.size}s")


def tell(live: engine.Engine) -> None:
    """Tell the engine the places of the approach as they are now, in our mount namespace."""
    found = b"".join(_find(live))
    told = live.state.approach
    size = ctypes.sizeof(told)
    if len(found) >= size:
        places = f"{engine.BPFFS}, {engine.RUN} and the cgroups"
        raise errors.LimitError(
            f"{places} lie in more than {abi.Limit.APPROACH - 1} directories; mount cgroup2 on /sys/fs/cgroup"
        )
    found = found.ljust(size, b"\0")
    if bytes(told) != found:
        ctypes.memmove(told, found, size)


def _find(live: engine.Engine) -> dict[bytes, None]:
    """Name the places from where commands look things up, up to the root, mount points beneath mounts too; each once."""
    with contextlib.ExitStack() as stack:
        paths, fds = [PROC, engine.RUN, engine.BPFFS], set()
        with contextlib.suppress(errors.UnsupportedError):  # domains of processes need no cgroup2
            paths.append(cgroup.mount_point())
        for path in paths:
            fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            fds.add(fd)
        program = bpf.obj_get(live.pins / "progs" / "approach")
        stack.callback(os.close, program)
        link = bpf.link_create_iter(program, "approach", tid=threading.get_native_id())
        stack.callback(os.close, link)
        return {place: None for fd, place in _APPROACHED.iter_unpack(bpf.iter_read(link, "approach")) if fd in fds}
