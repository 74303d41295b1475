# SPDX-License-Identifier: GPL-2.0-only
"""Where else an object is shown, by mountinfo; what is mounted there is tried in guests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from landlock_bpf import mountinfo, showing

OURS = 7


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with a folder that a mount of its own has, and the links by which others show parts of it."""
    (tmp_path / "top/here/deep").mkdir(parents=True)
    (tmp_path / "all").symlink_to("top")
    (tmp_path / "part").symlink_to("top/here")
    numbers = {str(tmp_path / name): number for name, number in (("all", 8), ("part", 9), ("covered", 10))}
    plain = showing._is_open

    def is_open(path: str, number: int, fd: int) -> bool:
        monkeypatch.setattr(showing, "mount_id", lambda _: next((n for root, n in numbers.items() if path.startswith(root)), 0))
        return plain(path, number, fd)

    monkeypatch.setattr(showing, "_is_open", is_open)
    return tmp_path


@pytest.fixture
def deep(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    fd = os.open(tree / "top/here/deep", os.O_PATH)
    monkeypatch.setattr(showing, "mount_id", lambda _: OURS)
    yield fd
    os.close(fd)


def mounts(tree: Path, **roots: str) -> dict[int, mountinfo.Mount]:
    named = {"own": (OURS, "top/here"), "all": (8, "all"), "part": (9, "part"), "covered": (10, "covered"), "other": (11, "x")}
    found = {}
    for name, root in roots.items():
        number, point = named[name]
        found[number] = mountinfo.Mount("tmpfs", "0:2" if name == "other" else "0:1", root, str(tree / point))
    return found


def test_other_mounts(tree: Path, deep: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = mounts(tree, own="/here", all="/", part="/here", other="/here")
    monkeypatch.setattr(mountinfo, "by_id", lambda: found)
    assert showing.elsewhere(deep) == showing.Shown((str(tree / "all/here/deep"), str(tree / "part/deep")), True)


def test_one_that_cannot_be_opened(tree: Path, deep: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mountinfo, "by_id", lambda: mounts(tree, own="/here", covered="/here/deep"))
    assert showing.elsewhere(deep) == showing.Shown((), False)


def test_one_beneath_another_at_the_same_place(tree: Path, deep: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = mounts(tree, own="/here", all="/")
    monkeypatch.setattr(mountinfo, "by_id", lambda: {6: found[8], **found})
    assert showing.elsewhere(deep) == showing.Shown((str(tree / "all/here/deep"),), False)


def test_what_shows_too_little(tree: Path, deep: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mountinfo, "by_id", lambda: mounts(tree, own="/here", covered="/her", part="/here/deep/er"))
    assert showing.elsewhere(deep) == showing.Shown((), True)


def test_a_mount_that_is_not_ours(deep: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mountinfo, "by_id", dict)
    assert showing.elsewhere(deep) == showing.Shown((), False)
    assert showing.above(deep) == showing.Above("", False)


def test_the_way_further_up(tree: Path, deep: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for roots, found in (
        ({"own": "/"}, showing.Above("", True)),
        ({"own": "/here", "all": "/"}, showing.Above(str(tree / "all/here/deep"), True)),
        ({"own": "/here", "part": "/here"}, showing.Above("", False)),
        ({"own": "/a/here", "all": "/a"}, showing.Above(str(tree / "all/here/deep"), False)),
    ):
        monkeypatch.setattr(showing, "mount_id", lambda _: OURS)
        monkeypatch.setattr(mountinfo, "by_id", lambda roots=roots: mounts(tree, **roots))
        assert showing.above(deep) == found, roots


def test_our_own() -> None:
    fd = os.open("/proc", os.O_PATH)
    try:
        assert mountinfo.by_id()[showing.mount_id(fd)].type == "proc"
    finally:
        os.close(fd)
