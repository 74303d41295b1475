# SPDX-License-Identifier: GPL-2.0-only
"""What forms of other tools can say of a policy: permissions alone, of Landlock's rights, and in some only whole sets of them.

Never more is allowed on a path than the policy allows there; but what it denies beneath an allowed directory is lost, for no
such form has denials. What the loss comes to is seen by comparing the policy with what was written.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from landlock_bpf import abi, action_table, policy, policy_difference, policy_upstream
from landlock_bpf.policy_difference import ROOT, Verdict


def single_rights(made: policy.Policy) -> policy.Policy | None:
    """Keep what a form can say that handles some of Landlock's rights and allows them one by one; None if nothing is left."""
    rights = policy.NOTHING
    for right in policy_upstream.RIGHTS.values():
        rights |= right
    # What is allowed where no rule decides can only be left alone.
    handled = made.handled & ~made.default_allow & rights
    if not handled:
        return None
    said: dict[str, tuple[abi.Action, abi.Action]] = {}
    for rule in made.rules:
        if not rule.names:
            allowed, denied = said.get(rule.path, (policy.NOTHING, policy.NOTHING))
            said[rule.path] = allowed | rule.allowed, denied | rule.denied
    location = policy.Location(made.source, 0)
    rules = [
        policy.Rule(path, allowed & ~denied & handled, policy.NOTHING, location) for path, (allowed, denied) in said.items()
    ]
    kept = tuple(rule for rule in rules if rule.allowed)
    return policy.Policy(made.name, handled, "deny", kept, made.source)


def cover(made: policy.Policy, sets: Mapping[str, abi.Action], separator: str) -> dict[str, list[str]]:
    """Find for each of a form's sets of rights the paths where the policy allows all of it; no path may have `separator`."""
    places: dict[str, tuple[str, ...]] = {ROOT: ()}
    for path in sorted({rule.path for rule in made.rules if not rule.names}, key=policy_difference.order):
        places[path] = ()
    covered: dict[str, list[str]] = {name: [] for name in sets}
    granted: dict[str, int] = {}
    for (path, _), masks in policy_difference.verdicts(made, places).items():
        have = granted.get(policy_difference.nearest(path, granted), 0)
        free = masks[Verdict.ALLOWED] | masks[Verdict.LEFT]
        fit = int(action_table.FILE) if _is_file(path) else -1
        usable = {
            name: int(rights) & fit for name, rights in sets.items() if separator not in path and not rights & fit & ~free
        }
        while gains := {name: (have | rights).bit_count() for name, rights in usable.items() if rights & ~have}:
            # Of those that give most, the one that says least again.
            best = max(gains, key=lambda name: (gains[name], -usable[name].bit_count()))
            covered[best].append(path)
            have |= usable[best]
        granted[path] = have
    return covered


def on_this_host(made: policy.Policy) -> policy.Policy:
    """Leave out of the rules on files what is asked of directories alone, as other tools must have it."""
    fitting = {rule.path: action_table.FILE if _is_file(rule.path) else action_table.EVERY for rule in made.rules}
    rules = tuple(
        dataclasses.replace(rule, allowed=rule.allowed & fitting[rule.path], denied=rule.denied & fitting[rule.path])
        for rule in made.rules
    )
    return dataclasses.replace(made, rules=rules)


def _is_file(path: str) -> bool:
    return path != ROOT and os.path.exists(path) and not os.path.isdir(path)
