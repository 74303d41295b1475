# SPDX-License-Identifier: GPL-2.0-only
"""What landrun's words on a command line come to mean."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
from action_groups import ABI_5, NOTHING, READ, RW
from hypothesis import strategies as st

from landlock_bpf import action_table, errors, policy
from landlock_bpf.abi import Action


@pytest.mark.parametrize(
    ("words", "rules"),
    [
        ({}, []),
        ({"ro": ["/a"]}, [("/a", READ, NOTHING)]),
        ({"rox": ["/a"]}, [("/a", READ | Action.EXECUTE, NOTHING)]),
        ({"rw": ["/a"]}, [("/a", RW, NOTHING)]),
        ({"rwx": ["/a"]}, [("/a", ABI_5, NOTHING)]),
        ({"ro": ["/a,/b", "/c"]}, [("/a", READ, NOTHING), ("/b", READ, NOTHING), ("/c", READ, NOTHING)]),
        ({"ro": ["/"], "deny": ["/a"]}, [("/", READ, NOTHING), ("/a", NOTHING, action_table.ALL)]),
        ({"ro": ["/"], "deny": ["/a:read_file,write"]}, [("/", READ, NOTHING), ("/a", NOTHING, RW & ~Action.READ_DIR)]),
        ({"ro": ["/"], "deny": ["/a:b/c"]}, [("/", READ, NOTHING), ("/a:b/c", NOTHING, action_table.ALL)]),
        ({"ro": ["/"], "deny": ["/a:b:all"]}, [("/", READ, NOTHING), ("/a:b", NOTHING, action_table.ALL)]),
    ],
)
def test_from_words(words: dict[str, list[str]], rules: list[tuple[str, Action, Action]]) -> None:
    made = policy.from_words(**words)
    assert [(rule.path, rule.allowed, rule.denied) for rule in made.rules] == rules
    assert [rule.location for rule in made.rules] == [
        policy.Location("command line", line) for line in range(1, len(rules) + 1)
    ]
    denied = NOTHING
    for _path, _allowed, mask in rules:
        denied |= mask
    assert (made.default, made.handled, made.left) == ("deny", ABI_5 | denied, denied & ~ABI_5)


def test_with_denials_only_the_rest_is_allowed() -> None:
    made = policy.from_words(deny=["/a:read", "/b:execute"])
    assert (made.default, made.handled) == ("allow", READ | Action.EXECUTE)
    assert [rule.explicit for rule in made.rules] == [NOTHING, Action.EXECUTE]


def test_permissions_of_single_actions() -> None:
    made = policy.from_words(deny=["/a:chmod"], allow=["/b:chown,read_file", "/c:read"])
    assert [(rule.path, rule.allowed, rule.denied, rule.explicit) for rule in made.rules] == [
        ("/a", NOTHING, Action.CHMOD, Action.CHMOD),
        ("/b", Action.CHOWN | Action.READ_FILE, NOTHING, Action.CHOWN | Action.READ_FILE),
        ("/c", READ, NOTHING, NOTHING),
    ]
    assert (made.default, made.handled, made.left) == ("deny", ABI_5 | Action.CHMOD | Action.CHOWN, Action.CHMOD)


def test_words_count_paths_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = os.getcwd()
    made = policy.from_words(ro=["."], rw=["x/../y", "$HOME"])
    assert [rule.path for rule in made.rules] == [here, f"{here}/x/../y", f"{here}/$HOME"]


def test_a_relative_path_without_a_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(errors.PolicyError, match="--ro: 'x' is not an absolute path; begin it with /") as caught:
        policy.from_words(ro=["x"])
    assert "${" not in str(caught.value)


def test_all_mistakes_of_the_words_at_once() -> None:
    with pytest.raises(errors.PolicyError) as caught:
        policy.from_words(ro=["", "/a\0"], deny=["/b:reed_file,abi.all", "/c:"], allow=["/d:"])
    assert [(problem.file, problem.line, problem.key) for problem in caught.value.problems] == [
        ("command line", 1, "--ro"),
        ("command line", 2, "--ro"),
        ("command line", 3, "--deny"),
        ("command line", 3, "--deny"),
        ("command line", 4, "--deny"),
        ("command line", 5, "--allow"),
    ]


@hypothesis.given(
    st.lists(st.text(st.sampled_from("/a:,.\0\udcffr_")), max_size=3), st.lists(st.text(st.sampled_from("/a:,.r")), max_size=3)
)
def test_random_words(ro: list[str], deny: list[str]) -> None:
    try:
        made = policy.from_words(ro=ro, deny=deny)
    except errors.PolicyError:
        return
    assert all(rule.path.startswith("/") for rule in made.rules)
