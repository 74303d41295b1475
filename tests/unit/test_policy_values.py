# SPDX-License-Identifier: GPL-2.0-only
"""Policies made of values, by no file: what fits none is refused, and how long a path may be."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from action_groups import NOTHING, READ

from landlock_bpf import abi, errors, policy
from landlock_bpf.abi import Action

LOCATION = policy.Location("x.py", 1)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"default": "maybe"}, "neither deny nor allow"),
        ({"handled": NOTHING, "rules": ()}, "handles no action"),
        ({"handled": READ | Action(1 << 60)}, "x.py: handled: 0x1000000000000000 is no action; leave it out"),
        ({"rules": (policy.Rule("/a", READ | Action(1 << 60), NOTHING, LOCATION),)}, "x.py:1: 0x1000000000000000 is no"),
        ({"rules": (policy.Rule("a", READ, NOTHING, LOCATION),)}, "not an absolute path"),
        ({"rules": (policy.Rule("/a", NOTHING, Action.EXECUTE, LOCATION),)}, "does not handle"),
        ({"rules": (policy.Rule("/a", READ, NOTHING, LOCATION, names=("x",)),)}, "names only deny"),
        ({"rules": (policy.Rule("/a", READ, NOTHING, LOCATION, commands=(1,)),)}, "neither allows nor denies ioctl"),
        (
            {"rules": (policy.Rule("/a", READ, NOTHING, LOCATION),) * (abi.Limit.RULES + 1)},
            "has more rules than the 10000 of a policy",
        ),
    ],
)
def test_values_that_fit_no_policy(parts: dict[str, object], words: str) -> None:
    good = policy.Policy("x", READ, "deny", (policy.Rule("/a", READ, NOTHING, LOCATION),), "x.py")
    with pytest.raises(errors.PolicyError, match=words):
        dataclasses.replace(good, **parts)


def ruling(**words: Any) -> policy.Policy:
    """Make a policy of one rule, of values."""
    said = {"path": "/a", "allowed": NOTHING, "denied": READ | Action.IOCTL, "location": LOCATION, **words}
    return policy.Policy("x", READ | Action.IOCTL, "deny", (policy.Rule(**said),), "x.py")


@pytest.mark.parametrize("name", ["", "*", "a*b*c", "a/b", "..", "a\0", "\ud800", "x" * 256])
def test_values_that_are_no_pattern(name: str) -> None:
    with pytest.raises(errors.PolicyError, match="^x.py:1: '.*; write a name with one [*] at most"):
        ruling(names=("*.pem", name))


@pytest.mark.parametrize("command", [-1, 1 << 32, "TIOCSTI"])
def test_values_that_are_no_command(command: object) -> None:
    with pytest.raises(errors.PolicyError, match=f"^x.py:1: {command!r} is no ioctl command; write a number from 0 to 0xff"):
        ruling(commands=(7, command))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/a\0b", r"'/a\\x00b' has a NUL in it; no path on Linux can"),
        ("/\ud800", r"'/\\ud800' has half of a UTF-16 pair in it; write the"),
        ("/" + "a/" * 2048, r"'/a/a/[a/]*\.\.\. is longer than the 4095 bytes of a path; name a directory above it"),
    ],
)
def test_values_that_are_no_path(path: str, words: str) -> None:
    with pytest.raises(errors.PolicyError, match=f"^x.py:1: {words}"):
        ruling(path=path)


def test_a_path_may_be_as_long_as_the_kernel_takes(load) -> None:
    path = "/" + "a" * 4094
    assert ruling(path=path).rules[0].path == path
    text = '[[path_beneath]]\nallowed_access = ["read"]\nparent = ["%s"]'
    assert load(text % path).rules[0].path == path
    what = (
        r":3: path_beneath\[0\].parent\[0\]: '/a{75}\.\.\. is longer than the 4095 bytes of a path; name a directory above it$"
    )
    with pytest.raises(errors.PolicyError, match=what):
        load(text % f"{path}a")
