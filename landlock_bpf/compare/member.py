# SPDX-License-Identifier: GPL-2.0-only
"""The program that every mechanism starts: a child of it does each operation that it is asked for, and it tells how that went.

    python3 -m landlock_bpf.compare.member SOCKET SCENE

It says that it is ready, then reads an operation's name, and sends back JSON: an errno or null, and what trouble there was
or null.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback

from landlock_bpf.compare import calls, operations
from landlock_bpf.compare import scene as scenes
from landlock_bpf.compare.operation import Operation

DEADLINE = 20.0  # seconds; nothing takes a tenth of it, in an emulated guest either
DEFECT = 250  # exit status of the child; below is an errno
READY = b"ready"


def main(words: list[str]) -> None:
    """Serve until the socket is closed."""
    scene = scenes.load(words[1])
    known = {row.name: row for row in operations.OPERATIONS}
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    with socket.socket(fileno=int(words[0])) as asked:
        asked.send(READY)
        while name := asked.recv(256).decode():
            asked.send(json.dumps(attempt(known[name], scene)).encode())


def attempt(operation: Operation, scene: scenes.Scene) -> tuple[int | None, str | None]:
    """Have a child do it, and give its errno, None for success, and what trouble there was."""
    child = os.fork()
    if child == 0:
        status = DEFECT
        try:
            calls.end_with_parent()
            os.setsid()  # all that it starts is killed with it
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            operation.do(scene)
            status = 0
        except OSError as error:
            status = error.errno or DEFECT
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    hung = signal.sigtimedwait({signal.SIGCHLD}, DEADLINE) is None
    for kill, target in ((os.killpg, child), (os.kill, child)):
        try:
            kill(target, signal.SIGKILL)
        except OSError:
            continue  # it has ended, and has left nothing
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.sigtimedwait({signal.SIGCHLD}, 0)  # of a child that was killed
    if hung:
        return None, f"no end after {DEADLINE:g} s"
    if status < 0:
        return None, f"killed by {signal.Signals(-status).name}"
    if status == DEFECT:
        return None, "a defect of this program: see stderr"
    return status or None, None


if __name__ == "__main__":
    main(sys.argv[1:])
