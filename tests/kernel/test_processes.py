# SPDX-License-Identifier: GPL-2.0-only
"""Process domains: what is forked in one stays in it, and it lasts as long as anybody is in it, wherever that is."""

from __future__ import annotations

import errno
import functools
import mmap
import os
import signal
from collections.abc import Callable
from pathlib import Path

import deadline
import operation
import rule
from member import Member

from landlock_bpf import controller, errors
from landlock_bpf.abi import Action

READ = Action.READ_FILE
_shared = mmap.mmap(-1, mmap.PAGESIZE)  # [0]: stop, [8]: hops, [16]: successes, [24]: 1 once the last has ended


def hop(path: Path, elsewhere: Path) -> None:
    """Leave the control group, then fork and end over and over: each process tries once and is gone."""
    if os.fork():
        return
    (elsewhere / "cgroup.procs").write_text("0")
    words = memoryview(_shared).cast("Q")
    while not words[0]:
        try:
            os.close(os.open(path, os.O_RDONLY))
            words[2] += 1
        except PermissionError:
            words[1] += 1
        if os.fork():
            os._exit(0)
    words[3] = 1
    os._exit(0)


def _reached(words: memoryview, hops: int) -> bool:
    return words[1] >= hops


def _ended(live: controller.Controller, name: str) -> bool:
    try:
        live.detach(name)
    except errors.BusyError:
        return False
    return True


def test_lasts_for_those_who_fork_and_end(
    tree: Path, cgroup: Path, live: controller.Controller, listed: Callable[[], list[str]]
) -> None:
    """Nobody is in its control group, and no list of processes is ever complete: it is in force all the same."""
    (tree / "secret").write_text("")
    elsewhere = cgroup / "elsewhere"
    elsewhere.mkdir()
    words = memoryview(_shared).cast("Q")
    words[:4] = words[4:8]
    try:
        with live.prepare([rule.make(READ, rule.deny(tree / "secret", READ), default="allow")], cgroup=cgroup) as confinement:
            name = confinement.name
            with Member(before=confinement.enter) as confined:
                confined.ask(hop, tree / "secret", elsewhere)
            deadline.until(lambda: words[1] > 20, "it hops")
        for _ in range(10):
            assert listed() == [name]
            goal = words[1] + 1
            deadline.until(functools.partial(_reached, words, goal), "it hops on")
        assert not words[2]
    finally:
        words[0] = 1
    deadline.until(lambda: words[3], "the last one ended")
    # We made it and live, so no sweep ends it.
    deadline.until(lambda: _ended(live, name), "the domain can be ended")
    assert not listed()


def _status_of_entering(confinement: controller.Confinement) -> int:
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            confinement.enter()
            status = 0
        except errors.NotFoundError:
            status = 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_entering_what_has_ended(cgroup: Path, live: controller.Controller) -> None:
    """Whatever becomes of the child that sees to it: here nobody is told of its end."""
    with live.prepare([rule.make(READ, default="allow")], cgroup=cgroup) as confinement:
        assert _status_of_entering(confinement) == 0
        live.detach(confinement.name)
        assert _status_of_entering(confinement) == 1


def test_deep_control_groups(
    tree: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller, listed: Callable[[], list[str]]
) -> None:
    """However deep somebody nests them, commands go on."""
    (tree / "secret").write_text("")
    inner = cgroup
    for _ in range(1100):
        inner = inner / "a"
        inner.mkdir()
    name = attach(rule.make(READ, rule.deny(tree / "secret", READ), default="allow"))
    assert listed() == [name]
    with Member(inner) as nested:
        assert nested.errno(operation.touch, tree / "secret", os.O_RDONLY) == errno.EACCES
        live.detach(name)
        assert nested.errno(operation.touch, tree / "secret", os.O_RDONLY) == 0
