# SPDX-License-Identifier: GPL-2.0-only
"""Files that have names outside what is denied: which are found, and what is denied of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from landlock_bpf import hardlinks, mountinfo, policy
from landlock_bpf.abi import Action
from landlock_bpf.realpaths import Realpaths

NONE = Action(0)
READ, WRITE, CHMOD = Action.READ_FILE, Action.WRITE_FILE, Action.CHMOD


def rule(path: Path, denied: Action, allowed: Action = NONE, *names: str) -> policy.Rule:
    return policy.Rule(str(path), allowed, denied, policy.Location("p", 1), names=names)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("secret/deep/open", "outside"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path.resolve()


def linked(path: Path, *others: Path) -> None:
    path.write_text("")
    for other in others:
        os.link(path, other)


def found(tree: Path, *rules: policy.Rule, mounts: tuple[mountinfo.Mount, ...] = ()) -> dict[str, int]:
    result = {}
    for file in hardlinks.Search(rules, mounts, Realpaths()).files:
        result[os.path.relpath(file.path, tree)] = sum(mask for _rule, mask in file.denied)
    return result


def test_a_file_with_a_name_outside_is_found(tree: Path) -> None:
    linked(tree / "secret" / "deep" / "a", tree / "outside" / "a")
    linked(tree / "secret" / "alone")
    linked(tree / "outside" / "b", tree / "outside" / "c")
    os.symlink("alone", tree / "secret" / "link")
    assert found(tree, rule(tree / "secret", READ)) == {"secret/deep/a": READ}
    assert found(tree, rule(tree / "secret", NONE, READ)) == {}


def test_names_that_are_all_denied_need_nothing_more(tree: Path) -> None:
    linked(tree / "secret" / "a", tree / "secret" / "deep" / "a")
    assert found(tree, rule(tree / "secret", READ)) == {}
    # But where one of them is denied less.
    assert found(tree, rule(tree / "secret", READ | WRITE), rule(tree / "secret" / "deep", NONE, READ)) == {
        "secret/a": READ | WRITE
    }


def test_the_nearest_rule_decides_for_each_action(tree: Path) -> None:
    linked(tree / "secret" / "deep" / "open" / "a", tree / "outside" / "a")
    rules = rule(tree / "secret", READ | WRITE), rule(tree / "secret" / "deep" / "open", CHMOD, READ)
    assert found(tree, *rules) == {"secret/deep/open/a": WRITE | CHMOD}
    assert found(tree, rule(tree / "secret", READ), rule(tree / "secret" / "deep", NONE, READ)) == {}
    # A rule on the file itself is the nearest.
    allowing = rule(tree / "secret" / "deep" / "open" / "a", NONE, READ)
    assert found(tree, rule(tree / "secret", READ), allowing) == {}


def test_names_that_match(tree: Path) -> None:
    linked(tree / "secret" / "deep" / "x.pem", tree / "outside" / "a")
    linked(tree / "secret" / "deep" / "x.txt", tree / "outside" / "b")
    (tree / "secret" / "dir.pem").mkdir()
    linked(tree / "secret" / "dir.pem" / "y", tree / "outside" / "c")
    expected = {"secret/deep/x.pem": READ, "secret/dir.pem/y": READ}
    assert found(tree, rule(tree, READ, NONE, "*.pem")) == expected
    # A name in a denied tree, and a tree in a denied tree.
    assert found(tree, rule(tree / "secret", WRITE), rule(tree / "secret", READ, NONE, "*.pem")) == {
        **{path: READ | WRITE for path in expected},
        "secret/deep/x.txt": WRITE,
    }


def test_what_is_not_there_or_is_a_file(tree: Path) -> None:
    linked(tree / "secret" / "a", tree / "outside" / "a")
    assert found(tree, rule(tree / "none", READ), rule(tree / "secret" / "a", READ)) == {}


def test_the_limits_are_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        linked(tree / "secret" / f"{number}", tree / "outside" / f"{number}")
    search = hardlinks.Search([rule(tree / "secret", READ)], (), Realpaths())
    assert len(search.files) == 4 and not search.notes
    monkeypatch.setattr(hardlinks, "MOST_FILES", 2)
    search = hardlinks.Search([rule(tree / "secret", READ)], (), Realpaths())
    assert len(search.files) == 2 and "more than 2 denied files" in search.notes[0]
    monkeypatch.setattr(hardlinks, "MOST_ENTRIES", 3)
    search = hardlinks.Search([rule(tree / "secret", READ)], (), Realpaths())
    assert "more than 3 files are beneath" in search.notes[0]


def test_mounts_are_not_entered(tree: Path) -> None:
    linked(tree / "secret" / "deep" / "a", tree / "outside" / "a")
    for root, told in (("/", 0), ("/part", 1)):
        mount = mountinfo.Mount("ext4", "8:1", root, str(tree / "secret" / "deep"))
        search = hardlinks.Search([rule(tree / "secret", READ)], (mount,), Realpaths())
        assert (len(search.files), len(search.notes)) == (0, told)


def test_of_a_whole_filesystem_there_is_nothing_outside(tree: Path) -> None:
    linked(tree / "secret" / "a", tree / "outside" / "a")
    mounts = (mountinfo.Mount("ext4", "8:1", "/", str(tree)),)
    assert found(tree, rule(tree, READ), mounts=mounts) == {}
    nested = rule(tree / "outside", NONE, READ)
    assert found(tree, rule(tree, READ), nested, mounts=mounts) == {"secret/a": READ}
    # What more is denied in a part of it is looked for there.
    assert found(tree, rule(tree, READ), rule(tree / "secret", WRITE), mounts=mounts) == {"secret/a": WRITE}
