# SPDX-License-Identifier: GPL-2.0-only
"""What is marked in views, while domains are in force: marked anew, ended with its filesystem."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import deadline
import locking
import pytest
import rule
from locking import NO, SHARED
from member import Member

from landlock_bpf import controller, engine, marking

pytestmark = pytest.mark.usefixtures("cleared")


def test_views_are_marked_anew(file: Path, tree: Path, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    beneath = tree / "inner" / "file"
    beneath.parent.mkdir()
    beneath.write_text("")
    live.attach("test", [], cgroup, rules=rule.programs("view", trees=marking.parse([f"trees=rw:{tree}"])))
    assert locking.seen(inside, file) == locking.seen(inside, beneath) == (0, 0)
    live.mark("test", marking.parse([f"trees=rw:{tree},ro:{beneath.parent}"]))
    assert locking.seen(inside, file) == (0, 0) and locking.seen(inside, beneath) == (NO, NO)
    live.mark("test", marking.parse(["trees="]))
    assert locking.seen(inside, file) == locking.seen(inside, beneath) == (NO, NO)
    (programs,) = (layer.programs for layer in live.show("test").policies)
    assert programs and [view.name for view in programs.views] == ["trees"] and not programs.views[0].marks
    live.detach("test")
    assert not views_left()


def test_marks_end_with_their_filesystem(
    file: Path, tree: Path, cgroup: Path, inside: Member, live: controller.Controller
) -> None:
    place = tree / "mounted"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    (place / "file").write_text("")
    try:
        trees = marking.parse([f"trees=rw:{file}:{place}"])
        live.attach("test", [], cgroup, rules=rule.programs("view", trees=trees))
        assert locking.seen(inside, file) == locking.seen(inside, place / "file") == (0, 0)
        assert ended(live) == [False, False]
    finally:
        subprocess.run(["umount", place], check=True)
    deadline.until(lambda: ended(live) == [False, True], "the marks on the unmounted filesystem are gone")
    # What is not named anew stays, but not what has ended.
    live.mark("test", {})
    assert locking.seen(inside, file) == (0, 0) and ended(live) == [False]
    live.detach("test")
    assert not views_left()


def ended(live: controller.Controller) -> list[bool]:
    (programs,) = (layer.programs for layer in live.show("test").policies)
    assert programs
    return [mark.ended for mark in programs.views[0].marks]


def test_a_pipe_can_be_marked(cgroup: Path, live: controller.Controller) -> None:
    pipes = [*os.pipe(), *os.pipe()]
    try:
        marked, other = pipes[0], pipes[2]
        trees = {"trees": (marking.Tree(marking.MARKS["rw"], f"/proc/self/fd/{marked}"),)}
        live.attach("test", [], cgroup, rules=rule.programs("view", trees=trees))
        with Member(cgroup) as inside:
            assert (inside.errno(fcntl.flock, marked, SHARED), inside.errno(fcntl.flock, other, SHARED)) == (0, NO)
    finally:
        for fd in pipes:
            os.close(fd)


def views_left() -> list[object]:
    with engine.Engine(engine.PINS) as found:
        return list(found.views.items())
