# SPDX-License-Identifier: GPL-2.0-only
"""Which rule program is asked first, told by the one that is reported; and who is under them: threads, children, programs."""

from __future__ import annotations

import errno
import fcntl
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rule
import trial
from member import Member

from landlock_bpf import canary, controller, engine, events
from landlock_bpf.compare import programs

NO = errno.EPERM
FIRST = rule.PROGRAMS / "both.c"


@pytest.fixture
def denial() -> Iterator[Callable[[], events.Denial]]:
    """Give the one denial since the last call."""
    list(events.read(follow=False))  # a buffer that another test has left full takes no more
    found = engine.find()
    assert found
    with found, canary.Tail(found) as tail:

        def one() -> events.Denial:
            (record,) = tail.records()
            return events.parse(record)

        yield one


def lock(path: Path) -> None:
    with open(path) as opened:
        fcntl.flock(opened, fcntl.LOCK_SH)


def lock_in_thread(path: Path) -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(trial.errno_of(lock, path)))
    thread.start()
    thread.join()
    if found != [0]:
        raise OSError(*found, "in a thread")


def lock_in_child(path: Path) -> None:
    programs.in_child(lambda: lock(path))


def lock_in_program(path: Path) -> None:
    done = subprocess.run(["flock", path, "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(errno.EPERM if "Operation not permitted" in done.stderr else -1, done.stderr)


WAYS = (lock, lock_in_thread, lock_in_child, lock_in_program)


def program(seen: events.Denial) -> tuple[str, str]:
    """Give the file and the function of the rule that denied."""
    assert seen.rule
    return str(seen.rule.file), seen.function


def test_the_newest_is_asked_first(
    tree: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller, denial: Callable[[], events.Denial]
) -> None:
    """Of a file the last, of files the last, of layers the innermost, and process domains before control groups."""
    again, file, inner = tree / "again.c", tree / "file", cgroup / "inner"
    shutil.copy(FIRST, again)
    file.write_text("")
    inner.mkdir()
    with Member(inner) as member:
        assert member.errno(lock, file) == 0
        outer = attach(cgroup=cgroup, rules=rule.programs("both"))
        assert member.errno(lock, file) == NO
        seen = denial()
        assert (seen.domain, seen.layer, *program(seen)) == (outer, 0, str(FIRST), "newer")
        assert (seen.hook, seen.event, seen.error, seen.path) == ("file_lock", "FS_LOCK", "EPERM", str(file))
        within = attach(cgroup=inner, rules=rule.programs("both", again))
        assert member.errno(lock, file) == NO
        seen = denial()
        assert (seen.domain, seen.layer, *program(seen)) == (within, 1, str(again), "newer")
    with live.prepare([], "process", inner, rules=rule.programs(again)) as confinement:
        with Member(before=confinement.enter) as member:
            assert member.errno(lock, file) == NO
            seen = denial()
            assert (seen.domain, *program(seen)) == ("process", str(again), "newer")


def test_inherited(tree: Path, live: controller.Controller) -> None:
    file = tree / "file"
    file.write_text("")
    with live.prepare([], rules=rule.programs("both")) as confinement:
        with Member() as outside, Member(before=confinement.enter) as inside:
            assert {way: outside.errno(way, file) for way in WAYS} == dict.fromkeys(WAYS, 0)
            assert {way: inside.errno(way, file) for way in WAYS} == dict.fromkeys(WAYS, NO)
