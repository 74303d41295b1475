# SPDX-License-Identifier: GPL-2.0-only
"""A policy in words, for a person."""

from __future__ import annotations

from landlock_bpf import abi, action_table, ioctl_commands, policy, policy_actions, terminal


def describe(told: policy.Policy) -> str:
    """Tell a policy in a few lines: what is handled, what holds by default, each rule with its place."""
    ruled = action_table.EVERY & ~told.left_alone
    rest = "denied" if told.default == "deny" else "allowed"
    left = told.default_allow & told.handled if told.default == "deny" else policy.NOTHING
    lines = [f"policy {told.name} ({told.source})"]
    if told.permissive:
        lines.append("  mode        permissive: nothing is denied; what would be is reported")
    lines += [
        f"  handled     {policy_actions.summary(ruled & (told.handled | ~action_table.WITHHELD))}",
        f"  left alone  {policy_actions.summary(told.left_alone)}",
        f"  default     {told.default}: a handled action is {rest} where no rule names it",
    ]
    if left:
        lines.append(f"  allowed     {policy_actions.summary(left)}, where no rule denies it")
    allowed = policy.NOTHING
    for rule in told.rules:
        allowed |= rule.allowed
    if nowhere := ruled & ~allowed & ~told.default_allow & ~action_table.WITHHELD:
        lines.append(f"  denied      {policy_actions.summary(nowhere)}, everywhere: no rule allows it")
    if withheld := action_table.WITHHELD & ~allowed:
        lines.append(f"  withheld    {policy_actions.summary(withheld)}, as by every policy: no rule names it")
    lines.append(f"  rules       {len(told.rules) or 'none'}")
    lines += [f"    {rule.path}  {words_of(rule)}  ({rule.location})" for rule in told.rules]
    return "\n".join(map(terminal.shown, lines))


def words_of(rule: policy.Rule) -> str:
    """Say what a rule allows and denies."""
    words = [f"allow {_actions(rule, rule.allowed)}"] if rule.allowed else []
    if rule.denied:
        words.append(f"deny {_actions(rule, rule.denied)}{' of ' + ', '.join(rule.names) + ' beneath' if rule.names else ''}")
    return "; ".join(words) or "changes nothing"


def _actions(rule: policy.Rule, actions: abi.Action) -> str:
    if not (rule.commands and actions & abi.Action.IOCTL):
        return policy_actions.summary(actions)
    only = f"ioctl ({', '.join(ioctl_commands.names(rule.commands))})"
    others = actions & ~abi.Action.IOCTL
    return ", ".join((policy_actions.summary(others), only)) if others else only
