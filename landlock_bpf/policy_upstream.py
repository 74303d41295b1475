# SPDX-License-Identifier: GPL-2.0-only
"""What the forms of other Landlock tools have in common: Landlock's own rights, one by one, and nothing of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from landlock_bpf import abi, action_table, policy, policy_actions, policy_source
from landlock_bpf.policy_format import Leaf
from landlock_bpf.policy_reader import Reader

RIGHTS = {row.name: row.action for row in action_table.ACTIONS if row.landlock_abi is not None}


def rights(reader: Reader, leaves: Iterable[Leaf], dash: str = "_") -> abi.Action:
    """Add up rights, spelt with `dash` between their words; each other word is reported."""
    known = {name.replace("_", dash): action for name, action in RIGHTS.items()}
    union = policy.NOTHING
    for leaf in leaves:
        word = str(leaf.value)
        if word in known:
            union |= known[word]
        elif word.replace(dash, "_") in policy_actions.WORDS:
            what = f"{policy_source.quote(word)} is no right of Landlock's, and this form has no other"
            reader.wrong(leaf, what, "name Landlock's rights, or write a policy in TOML")
        else:
            what = f"{policy_source.quote(word)} is not a right on files"
            reader.wrong(leaf, what, policy_actions.suggestion(word, known))
    return union


def spell(actions: abi.Action, dash: str = "_") -> list[str]:
    """Name the rights of a mask in Landlock's order."""
    return [name.replace("_", dash) for name, action in RIGHTS.items() if actions & action]


def report_strays(reader: Reader, handled: abi.Action, rules: Iterable[policy.Rule], remedy: str, dash: str = "_") -> None:
    """Report rights that rules name and nothing handles; in the remedy {} stands for them."""
    for rule in rules:
        if stray := ",".join(spell(rule.allowed & ~handled, dash)):
            what = f"the rule on {rule.path} names {stray}, which the policy does not handle"
            reader.problems.append(rule.problem(what, remedy.format(stray)))


def finish(reader: Reader, handled: abi.Action, rules: Sequence[policy.Rule]) -> policy.Policy:
    """Make the policy, which denies what it handles and no rule allows; raises PolicyError with every problem found."""
    if reader.problems:
        raise policy.UnfitError(reader.problems, rules, reader.file)
    return policy.Policy(Path(reader.file).stem, handled, "deny", tuple(rules), reader.file)
