# SPDX-License-Identifier: GPL-2.0-only
"""The canary: a denial that is made to happen, to see that the kernel enforces and reports."""
from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
from pathlib import Path

from landlock_bpf import abi, controller, errors, events, policy

NAME = f"canary-{os.getpid()}"
SECONDS = 5.0


def sing() -> str:
    """Confine a process of our own, see it denied and the denial reported; returns what was seen.

    Raises UnsupportedError where enforcement fails, and whatever the controller raises.
    """
    with contextlib.ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.NamedTemporaryFile(prefix="landlock-bpf-canary-")).name)
        live = stack.enter_context(controller.Controller.open())
        confinement = live.prepare((_policy(path),), name=NAME)
        stack.callback(confinement.close)
        before, after = _try(path, confinement)
        if before:
            raise errors.UnsupportedError(f"{path} could not even be read unconfined: {os.strerror(before)}", "free the file system")
        if after != errno.EACCES:
            seen = os.strerror(after) if after else "it was read"
            raise errors.UnsupportedError(f"a denied read was not refused with EACCES: {seen}", "report it as a defect")
        if not _reported(live):
            raise errors.UnsupportedError("a denial was enforced but not reported", "end other readers of events, and try again")
    return "a canary was denied a read, and the denial was reported"


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
        finally:
            os._exit(0)
    os.close(tell)
    with open(told, "rb") as pipe:
        words = pipe.read()
    os.waitpid(pid, 0)
    if len(words) != 2:
        raise errors.Error("the canary could not be confined; try landlock-bpf run, which tells why")
    return words[0], words[1]


def _read(path: Path) -> int:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        return error.errno or 0
    return 0


def _reported(live: controller.Controller) -> bool:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if any(denial.domain == NAME for denial in events.read(live, follow=False)):
            return True
        time.sleep(0.01)
    return False
