# SPDX-License-Identifier: GPL-2.0-only
"""A member as the session has it: started under a mechanism, and asked through a socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

import landlock_bpf
from landlock_bpf import errors
from landlock_bpf.compare import calls, mechanism, member
from landlock_bpf.compare import scene as scenes

# Of an answer, beside the member's own for an operation; of a start, which takes an emulated guest seconds.
DEADLINE = 3 * member.DEADLINE
_CHECKOUT = Path(landlock_bpf.__file__).parent.parent


class Player:
    """A running member; close() ends it. `ended` tells that it has gone by itself, or does not answer."""

    def __init__(self, launch: mechanism.Launch, scene: scenes.Scene) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(DEADLINE)
        self.ended = False
        self._pid = os.fork()
        if self._pid == 0:
            _become_member(launch, scene, theirs)
        theirs.close()
        answer = self._receive()
        if answer != member.READY:
            self.close()
            raise errors.Error(answer.decode() or "its member ended before it was ready")

    def ask(self, name: str) -> tuple[int | None, str | None]:
        """Have it do an operation, and give its errno, None for success, and what trouble there was."""
        self._socket.send(name.encode())
        if not (answer := self._receive()):
            self.ended = True
            return None, "the member ended, or did not answer"
        number, trouble = json.loads(answer)
        return number, trouble

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(4096)
        except (ConnectionError, TimeoutError):
            return b""

    def close(self) -> None:
        """End it, if it has not; once it is closed that is all."""
        self._socket.close()
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._pid = 0


def _become_member(launch: mechanism.Launch, scene: scenes.Scene, asked: socket.socket) -> None:
    """Never return: become the member, or tell why not."""
    try:
        calls.end_with_parent()
        calls.unshare_mounts()
        os.chdir("/")
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the session ends us
        for fd in (asked.fileno(), *scene.descriptors):
            os.set_inheritable(fd, True)
        if launch.enter:
            launch.enter()
        words = (*launch.prefix, sys.executable, "-m", member.__name__, str(asked.fileno()), scene.dump())
        found = os.environ | {"PYTHONPATH": str(_CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}
        os.execvpe(words[0], words, found)
    except (errors.Error, OSError) as error:
        asked.send(str(error).encode())
    finally:
        os._exit(1)
