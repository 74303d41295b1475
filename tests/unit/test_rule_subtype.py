# SPDX-License-Identifier: GPL-2.0-only
"""Subtypes: what v7 took when a rule was loaded is taken, all else is a mistake that is told."""

from __future__ import annotations

import struct

import hypothesis
import pytest
from hypothesis import strategies

from landlock_bpf import rule_subtype
from landlock_bpf.abi import Event


def check(
    abi: int, event: int, ability: int = 0, option: int = 0, *, tail: bool = False
) -> tuple[rule_subtype.Subtype | None, list[str]]:
    data = struct.pack("=IIQQ", abi, event, ability, option)
    found, problems = rule_subtype.check(data, tail=tail, file="r.c", line=3, variable="s")
    return found, list(map(str, problems))


@pytest.mark.parametrize("event", [event for event in Event if event])
@pytest.mark.parametrize("debug", [False, True])
def test_what_is_legal(event: Event, debug: bool) -> None:
    assert check(1, event, int(debug)) == (rule_subtype.Subtype(event, debug), [])


EVENTS = (
    "legal are LANDLOCK_SUBTYPE_EVENT_FS (1), LANDLOCK_SUBTYPE_EVENT_FS_IOCTL (2), LANDLOCK_SUBTYPE_EVENT_FS_LOCK (3), "
    "LANDLOCK_SUBTYPE_EVENT_FS_FCNTL (4)"
)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0, 1), "r.c:3: s.landlock_rule.abi: is 0; the only one there ever was is 1"),
        ((2, 1), "r.c:3: s.landlock_rule.abi: is 2; the only one there ever was is 1"),
        ((1, 0), f"r.c:3: s.landlock_rule.event: is 0 or missing; {EVENTS}"),
        ((1, 5), f"r.c:3: s.landlock_rule.event: is 5; {EVENTS}"),
        (
            (1, 1, 3),
            "r.c:3: s.landlock_rule.ability: is 0x3, with unknown bits 0x2; legal are 0 and LANDLOCK_SUBTYPE_ABILITY_DEBUG (1)",
        ),
        ((1, 1, 0, 1), "r.c:3: s.landlock_rule.option: is 0x1; legal is 0: no option was ever defined"),
    ],
)
def test_each_mistake_is_told(values: tuple[int, ...], said: str) -> None:
    assert check(*values) == (None, [said])


def test_all_mistakes_are_told_together() -> None:
    found, problems = check(7, 7, 6, 7, tail=True)
    assert found is None
    assert [problem.split()[1] for problem in problems] == [
        *(f"s.landlock_rule.{field}:" for field in ("abi", "event", "ability", "option")),
        "s:",
    ]


def test_a_tail_may_be_zero_alone() -> None:
    assert check(1, 1, tail=False)[0]
    assert check(1, 1, tail=True)[1] == [
        "r.c:3: s: is longer than 24 bytes, and not zero there; nothing is known of what it asks for"
    ]


@hypothesis.given(strategies.binary(max_size=rule_subtype.SIZE), strategies.booleans())
def test_whatever_it_is_it_is_taken_or_told(data: bytes, tail: bool) -> None:
    found, problems = rule_subtype.check(data, tail=tail, file="r.c", line=3, variable="s")
    assert (found is None) == bool(problems)
