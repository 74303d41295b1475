# SPDX-License-Identifier: GPL-2.0-only
"""The approach: the places by which commands come to the engine, its records and the cgroups, told to the engine.

Nobody in a domain mounts anything there, or unmounts it, where outsiders see it: see bpf/approach.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import struct
import threading
from pathlib import Path

from landlock_bpf import abi, bpf, cgroup, engine, errors, identity

# By it commands learn what is mounted, and who runs.
PROC = Path("/proc")
_APPROACHED = struct.Struct(f"=I4x{identity.OBJECT.size}s")
_INO = struct.Struct("=Q")  # the first of struct object


def tell(live: engine.Engine) -> None:
    """Tell the engine the places of the approach in our mount namespace; those in others, that it knows already, stay."""
    found = _find(live)
    told = live.state.approach
    if len(found) >= len(told):
        places = f"{engine.BPFFS}, {engine.RUN} and the cgroups"
        raise errors.LimitError(
            f"{places} lie in more than {abi.Limit.APPROACH - 1} directories; mount cgroup2 on /sys/fs/cgroup"
        )
    known = [bytes(place) for place in itertools.takewhile(lambda place: place.ino, told)]
    new = [place for place in found if place not in known]
    if len(known) + len(new) >= len(told):
        known, new = [], list(found)
        told[0].ino = 0
    for number, place in enumerate(new, len(known)):
        # The engine looks at them all the while: until its number is there, a place is none.
        ctypes.memmove(ctypes.addressof(told[number]) + _INO.size, place[_INO.size :], len(place) - _INO.size)
        told[number].ino = _INO.unpack_from(place)[0]


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
