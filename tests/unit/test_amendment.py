# SPDX-License-Identifier: GPL-2.0-only
"""One rule more or less in a layer: all others stay as they were resolved."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from test_resolution import identify

from landlock_bpf import action_table, amendment, errors, identity, merging, policy, resolution, ruleset, ways
from landlock_bpf.abi import Action, Limit

NONE = Action(0)
READ, WRITE, CHMOD = Action.READ_FILE, Action.WRITE_FILE, Action.CHMOD
HERE, THERE, DIRECTORY = (identity.OBJECT.pack(number, 0, device, 1) for number, device in ((5, 8), (6, 9), (7, 8)))


def entry(object: bytes, path: str, line: int, *, allowed: Action = READ, denied: Action | None = None) -> ruleset.Entry:
    if denied is None:
        return ruleset.Entry(object, int(allowed), 0, False, path, "p.toml", line)
    return ruleset.Entry(object, 0, int(denied), True, path, "p.toml", line)


def layer(*entries: ruleset.Entry, owner: str = "d", made: int = 2, handled: Action = READ | WRITE) -> ruleset.Layer:
    rules = {(each.path, each.line) for each in entries}
    denies = any(each.denied for each in entries)
    made_of = ruleset.Layer(owner, made, "p", "p.toml", int(handled), 0, len(rules), denies, (), entries)
    return dataclasses.replace(made_of, spread=amendment._spread(made_of))


BOTH = layer(entry(HERE, "/a", 3), entry(THERE, "/b", 4, denied=READ), entry(DIRECTORY, "/b", 4, allowed=Action(0)))


def wanted(allowed: Action, denied: Action) -> policy.Policy:
    rule = policy.Rule("/c", allowed, denied, policy.Location("words", 1))
    return policy.Policy("w", allowed | denied, "deny", (rule,), "words")


def test_what_is_added_is_cut_to_what_has_a_meaning() -> None:
    made = amendment.fitting(BOTH, wanted(READ | CHMOD, Action(0)))
    assert [(rule.allowed, str(rule.location)) for rule in made.rules] == [(READ, "rule add:1")]
    with pytest.raises(errors.NotFoundError, match="does not rule on chmod, so it is allowed on /c already"):
        amendment.fitting(BOTH, wanted(CHMOD, Action(0)))
    added = dataclasses.replace(BOTH, entries=(*BOTH.entries, entry(HERE, "/c", 7)._replace(file=amendment.SOURCE)))
    assert str(amendment.fitting(added, wanted(READ, Action(0))).rules[0].location) == "rule add:8"


def test_added_beside_the_others() -> None:
    more = layer(entry(HERE, "/c", 1, denied=CHMOD), handled=CHMOD | Action.REFER | action_table.WITHHELD)
    made = amendment.add(BOTH, more)
    assert made.entries == (*BOTH.entries, *more.entries)
    assert made.rules == 3 and made.denies
    assert made.handled == BOTH.handled | more.handled
    # What only the new rule speaks of is as it was everywhere else; what is withheld stays so.
    assert made.default_allow == int(CHMOD | Action.REFER)
    assert (made.owner, made.made, made.policy) == (BOTH.owner, BOTH.made, BOTH.policy)


def test_patterns_keep_their_trees() -> None:
    one, two = (ruleset.Pattern(text, int(READ), "p.toml", line) for line, text in ((5, "*.pem"), (6, ".env")))
    first = dataclasses.replace(BOTH, rules=3, patterns=(one,), trees=(ruleset.Tree(HERE, 0, "/t"),))
    second = dataclasses.replace(layer(), rules=1, denies=True, patterns=(two,), trees=(ruleset.Tree(THERE, 0, "/u"),))
    made = amendment.add(first, second)
    assert [tree.shown(made.patterns[tree.pattern]) for tree in made.trees] == ["/t/**/*.pem", "/u/**/.env"]
    less = amendment.remove(made, "/t/**/*.pem")
    assert less and [tree.shown(less.patterns[tree.pattern]) for tree in less.trees] == ["/u/**/.env"]
    assert less.rules == made.rules - 1


def test_removed_with_its_way() -> None:
    less = amendment.remove(BOTH, "/b")
    assert less and less.entries == BOTH.entries[:1]
    assert (less.rules, less.denies, less.spread) == (1, False, ((HERE, 1),))
    assert amendment.remove(BOTH, "/nothing") is None
    missing = dataclasses.replace(BOTH, names=(ruleset.Name(HERE, 1, 1, int(READ), "/a/x", "p.toml", 9),))
    less = amendment.remove(missing, "/a/x")
    assert less and not less.names and less.entries == BOTH.entries


def resolved(tmp_path: Path, *said: tuple[str, Action, Action, tuple[str, ...]]) -> ruleset.Layer:
    """Resolve rules beneath a folder; all stand on one line."""
    rules = tuple(
        policy.Rule(str(tmp_path / path), allowed, denied, policy.Location("p.json", 1), names=names)
        for path, allowed, denied, names in said
    )
    with ways.Filesystems() as filesystems:
        (made,) = resolution.resolve([policy.Policy("p", READ | WRITE, "allow", rules, "p")], "d", 2, identify, filesystems)
    return made


def test_a_rule_ends_with_its_last_pattern(tmp_path: Path) -> None:
    """Only then is it counted as gone, and what it sealed is free."""
    made = resolved(tmp_path, (".", NONE, READ, ("*.a", "*.b", "*.c")))
    assert made.rules == 1 and len(made.patterns) == 3
    less = amendment.remove(made, f"{tmp_path}/**/*.b")
    assert less and (less.rules, less.denies, less.entries, less.spread) == (1, True, made.entries, made.spread)
    assert [tree.shown(less.patterns[tree.pattern]) for tree in less.trees] == [f"{tmp_path}/**/*.a", f"{tmp_path}/**/*.c"]
    less = amendment.remove(less, f"{tmp_path}/**/*.a")
    assert less and (less.rules, len(less.patterns), less.entries) == (1, 1, made.entries)
    less = amendment.remove(less, f"{tmp_path}/**/*.c")
    assert less and (less.rules, less.denies, less.spread) == (0, False, ())
    assert not (less.entries or less.patterns or less.trees)
    whole = amendment.remove(made, str(tmp_path))
    assert whole and (whole.rules, whole.patterns, whole.trees, whole.entries) == (0, (), (), ())


def test_patterns_come_and_go_without_end(tmp_path: Path) -> None:
    """Those without trees would count against the limit."""
    (tmp_path / "kept").mkdir()
    made = resolved(tmp_path, ("kept", NONE, READ, ("*.k",)))
    more = resolved(tmp_path, (".", NONE, READ, ("*.a",)))
    for _ in range(int(Limit.PATTERNS) + 1):
        added = amendment.add(made, more)
        merging.check([added])
        less = amendment.remove(added, f"{tmp_path}/**/*.a")
        # They stand on one line here, but not on one path.
        assert less and (less.rules, less.entries, less.trees) == (1, made.entries, made.trees)
        made = less


def test_several_rules_of_one_line_and_path(tmp_path: Path) -> None:
    """Each is counted, and what one of them seals stays while another one is there."""
    made = resolved(tmp_path, (".", NONE, READ, ()), (".", READ, WRITE, ()), (".", NONE, READ, ("*.a",)))
    less = amendment.remove(made, f"{tmp_path}/**/*.a")
    assert less and (less.rules, less.entries) == (2, made.entries)
    less = amendment.remove(less, str(tmp_path))
    assert less and (less.rules, less.entries) == (0, ())
    assert not amendment.remove(less, str(tmp_path))


def test_which_layer() -> None:
    outer = layer(owner="around", made=1)
    programs = dataclasses.replace(layer(), programs=ruleset.Programs(1, 0, ruleset.ENGINE, "", "libbpf", ()))
    assert amendment.choose([outer, BOTH], None) == 1
    assert amendment.choose([outer, BOTH, programs], None) == 1
    assert amendment.choose([outer, BOTH, BOTH], 2) == 2
    for layers, number, words in (
        ([outer, BOTH, BOTH], None, "several policies; --layer takes one of 1, 2"),
        ([outer, BOTH], 0, "no policy of its own as layer 0"),
        ([outer, programs], None, "rule programs alone"),
    ):
        with pytest.raises(errors.NotFoundError, match=words):
            amendment.choose(layers, number)
