# SPDX-License-Identifier: GPL-2.0-only
"""What rules on names say of a path: which of its names each of them is about."""

from __future__ import annotations

import pytest

from landlock_bpf import abi, identity, name_rules, names, ruleset
from landlock_bpf.abi import Action

READ = int(Action.READ_FILE)
TOP, DEEP, ELSEWHERE = (identity.OBJECT.pack(number, 0, 1, 1) for number in (1, 2, 3))
PATTERNS = (ruleset.Pattern("*.pem", READ, "p.toml", 1), ruleset.Pattern("id_*", READ, "p.toml", 2))


def layer(*missing: str, trees: tuple[ruleset.Tree, ...] = ()) -> ruleset.Layer:
    """Make a layer that denies paths beneath TOP, and names in trees."""
    said = []
    for path in missing:
        for made, last, whole in names.prefixes([part.encode() for part in path.split("/")]):
            said.append(ruleset.Name(TOP, made, len(last), READ if whole else 0, f"/top/{path}", "p.toml", 3))
    return ruleset.Layer("d", 1, "p", "p.toml", READ, 0, 1, True, (), names=tuple(said), patterns=PATTERNS, trees=trees)


def path(text: str, *, missing: int = 1, trees: int = 0, spellings: bool = False) -> name_rules.Path:
    """Make a path beneath TOP, of whose names so many are missing; DEEP is the first of them."""
    parts = [part.encode() for part in text.split("/")]
    return name_rules.Path([(DEEP, parts[1:]), (TOP, parts)], parts[-missing:], trees, spellings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("way", [(0, False)]), ("way/secret", [(0, True), (1, False)]), ("way/secret/x", [(1, True), (2, False)]),
        ("secret", []), ("ways", []),
    ],
)  # fmt: skip
def test_paths(text: str, said: list[tuple[int, bool]]) -> None:
    """A place on the way to a denied path denies nothing, but is spoken of."""
    found = path(text).sayings(0, layer("way/secret"), 0)
    assert [(each.name, bool(each.rule.denied)) for each in found] == said


def test_paths_longer_than_rules_have_them() -> None:
    text = "/".join(["way", "secret", *"x" * int(abi.Limit.MISSING)])
    assert [each.name for each in path(text).sayings(0, layer("way/secret"), 0)] == [text.count("/") - 1, text.count("/")]


def test_one_object_at_two_places() -> None:
    """A directory that is mounted beneath itself: rules that begin there speak of either name."""
    twice = name_rules.Path([(TOP, [b"way"]), (TOP, [b"on", b"way"])], [b"way"])
    assert [each.name for each in twice.sayings(0, layer("way"), 0)] == [0]
    assert [each.name for each in twice.sayings(0, layer("on/way"), 0)] == [0, 1]


def test_patterns_in_trees_that_are_seen() -> None:
    of = layer(trees=(ruleset.Tree(DEEP, 0, "/top/deep"), ruleset.Tree(ELSEWHERE, 1, "/else")))
    assert [each.name for each in path("deep.pem/a/x.pem").sayings(0, of, 0)] == [0]
    assert path("deep/id_rsa").sayings(0, of, 0) == []


@pytest.mark.parametrize(("first", "trees", "said"), [(0, 0b01, False), (0, 0b10, True), (5, 0b10, False), (5, 1 << 6, True)])
def test_patterns_in_trees_that_the_engine_tells_of(first: int, trees: int, said: bool) -> None:
    """They are numbered layer after layer, and no place that is to be seen need be theirs."""
    of = layer(trees=(ruleset.Tree(ELSEWHERE, 0, "/else"), ruleset.Tree(ELSEWHERE, 1, "/else")))
    found = path("deep/id_rsa", trees=trees).sayings(0, of, first)
    assert [each.rule.path for each in found] == (["/else/**/id_*"] if said else [])


def test_of_what_is_there_the_engine_knows() -> None:
    of = layer(trees=(ruleset.Tree(ELSEWHERE, 0, "/else"),))
    assert path("deep/x.pem/a", missing=1, trees=1).sayings(0, of, 0) == []
    assert [each.name for each in path("deep/x.pem/a", missing=2, trees=1).sayings(0, of, 0)] == [1]


def test_names_with_several_spellings_may_be_any() -> None:
    of = layer(trees=(ruleset.Tree(ELSEWHERE, 0, "/else"),))
    assert path("deep/a", trees=1, spellings=True).sayings(0, of, 0)
    assert not path("deep/a", trees=2 << 1, spellings=True).sayings(0, of, 0)
