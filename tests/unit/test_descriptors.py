# SPDX-License-Identifier: GPL-2.0-only
"""Descriptors that members of a cgroup hold into what is denied; the member is this process."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from landlock_bpf import cgroup, descriptors, identity, ruleset


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroup, "processes", lambda path: iter([os.getpid()]))
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    return tmp_path


def layer(*rules: tuple[Path, int, int]) -> ruleset.Layer:
    entries = tuple(
        ruleset.Entry(identity.NOTHING, allowed, denied, bool(denied), str(path), "p", 1) for path, allowed, denied in rules
    )
    return ruleset.Layer("d", 1, "p", "p", 4, True, len(rules), any(denied for _, _, denied in rules), (), entries)


def held(tree: Path, *layers: ruleset.Layer) -> list[str]:
    with open(tree / "a" / "b" / "file"):
        return [each.path for each in descriptors.held(Path("/cgroup"), layers)]


def test_a_file_beneath_a_denial_is_listed(tree: Path) -> None:
    assert held(tree, layer((tree / "a", 0, 4))) == [str(tree / "a" / "b" / "file")]
    assert held(tree, layer((tree / "a" / "b" / "file", 0, 4))) == [str(tree / "a" / "b" / "file")]


def test_a_nearer_permission_speaks_for_it(tree: Path) -> None:
    assert held(tree, layer((tree / "a", 0, 4), (tree / "a" / "b", 4, 0))) == []


def test_one_layer_that_denies_is_enough(tree: Path) -> None:
    assert held(tree, layer((tree, 4, 0)), layer((tree / "a", 0, 4))) == [str(tree / "a" / "b" / "file")]


def test_nothing_is_listed_where_nothing_is_denied(tree: Path) -> None:
    assert held(tree, layer((tree, 4, 0))) == []
    assert held(tree, layer((tree / "gone", 0, 4))) == []


def test_what_cannot_be_looked_at_counts_as_held(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat

    def refuse(path: str | Path, **more: bool) -> os.stat_result:
        if str(path).startswith("/proc/") and os.path.realpath(path) == str(tree / "a" / "b" / "file"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path, **more)

    monkeypatch.setattr(os, "stat", refuse)
    assert held(tree, layer((tree / "a", 0, 4))) == ["something that cannot be looked at (Permission denied)"]


def test_a_process_that_cannot_be_looked_at_is_an_error(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied", args[0])

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(PermissionError):
        held(tree, layer((tree / "a", 0, 4)))


def test_what_it_says(tree: Path) -> None:
    assert str(descriptors.Held(7, 3, "/x")) == "process 7 has /x open (descriptor 3)"
