# SPDX-License-Identifier: GPL-2.0-only
"""The decision (bpf/decide.h), built for this machine, says what a small oracle says."""

from __future__ import annotations

import ctypes
import dataclasses
import enum
import itertools
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Mount, Rule, Walk, allows

from landlock_bpf import abi, compiler, names, ruleset

LAYERS = int(abi.Limit.LAYERS)
ACTIONS = 4  # as good as 64: no action knows of another
ASKED = (1 << ACTIONS) - 1


class Step(enum.IntEnum):
    """enum step_kind of decide.c."""

    OBJECT = 0
    HIDDEN = 1
    OWN_BEGIN = 2
    OWN = 3


def steps(walk: Walk) -> list[tuple[Step, Rule]]:
    """List what walk.h would tell decide.h."""
    nothing = Rule((0,) * LAYERS, (0,) * LAYERS)
    found = []
    for number, mount in enumerate(walk.mounts):
        for position, rule in enumerate(mount.objects):
            found.append((Step.HIDDEN if number and not position else Step.OBJECT, rule))
        if mount.own:
            found.append((Step.OWN_BEGIN, nothing))
            found += [(Step.OWN, rule) for rule in mount.own]
    return found


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    target = tmp_path_factory.mktemp("decide") / "decide.so"
    source = Path(__file__).with_name("decide.c")
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover"]
    subprocess.run([*command, "-I", compiler.source_dir(), source, "-o", target], check=True)
    loaded = ctypes.CDLL(str(target))
    loaded.walk_steps.restype = ctypes.c_uint64
    pointer, word = ctypes.c_void_p, ctypes.c_uint32
    loaded.walk_steps.argtypes = [pointer, pointer, ctypes.c_uint64, pointer, pointer, word, word]
    loaded.bit.restype = ctypes.c_uint64
    loaded.bit.argtypes = [ctypes.c_uint64, word]
    loaded.gain.restype = ctypes.c_uint32
    loaded.gain.argtypes = [pointer, pointer, ctypes.c_uint64, word]
    loaded.hash.restype = loaded.mix.restype = ctypes.c_uint64
    loaded.hash.argtypes, loaded.mix.argtypes = [ctypes.c_char_p, word], [ctypes.c_uint64] * 2
    return loaded


def decide(library: ctypes.CDLL, walk: Walk) -> abi.Decision:
    """Let decide.h walk."""
    layers = len(walk.handled)
    ruleset = abi.Ruleset(serial=1, layers=layers)
    ruleset.default_allow[:layers] = walk.default_allow
    ruleset.handled[:layers] = walk.handled
    told = steps(walk)
    kinds = (ctypes.c_uint32 * len(told))(*(kind for kind, _ in told))
    rules = (abi.Rule * len(told))()
    for target, (_, rule) in zip(rules, told):
        target.allowed[: len(rule.allowed)] = rule.allowed
        target.denied[: len(rule.denied)] = rule.denied
    decision = abi.Decision()
    lost = int(abi.Reason.DISCONNECTED) if walk.lost else 0
    library.walk_steps(ctypes.byref(decision), ctypes.byref(ruleset), ASKED, kinds, rules, len(told), lost)
    return decision


def agree(library: ctypes.CDLL, walk: Walk) -> None:
    decision = decide(library, walk)
    for layer in range(len(walk.handled)):
        expected = sum(1 << action for action in range(ACTIONS) if not allows(walk, layer, 1 << action))
        assert decision.refused[layer] == expected, (walk, layer)
    assert bool(decision.denied) == any(decision.refused[: len(walk.handled)])
    if decision.denied:
        assert decision.refused[decision.layer], "the layer that is reported refused something"


masks = st.integers(0, ASKED)


def walks(layers: int) -> st.SearchStrategy[Walk]:
    each = st.tuples(*[masks] * layers)
    rules = st.builds(Rule, each, each)
    mounts = st.builds(Mount, st.lists(rules, min_size=1, max_size=4).map(tuple), st.lists(rules, max_size=3).map(tuple))
    return st.builds(Walk, st.lists(mounts, min_size=1, max_size=3).map(tuple), each, each, st.booleans())


@given(st.integers(1, LAYERS).flatmap(walks))
def test_random_walks(library: ctypes.CDLL, walk: Walk) -> None:
    agree(library, walk)


def test_all_small_walks(library: ctypes.CDLL) -> None:
    """One layer, one action: every combination of rules on two objects, a hidden one and two of the own way."""
    choices = [Rule((allowed,), (denied,)) for allowed in (0, 1) for denied in (0, 1)]
    count = 0
    for first, second, hidden, own, further in itertools.product(choices, repeat=5):
        mounts = (Mount((first, second), (own, further)), Mount((hidden, first)))
        for handled, default, lost in itertools.product((0, 1), (0, 1), (False, True)):
            agree(library, Walk(mounts, (handled,), (default,), lost))
            count += 1
    assert count == 4**5 * 8


@given(
    st.integers(1, LAYERS).flatmap(
        lambda layers: st.tuples(walks(layers), walks(layers), masks, st.integers(0, (1 << layers) - 1))
    )
)
def test_gain(library: ctypes.CDLL, case: tuple[Walk, Walk, int, int]) -> None:
    source, destination, scope, skip = case
    destination = dataclasses.replace(destination, handled=source.handled, default_allow=source.default_allow)
    there = decide(library, destination)
    gained = library.gain(ctypes.byref(decide(library, source)), ctypes.byref(there), scope, skip)
    gaining = [
        layer
        for layer in range(len(source.handled))
        if not skip >> layer & 1
        for action in range(ACTIONS)
        if scope >> action & 1 and not allows(source, layer, 1 << action) and allows(destination, layer, 1 << action)
    ]
    assert bool(gained) == bool(gaining)
    if gaining:
        assert there.layer == gaining[0]


@given(st.binary(max_size=names.LONGEST), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_hashes_of_names(library: ctypes.CDLL, name: bytes, one: int, two: int) -> None:
    assert library.hash(name, len(name)) == names.hash_bytes(name)
    assert library.mix(one, two) == names.mix(one, two)


@given(st.integers(0, 2**64 - 1), st.integers(0, int(abi.Limit.RULESETS) - 1))
def test_filter_bit(library: ctypes.CDLL, ino: int, index: int) -> None:
    assert library.bit(ino, index) == ruleset.filter_bits([ino], index)[0]


def test_mutations_are_seen(library: ctypes.CDLL) -> None:
    """The nearest rule decides, and a denial beats a permission on one object: the oracle is not blind to either."""
    allow, deny, both = Rule((1,), (0,)), Rule((0,), (1,)), Rule((1,), (1,))
    for objects, refused in (((allow, deny), 0), ((deny, allow), 1), ((both,), 1), ((), 1)):
        walk = Walk((Mount(objects or (Rule((0,), (0,)),)),), (1,), (0,))
        assert decide(library, walk).refused[0] == refused
