# SPDX-License-Identifier: GPL-2.0-only
"""Policies built from open files, and resolved: rules are on what was opened, and on nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import test_resolution

from landlock_bpf import errors, flocks, policy
from landlock_bpf.abi import Action
from landlock_bpf.builder import Ruleset

READ = Action.READ_FILE


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path.resolve() / name for name in ("a", "b", "c")]
    for path in paths:
        path.touch()
    return paths


@pytest.fixture
def ruleset() -> Iterator[Ruleset]:
    with Ruleset(READ, default="allow") as made:
        yield made


def add(ruleset: Ruleset, path: Path, **words: Any) -> None:
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        ruleset.add(fd, **words)
    finally:
        os.close(fd)


def replace(path: Path) -> None:
    path.with_name("other").touch()
    path.with_name("other").replace(path)


def put_link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("b")


CHANGES: list[Callable[[Path], object]] = [Path.unlink, replace, put_link]


@pytest.mark.parametrize("change", CHANGES, ids=["removed", "replaced", "a link"])
@pytest.mark.parametrize("words", [{"denied": READ}, {"allowed": READ}], ids=["denied", "allowed"])
def test_a_path_that_leads_elsewhere_by_now_is_refused(
    files: list[Path], ruleset: Ruleset, change: Callable[[Path], object], words: dict[str, Action]
) -> None:
    add(ruleset, files[0], **words)
    made = ruleset.policy()
    test_resolution.resolve(made)
    change(files[0])
    (told,) = test_resolution.problems(made)
    assert told.startswith(f"ruleset:1: {files[0]} does not lead to what its rule was opened on; open that anew")


def test_a_link_to_the_same_object_will_do(files: list[Path], ruleset: Ruleset) -> None:
    add(ruleset, files[0], denied=READ)
    made = ruleset.policy()
    files[0].rename(files[0].with_name("moved"))
    files[0].symlink_to("moved")
    (layer,) = test_resolution.resolve(made)
    assert test_resolution.object_of(files[0].with_name("moved")) in {entry.object for entry in layer.entries if entry.denied}


def test_each_of_many_in_one_folder_is_looked_at(files: list[Path], ruleset: Ruleset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flocks, "_MANY", 2)
    for path in files:
        add(ruleset, path, allowed=READ)
    made = ruleset.policy()
    replace(files[1])
    assert [told.split()[:2] for told in test_resolution.problems(made)] == [["ruleset:2:", str(files[1])]]


def test_names_and_commands_are_those_of_policy_files(tmp_path: Path, ruleset: Ruleset) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    try:
        ruleset.add(fd, denied=READ, names=["*.pem", ".env"])
        ruleset.add(fd, denied=Action.IOCTL, commands=["TIOCSTI", 7])
    finally:
        os.close(fd)
    ruleset.handled |= Action.IOCTL
    named, commanded = ruleset.policy().rules
    assert (named.names, commanded.commands) == (("*.pem", ".env"), (7, 0x5412))


def test_everything_wrong_is_told_at_once(files: list[Path], tmp_path: Path, ruleset: Ruleset) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    try:
        add(ruleset, files[0], denied=READ)
        ruleset.add(fd, denied=READ, names=["a/b"], commands=["TIOCST"])
    finally:
        os.close(fd)
    files[0].unlink()
    with pytest.raises(errors.PolicyError) as caught:
        ruleset.policy()
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [(1, ""), (2, "names"), (2, "commands")]


def test_nothing_is_made_of_a_closed_one(tmp_path: Path) -> None:
    with Ruleset(READ, default="allow") as ruleset:
        add(ruleset, tmp_path, denied=READ)
        made = ruleset.policy()
    assert [rule.denied for rule in made.rules] == [READ]
    with pytest.raises(ValueError, match="^the ruleset is closed$"):
        ruleset.policy()
    with pytest.raises(ValueError, match="^the ruleset is closed$"):
        add(ruleset, tmp_path, denied=READ)
    ruleset.close()


@pytest.mark.parametrize("words", [{"names": "id_rsa"}, {"names": b"id_rsa"}, {"commands": "TIOCSTI"}])
def test_a_word_alone_is_not_taken_for_its_letters(tmp_path: Path, ruleset: Ruleset, words: dict[str, Any]) -> None:
    (key, word), *_ = words.items()
    with pytest.raises(TypeError, match=f"{key}={word!r} is one word, not several; write {key}="):
        add(ruleset, tmp_path, denied=READ, **words)
    assert ruleset.policy().rules == ()


@pytest.mark.parametrize("mask", [1 << 60, READ | 1 << 60, -1, "x", None])
def test_bits_that_are_no_action_are_refused(tmp_path: Path, ruleset: Ruleset, mask: Any) -> None:
    for key in ("allowed", "denied"):
        with pytest.raises(ValueError, match=f"{key}=.* is no set of actions; name them"):
            add(ruleset, tmp_path, **{key: mask})
    with pytest.raises(ValueError, match="handled=.* is no set of actions; name them"):
        Ruleset(mask)


def test_a_rule_that_says_nothing_is_refused(tmp_path: Path, ruleset: Ruleset) -> None:
    with pytest.raises(ValueError, match="a rule without an action says nothing; give allowed= or denied="):
        add(ruleset, tmp_path)
    assert ruleset.policy().rules == ()


def test_actions_may_be_numbers(tmp_path: Path) -> None:
    one: Any = int(READ)
    with Ruleset(one) as ruleset:
        add(ruleset, tmp_path, allowed=one)
        assert [type(mask) for mask in (ruleset.handled, ruleset.policy().rules[0].allowed)] == [Action, Action]


def test_a_rule_of_a_file_is_on_whatever_is_there(files: list[Path]) -> None:
    made = policy.from_words(deny=[str(files[0])])
    replace(files[0])
    (layer,) = test_resolution.resolve(made)
    assert test_resolution.object_of(files[0]) in {entry.object for entry in layer.entries if entry.denied}
