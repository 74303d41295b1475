# SPDX-License-Identifier: GPL-2.0-only
"""Marks of fsviews: the nearest marked object above a file or path; for a dentry or inode, what all ways to it agree on."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import conftest
import pytest
import rule

from landlock_bpf import abi, controller, engine, marking
from landlock_bpf.abi import Handle
from landlock_bpf.compare import calls

NAME = "views"


class Asker:
    """A control group under rule programs with two views: its processes do things, and the engine holds their questions."""

    def __init__(self, live: controller.Controller, cgroup: Path) -> None:
        self._live = live
        self._cgroup = cgroup

    def mark(self, first: dict[Path, int], second: dict[Path, int] | None = None) -> None:
        """Mark paths in the first view, and others in the second."""
        self._live.mark(NAME, {"first": as_trees(first), "second": as_trees(second or {})})

    def ask(self, way: Callable[[Path], object], path: Path) -> list[abi.Question]:
        """Do something with a path in a process of its own, and give the last questions."""
        pid = os.fork()
        if pid == 0:
            try:
                (self._cgroup / "cgroup.procs").write_text("0")
                way(path)
                signal.raise_signal(signal.SIGSTOP)
            finally:
                os._exit(1)
        try:
            assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]), "it failed"
            return list(questions_of(pid))
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@pytest.fixture(scope="module")
def asker(live: controller.Controller) -> Iterator[Asker]:
    place = conftest.CGROUPS / NAME
    place.mkdir()
    live.attach(NAME, [], place, rules=rule.programs("views"))
    yield Asker(live, place)
    live.detach(NAME)
    conftest.remove(place)


def as_trees(marks: dict[Path, int]) -> tuple[marking.Tree, ...]:
    return tuple(marking.Tree(mark, str(path)) for path, mark in marks.items())


def questions_of(pid: int) -> Iterator[abi.Question]:
    found = engine.find()
    assert found
    with found:
        pidfd = os.pidfd_open(pid)
        try:
            inquiry = found.rooms.lookup(pidfd).inquiry
        finally:
            os.close(pidfd)
    yield from inquiry.question[: inquiry.questions]


def marks(question: abi.Question) -> tuple[int, int]:
    return question.seen.marks[0], question.seen.marks[1]


def only(found: list[abi.Question], kind: Handle, view: int = 0) -> int:
    """Give the mark of the one question there is, which has a handle of this kind."""
    (question,) = found
    assert Handle(question.kind) == kind and not question.error
    return int(question.seen.marks[view])


# What asks one question about a path with each kind of handle, as the last thing that it asks.
WAYS = {
    Handle.PATH: os.stat,
    Handle.INODE: lambda path: os.access(path, os.R_OK),
    Handle.DENTRY: os.listxattr,
    Handle.FILE: lambda path: os.open(path, os.O_RDONLY),
}


@pytest.fixture
def made(tree: Path) -> Path:
    for name in ("x/d/f", "y/e/g", "y/h", "z/i"):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tree


@pytest.mark.parametrize("kind", WAYS, ids=lambda kind: kind.name.lower())
def test_the_nearest_mark_counts(kind: Handle, made: Path, asker: Asker) -> None:
    asker.mark({made: 1, made / "x": 2, made / "x/d/f": 4_000_000_000}, {made / "x": 7})
    found = {name: asker.ask(WAYS[kind], made / name) for name in ("x/d/f", "x/d", "x", "y/h", ".", "..")}
    assert {name: (only(each, kind), only(each, kind, 1)) for name, each in found.items()} == {
        "x/d/f": (4_000_000_000, 7),
        "x/d": (2, 7),
        "x": (2, 7),
        "y/h": (1, 0),
        ".": (1, 0),
        "..": (0, 0),
    }


def test_ways(made: Path, asker: Asker) -> None:
    """What is marked and the directories on the way to it are known, those beside it not."""
    asker.mark({made / "x/d": 1}, {made / "y": 1})
    found = {name: asker.ask(os.stat, made / name)[0].seen.ways for name in ("x/d", "x", "y", ".", "..", "z")}
    assert found == {"x/d": 1, "x": 1, "y": 2, ".": 3, "..": 3, "z": 0}


@pytest.mark.parametrize("kind", WAYS, ids=lambda kind: kind.name.lower())
def test_across_mounts(kind: Handle, made: Path, asker: Asker) -> None:
    """The mark above a mount is that of what is mounted; one on the covered directory is not."""
    calls.mount("none", made / "y/e", "tmpfs")
    try:
        (made / "y/e/k").write_text("")
        asker.mark({made / "y": 3})
        assert only(asker.ask(WAYS[kind], made / "y/e/k"), kind) == 3
        calls.umount(made / "y/e")
        calls.mount("none", made / "y/e", "tmpfs")
        (made / "y/e/k").write_text("")
        assert only(asker.ask(WAYS[kind], made / "y/e/k"), kind) == 3
    finally:
        calls.umount(made / "y/e")


def test_a_covered_directory_marks_nothing(made: Path, asker: Asker) -> None:
    asker.mark({made / "y/e": 3})
    calls.mount("none", made / "y/e", "tmpfs")
    try:
        (made / "y/e/k").write_text("")
        assert only(asker.ask(os.stat, made / "y/e/k"), Handle.PATH) == 0
    finally:
        calls.umount(made / "y/e")


def test_ways_that_disagree(made: Path, asker: Asker) -> None:
    """A file or path has the mark of the mount that it is seen through; a dentry or inode has one that all mounts give."""
    calls.mount(made / "x/d", made / "y/e", flags=calls.MS_BIND)
    try:
        asker.mark({made / "x": 1, made / "y": 2}, {made: 5})
        through = {"x/d/f": 1, "y/e/f": 2}
        for name, mark in through.items():
            for kind, way in WAYS.items():
                (question,) = asker.ask(way, made / name)
                assert Handle(question.kind) == kind
                agreed = mark if kind in (Handle.PATH, Handle.FILE) else 0
                assert marks(question) == (agreed, 5), (name, kind)
    finally:
        calls.umount(made / "y/e")


def test_names_that_disagree(made: Path, asker: Asker) -> None:
    os.link(made / "y/h", made / "x/h")
    asker.mark({made / "x": 1, made / "y": 2}, {made: 5})

    def look_at_both(path: Path) -> None:
        os.stat(path)
        os.stat(made / "x/h")
        os.access(path, os.R_OK)

    (question,) = asker.ask(look_at_both, made / "y/h")
    assert marks(question) == (0, 5)


def test_what_is_not_there_yet(made: Path, asker: Asker) -> None:
    asker.mark({made: 1, made / "x": 2})
    directory, new = asker.ask(os.mkdir, made / "x/new")
    assert (marks(directory)[0], marks(new)[0], new.handle >> 16 & 0xFFFF) == (2, 2, errno.ENOENT)


def test_what_is_in_no_tree(made: Path, asker: Asker) -> None:
    """A pipe has no place; marked, it has its mark alone."""
    read, write = os.pipe()
    try:
        asker.mark({made: 1})
        (question,) = asker.ask(lambda _path: os.write(write, b"x"), made)
        assert (question.error, *marks(question)) == (-errno.ENOENT, 0, 0)
    finally:
        os.close(read), os.close(write)


def test_a_marked_pipe(made: Path, asker: Asker) -> None:
    read, write = os.pipe()
    try:
        asker.mark({Path(f"/proc/self/fd/{write}"): 2})
        assert only(asker.ask(lambda _path: os.write(write, b"x"), made), Handle.FILE) == 2
    finally:
        os.close(read), os.close(write)


def test_a_detached_mount(made: Path, asker: Asker) -> None:
    """It has no way up: what is marked in it counts, what is marked above it does not."""
    asker.mark({made: 1, made / "y/e": 2})
    detached = calls.open_tree(made / "y", calls.OPEN_TREE_CLONE)
    try:
        opened = {
            name: asker.ask(lambda path: os.open(path, os.O_RDONLY, dir_fd=detached), Path(name)) for name in ("h", "e/g")
        }
        assert {name: only(each, Handle.FILE) for name, each in opened.items()} == {"h": 0, "e/g": 2}
    finally:
        os.close(detached)


def test_more_mounts_than_are_looked_at(made: Path, asker: Asker) -> None:
    """What would take too long has no mark, and says so; a path needs to look at one mount only."""
    asker.mark({made: 1})
    places = [made / f"m{number}" for number in range(abi.Limit.SHOWN + 1)]
    mounted = []
    try:
        for place in places:
            place.mkdir()
            calls.mount(made / "x", place, flags=calls.MS_BIND)
            mounted.append(place)
        (question,) = asker.ask(os.listxattr, made / "x/d/f")
        assert (question.error, *marks(question)) == (-errno.ELOOP, 0, 0)
        assert only(asker.ask(os.stat, made / "x/d/f"), Handle.PATH) == 1
    finally:
        for place in mounted:
            calls.umount(place)


def test_marks_change_while_programs_run(made: Path, asker: Asker, live: controller.Controller) -> None:
    asker.mark({made: 1}, {made / "x": 3})
    assert marks(asker.ask(os.stat, made / "x/d")[0]) == (1, 3)
    live.mark(NAME, {"first": as_trees({made / "x": 9, made / "y": 4})})
    assert marks(asker.ask(os.stat, made / "x/d")[0]) == (9, 3)
    assert marks(asker.ask(os.stat, made)[0]) == (0, 0)


def test_a_filesystem_that_goes_takes_its_marks_along(made: Path, asker: Asker) -> None:
    """Its number may be given to another one."""
    calls.mount("none", made / "y/e", "tmpfs")
    (made / "y/e/k").write_text("")
    asker.mark({made / "y/e": 3})
    assert only(asker.ask(os.stat, made / "y/e/k"), Handle.PATH) == 3
    found = engine.find()
    assert found
    with found:
        before = len(list(found.views.items()))
        calls.umount(made / "y/e")
        assert len(list(found.views.items())) == before - 1
