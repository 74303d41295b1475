# SPDX-License-Identifier: GPL-2.0-only
"""What becomes of objects, names, patterns and ioctl commands when layers are merged."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landlock_bpf import abi, errors, identity, merging, names, ruleset
from landlock_bpf.abi import Action

IOCTL = int(Action.IOCTL)
PLACE = ("/x", "p.toml", 1)


def object_of(number: int) -> bytes:
    return identity.OBJECT.pack(number, 0, 8, 0)


def layer(**said: Any) -> ruleset.Layer:
    return ruleset.Layer("d", 1, "p", "p.toml", IOCTL | 1, 0, 0, True, (), **said)


def rules_of(merged: merging.Merged) -> dict[bytes, abi.Rule]:
    return {object: rule_of(rule) for object, rule in zip(merged.objects, merged.rules)}


def rule_of(data: bytes) -> abi.Rule:
    return abi.Rule.from_buffer_copy(data)


@given(
    st.lists(
        st.builds(
            lambda ino, device, allowed, denied, sealed: ruleset.Entry(
                identity.OBJECT.pack(ino, 0, device, 0), allowed, denied, sealed, *PLACE
            ),
            st.integers(1, 3),
            st.integers(1, 2),
            st.integers(0, 3),
            st.integers(0, 3),
            st.booleans(),
        ),
        max_size=5,
    )
)
def test_a_layer_alone_says_what_it_says_beside_an_empty_one(entries: list[ruleset.Entry]) -> None:
    """Alone it is merged in columns, unless it speaks of an object twice; inode numbers of two filesystems may be the same."""
    alone, beside = (merging.merge(layers) for layers in ((layer(entries=entries),), (layer(entries=entries), layer())))
    assert dict(zip(alone.objects, alone.rules)) == dict(zip(beside.objects, beside.rules))
    assert len(alone.objects) == len(alone.rules) == len({each.object for each in entries})


def test_names() -> None:
    said = (ruleset.Name(object_of(1), 77, 5, 1, *PLACE), ruleset.Name(object_of(1), 78, 70, 0, *PLACE))
    merged = merging.merge((layer(), layer(names=said), layer(names=said[:1])))
    key = abi.NameKey(parent=abi.Object.from_buffer_copy(object_of(1)), hash=77, ruleset=9)
    whole, way = (rule_of(merged.names[merging.name_head(name)]) for name in said)
    assert merging.name_head(said[0]) + (9).to_bytes(8, "little") == bytes(key)
    assert (list(whole.denied)[:3], whole.sealed, list(whole.allowed)) == ([0, 1, 1], 0b110, [0] * abi.Limit.LAYERS)
    assert (list(way.denied)[:3], way.sealed) == ([0, 0, 0], 0b010)
    assert rules_of(merged)[object_of(1)].named == 1
    made = merging.record((layer(names=said),), 5)
    assert (made.lengths, made.tails, made.patterns, made.commands) == (1 << 5 | 1 << 6, 0, 0, 0)


def test_patterns_are_numbered_over_all_layers() -> None:
    one = ruleset.Pattern("*.pem", 1, "p.toml", 1)
    two = ruleset.Pattern(".env", 1, "p.toml", 1)
    layers = (
        layer(patterns=(one,), trees=(ruleset.Tree(object_of(1), 0, "/x"),)),
        layer(patterns=(one, two), trees=(ruleset.Tree(object_of(1), 1, "/x"), ruleset.Tree(object_of(2), 0, "/y"))),
    )
    merged = merging.merge(layers)
    assert [rules_of(merged)[object_of(number)].trees for number in (1, 2)] == [0b101, 0b010]
    told = [(each.head, each.tail, each.exact, each.tree.ino, list(each.rule.denied)[:2]) for each in merged.patterns]
    assert told == [(0, 4, 0, 1, [1, 0]), (0, 4, 0, 2, [0, 1]), (4, 0, 1, 1, [0, 1])]
    assert merged.patterns[0].tail_hash == names.hash_bytes(b".pem") and merged.patterns[0].head_hash == 0
    made = merging.record(layers, 5)
    assert (made.patterns, made.tails) == (3, 1 << ord("m") % 64 | 1 << ord("v") % 64)


def test_what_is_left_when_a_filesystem_goes_keeps_its_numbers() -> None:
    patterns = (ruleset.Pattern("*.a", 1, "p", 1), ruleset.Pattern("*.b", 1, "p", 2))
    trees = (ruleset.Tree(object_of(1), 0, "/x"), ruleset.Tree(object_of(2), 1, "/y"))
    kept = layer(patterns=patterns, trees=trees).keep({object_of(2)})
    merged = merging.merge((kept,))
    assert {key: rule.trees for key, rule in rules_of(merged).items()} == {object_of(2): 0b10}
    assert [each.tree.ino for each in merged.patterns] == [0, 2]


LISTS = st.lists(st.integers(1, 4), max_size=3, unique=True).map(lambda numbers: tuple(sorted(numbers)))


@given(st.lists(st.lists(st.tuples(LISTS, st.booleans()), max_size=3), min_size=1, max_size=3))
def test_ioctl_commands(rules: list[list[tuple[tuple[int, ...], bool]]]) -> None:
    """What each layer says of a command through its class is what its rules say of the command."""
    layers = [
        layer(
            entries=tuple(
                ruleset.Entry(object_of(1), 0 if denies else IOCTL | 2, IOCTL | 1 if denies else 0, denies, *PLACE, commands)
                for commands, denies in each
            )
        )
        for each in rules
    ]
    merged, made = merging.merge(layers), merging.record(layers, 5)
    rule = rules_of(merged).get(object_of(1), abi.Rule())
    for command, (number, each) in itertools.product(range(6), enumerate(rules)):
        bit = 1 << abi.ActionBit.COMMANDS + merged.commands[command] if command in merged.commands else IOCTL
        assert made.handled[number] & bit
        for denies, masks in ((False, rule.allowed), (True, rule.denied)):
            about = [commands for commands, denied in each if denied == denies]
            assert bool(masks[number] & bit) == any(not commands or command in commands for commands in about)
            # Other actions of the rule are about no command.
            assert bool(masks[number] & (1 if denies else 2)) == bool(about)
    assert bool(made.commands) == bool(merged.commands)


def test_limits() -> None:
    many = tuple(ruleset.Pattern(f"{number}", 1, "p", 1) for number in range(abi.Limit.PATTERNS + 1))
    merging.check((layer(patterns=many[1:]),))
    with pytest.raises(errors.LimitError, match="65 patterns"):
        merging.check((layer(patterns=many[1:]), layer(patterns=many[:1])))
    lists = tuple(
        ruleset.Entry(object_of(1), IOCTL, 0, False, *PLACE, (number,)) for number in range(abi.Limit.COMMAND_CLASSES + 1)
    )
    merging.check((layer(entries=lists[1:]),))
    with pytest.raises(errors.LimitError, match="16 sets of ioctl commands"):
        merging.check((layer(entries=lists),))


def test_permissive_layers() -> None:
    assert merging.record((layer(), layer(permissive=True)), 5).permissive == 0b10
