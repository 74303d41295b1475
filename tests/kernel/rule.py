# SPDX-License-Identifier: GPL-2.0-only
"""Rules and policies as tests write them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from landlock_bpf import abi, policy

# The fixture attach(*policies, cgroup=): gives the name of the domain it made.
Attach = Callable[..., str]
NOTHING = abi.Action(0)
_lines = itertools.count(1)


def allow(path: Path | str, actions: abi.Action) -> policy.Rule:
    return policy.Rule(str(path), actions, NOTHING, policy.Location("test", next(_lines)), NOTHING)


def deny(path: Path | str, actions: abi.Action) -> policy.Rule:
    return policy.Rule(str(path), NOTHING, actions, policy.Location("test", next(_lines)), NOTHING)


def make(handled: abi.Action, *rules: policy.Rule, default: str = "deny", name: str = "test") -> policy.Policy:
    return policy.Policy(name, handled, default, rules, "test")
