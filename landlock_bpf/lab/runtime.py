# SPDX-License-Identifier: GPL-2.0-only
"""The container runtime: crun, as Podman calls it, in two steps with room for a policy between them; and the leak.

The leak is made here, by whoever calls the runtime: it has the host's root open as descriptor 3 and tells the runtime to hand
that down (--preserve-fds 1), as runc once handed down one of its own without being told (CVE-2024-21626). What follows is as
it was there: the working directory in config.json is /proc/self/fd/3, the runtime goes there after it has changed the root,
and so the container's first program starts in a directory of the host.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from landlock_bpf import errors

LEAKED = 3
WORKDIR = f"/proc/self/fd/{LEAKED}"
DEADLINE = 120.0  # seconds for the container's program, on a slow emulated processor
_LEAK = f'exec {LEAKED}</ && exec "$@"'


class Runtime:
    """crun with a state folder of its own, so that nobody else's containers are seen or touched."""

    def __init__(self, state: Path) -> None:
        program = shutil.which("crun")
        if program is None:
            raise errors.UnsupportedError("no container runtime is installed", "install crun (Debian: apt-get install crun)")
        self._words = (program, "--root", str(state), "--cgroup-manager", "cgroupfs")

    def version(self) -> str:
        """Name it with its version: crun 1.8.1."""
        words = self._call("--version").split()
        return " ".join(words[:1] + words[2:3])

    @contextlib.contextmanager
    def created(self, name: str, bundle: Path) -> Iterator[int]:
        """Create a container, whose first program is not run yet; gives a pidfd of it, and deletes the container at the end."""
        pid_file = bundle / "pid"
        words = ("create", "--bundle", str(bundle), "--pid-file", str(pid_file), "--preserve-fds", "1", name)
        try:
            self._call(*words, before=("sh", "-c", _LEAK, "sh"))
            pidfd = os.pidfd_open(int(pid_file.read_text()))
            try:
                yield pidfd
            finally:
                os.close(pidfd)
        finally:
            # Also of one that was made by half; one that is not there is none of our failures.
            with contextlib.suppress(errors.Error):
                self._call("delete", "--force", name)

    def run(self, name: str, pidfd: int) -> None:
        """Let the first program of a created container run, and wait for its end; Error at the deadline."""
        self._call("start", name)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(DEADLINE * 1000):
            raise errors.Error(f"the container's program was still running after {DEADLINE:g} s")

    def _call(self, *words: str, before: tuple[str, ...] = ()) -> str:
        """Run the runtime, and give what it said. A container that it makes keeps its standard files: pipes, as every engine
        of containers has them, for files and terminals of the host are not the container's to use under a policy."""
        with contextlib.ExitStack() as undo:
            (empty, never), (output, theirs) = os.pipe(), os.pipe()
            os.close(never)
            for fd in (empty, output):
                undo.callback(os.close, fd)
            os.set_blocking(output, False)  # the container may hold the other end long after the runtime's end
            try:
                done = subprocess.run((*before, *self._words, *words), stdin=empty, stdout=theirs, stderr=theirs, check=False)
            finally:
                os.close(theirs)
            try:
                said = os.read(output, 1 << 16).decode(errors="replace").strip()
            except BlockingIOError:
                said = ""
        if done.returncode:
            raise errors.Error(f"crun {words[0]} failed: {said or f'status {done.returncode}'}")
        return said
