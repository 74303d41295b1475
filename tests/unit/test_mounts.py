# SPDX-License-Identifier: GPL-2.0-only
"""Mounts beneath what is denied: which denials they inherit."""

from __future__ import annotations

import pytest

from landlock_bpf import mountinfo, mounts, policy
from landlock_bpf.abi import Action
from landlock_bpf.realpaths import Realpaths

NONE = Action(0)
READ, WRITE = Action.READ_FILE, Action.WRITE_FILE


def rule(path: str, allowed: Action, denied: Action) -> policy.Rule:
    return policy.Rule(path, allowed, denied, policy.Location("p", 1))


@pytest.fixture(autouse=True)
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Realpaths, "find", lambda self, path: path)


def inherited(rules: list[policy.Rule], **points: str) -> dict[str, int]:
    """Give the mask that each mount point inherits; mounts are given as device=points with colons between."""
    found = [mountinfo.Mount("ext4", device, "/", point) for device, several in points.items() for point in several.split(":")]
    result = {}
    for point, each in mounts.denials(rules, found, Realpaths()).items():
        for _rule, mask in each:
            result[point] = result.get(point, 0) | mask
    return result


def test_a_mount_beneath_a_denial_inherits_it() -> None:
    assert inherited([rule("/d", NONE, READ)], root="/", x="/d/m", y="/dd/m") == {"/d/m": READ}


def test_the_nearest_rule_decides_for_each_action() -> None:
    rules = [rule("/d", NONE, READ | WRITE), rule("/d/a", READ, NONE)]
    assert inherited(rules, x="/d/a/m") == {"/d/a/m": WRITE}
    assert inherited([*rules, rule("/d/a/m", WRITE, NONE)], x="/d/a/m") == {}


def test_a_denial_on_the_mount_point_is_on_the_mount_itself() -> None:
    assert inherited([rule("/d/m", NONE, READ)], x="/d/m") == {}


def test_what_is_mounted_in_the_open_too_is_left_alone() -> None:
    rules = [rule("/d", NONE, READ | WRITE)]
    assert inherited(rules, x="/d/m:/open") == {}
    assert inherited([*rules, rule("/d/b", READ, NONE)], x="/d/m:/d/b/m") == {"/d/m": WRITE, "/d/b/m": WRITE}


def test_the_root_of_all_as_denied() -> None:
    assert inherited([rule("/", NONE, READ)], root="/", x="/m") == {"/m": READ}


def test_names_hold_on_mounts_with_levels_of_their_own() -> None:
    """No two mounts of which one may lie in the other have the same."""
    given = policy.Rule("/d", NONE, READ, policy.Location("p", 1), names=("x",))
    found = [
        mountinfo.Mount("ext4", device, root, point)
        for device, root, point in (
            ("1", "/", "/"),
            ("2", "/", "/d/m"),
            ("3", "/", "/d/m/n"),
            ("4", "/", "/d/o"),
            ("4", "/part", "/d/p"),
            ("5", "/", "/d/q"),
            ("5", "/", "/open"),
        )
    ]
    levels = {point: level for point, each in mounts.trees([given], found, Realpaths()).items() for _rule, level in each}
    assert levels == {"/d/m": 1, "/d/m/n": 2, "/d/o": 1, "/d/p": 2}
