# SPDX-License-Identifier: GPL-2.0-only
"""Learned rules as a policy of their own, or at the end of the text of another one, which stays as it was reviewed."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from landlock_bpf import abi, action_table, errors, policy, policy_forms, policy_source, policy_writer, terminal

ALWAYS = abi.Action.REFER | action_table.WITHHELD  # what every policy handles
_FIRST_RULE = "\n[[path_beneath]]"


class Reviewed(NamedTuple):
    """A policy to add to: what it says, and the TOML in which it does."""

    said: policy.Policy
    text: str


def read(path: Path, environ: Mapping[str, str]) -> Reviewed:
    """Read a policy once for all, whoever writes to it later: TOML as it is, any other form rewritten as TOML."""
    if str(path) == policy_forms.ENVIRONMENT:
        said, is_toml, text = policy_forms.load(path, environ), False, ""
    else:
        text = policy_source.read_text(path)
        said, is_toml = policy_forms.parse(text, path, environ), policy_forms.is_toml(text, path)
    return Reviewed(said, text if is_toml else policy_writer.write(said, json_spelling=False))


def compose(command: Iterable[str], rules: tuple[policy.Rule, ...], base: policy.Policy, reviewed: Reviewed | None) -> str:
    """Write the policy that rules on what `base` does: that of the rules alone, or the reviewed text with them at its end."""
    line = f"# Learned from: {terminal.shown(shlex.join(command))}\n"
    if reviewed and not rules:
        return reviewed.text
    written = policy_writer.write(with_rules(base, rules), json_spelling=False)
    if not reviewed:
        return line + written
    return f"{reviewed.text.rstrip()}\n\n{line}{written[written.index(_FIRST_RULE) + 1 :]}"


def check(text: str, path: Path, base: policy.Policy, reviewed: Reviewed | None, environ: Mapping[str, str]) -> None:
    """Raise Error unless a text to be written to `path` is a policy that rules on the same, after all that was reviewed."""
    made = policy_forms.parse(text, path, environ)
    if _rules_on(made) != _rules_on(base):
        raise errors.Error(f"what was learned would change what {path} rules on; write the rules by hand")
    before = policy_forms.parse(reviewed.text, path, environ).rules if reviewed else ()
    if made.rules[: len(before)] != before:
        raise errors.Error(f"what was learned would change the first {len(before)} rules of {path}; write the rules by hand")


def try_out(path: Path, base: policy.Policy, reviewed: Reviewed | None, environ: Mapping[str, str]) -> None:
    """Raise Error if no rule could be added, whatever it is: before a run that would be for nothing."""
    allowed = base.handled & ~base.default_allow | abi.Action.MOUNT
    rule = policy.Rule("/", allowed, policy.NOTHING, policy.Location("learned", 1))
    try:
        check(compose((), (rule,), base, reviewed), path, base, reviewed, environ)
    except errors.PolicyError as error:
        what = "no rule can be added; write path_beneath = [{ ... }] as [[path_beneath]], and leave room for rules"
        raise errors.Error(f"{base.source}: {what}\n{error}") from error


def with_rules(base: policy.Policy, rules: tuple[policy.Rule, ...]) -> policy.Policy:
    """Give the policy with these rules instead of its own."""
    handled = base.handled
    for rule in rules:
        handled |= rule.allowed  # what every policy handles, named or not, as mount
    return dataclasses.replace(base, handled=handled, rules=rules)


def _rules_on(one: policy.Policy) -> tuple[abi.Action, abi.Action]:
    """Say what it handles and allows by default, what every policy handles left out."""
    return one.handled & ~ALWAYS, one.default_allow & ~ALWAYS
