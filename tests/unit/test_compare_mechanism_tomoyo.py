# SPDX-License-Identifier: GPL-2.0-only
"""TOMOYO's groups of path patterns: what they match, told by the rules of the kernel's matcher, written down once more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from landlock_bpf.compare import mechanism_tomoyo as tomoyo
from landlock_bpf.compare import scene as scenes


def matches(pattern: str, path: str) -> bool:
    """Match as security/tomoyo/util.c does: `\\*` is any name or part of one, `\\-` takes away, `/\\{\\*\\}/` is folders."""
    parts = [_part(part) for part in pattern.split("/")]
    return re.fullmatch("/".join(parts).replace("FOLDERS/", "(?:[^/]+/)+"), path) is not None


def _part(part: str) -> str:
    if part == r"\{\*\}":
        return "FOLDERS"
    wanted, *others = part.split(r"\-")
    without = "".join(f"(?!{re.escape(name)}(?:/|$))" for name in others)
    return without + re.escape(wanted).replace(re.escape(r"\*"), "[^/]*")


def matched(path: str, folder: str, *holes: str) -> bool:
    return any(matches(pattern, path) for pattern in tomoyo.patterns(folder, [tuple(hole.split("/")) for hole in holes]))


@pytest.mark.parametrize("path", ["/", "/f", "/d/", "/d/f", "/d/e/", "/d/e/f"])
def test_a_folder_without_holes_is_matched_as_a_whole(path: str) -> None:
    assert matched(path, "/")
    assert matched(f"/t{path}", "/t/")
    assert not matched(path, "/t/")


IN_THE_HOLE = ("/a/b/", "/a/b", "/a/b/f", "/a/b/d/", "/a/b/d/f")
BESIDE_THE_HOLE = (
    "/",
    "/f",
    "/a/",
    "/a/f",
    "/a/bb",
    "/a/bb/",
    "/a/bb/f",
    "/a/b.c/d/f",
    "/b/",
    "/b/f",
    "/d/a/b/",
    "/d/a/b/f",
    "/a/d/b/f",
)


@pytest.mark.parametrize("path", IN_THE_HOLE)
def test_a_hole_is_not_matched(path: str) -> None:
    assert matched(path, "/")
    assert not matched(path, "/", "a/b")


@pytest.mark.parametrize("path", BESIDE_THE_HOLE)
def test_all_beside_a_hole_is_matched(path: str) -> None:
    assert matched(path, "/", "a/b")


def test_holes_beside_each_other() -> None:
    for name, wanted in (("ro", False), ("work", False), ("other", True)):
        for rest in ("", "/", "/f", "/d/f"):
            assert matched(f"/t/{name}{rest}", "/t/", "ro", "work") is wanted


def test_a_hole_in_a_hole_is_nothing_more() -> None:
    assert list(tomoyo.patterns("/", [("a",), ("a", "b")])) == list(tomoyo.patterns("/", [("a",)]))


EVERYTHING = scenes.Statement(scenes.EVERYTHING, read=True, write=False, metadata=True)
WORK = scenes.Statement(scenes.WORK, read=True, write=True, metadata=True)
SECRET = scenes.Statement(scenes.SECRET, read=False, write=False, metadata=False)
RO = scenes.Statement(scenes.RO, read=True, write=False, metadata=False)

# By file: in which groups it is.
GROUPS = {
    "/etc/passwd": {tomoyo.READABLE, tomoyo.CHANGEABLE},
    "proc:/self/status": {tomoyo.READABLE, tomoyo.CHANGEABLE},
    "pipe:[1]": {tomoyo.READABLE, tomoyo.WRITABLE, tomoyo.CHANGEABLE},
    "/tree/other/file": {tomoyo.READABLE, tomoyo.CHANGEABLE},
    "/tree/work/file": {tomoyo.READABLE, tomoyo.WRITABLE, tomoyo.CHANGEABLE},
    "/tree/work/folder/secret": {tomoyo.READABLE, tomoyo.WRITABLE, tomoyo.CHANGEABLE},
    "/tree/work/secret/": set(),
    "/tree/work/secret/deep/file": set(),
    "/tree/ro/": {tomoyo.READABLE},
    "/tree/ro/file": {tomoyo.READABLE},
}


@pytest.mark.parametrize("path", GROUPS)
def test_groups_are_the_statements(path: str) -> None:
    lines = (line.split(" ") for line in tomoyo.groups(Path("/tree"), (EVERYTHING, WORK, SECRET, RO)))
    assert {group for _, group, pattern in lines if matches(pattern, path)} == GROUPS[path]


def test_no_line_is_said_twice() -> None:
    lines = list(tomoyo.groups(Path("/tree"), (EVERYTHING, WORK, SECRET, RO)))
    assert len(lines) == len(set(lines))
