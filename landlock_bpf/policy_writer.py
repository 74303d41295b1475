# SPDX-License-Identifier: GPL-2.0-only
"""Policies written in our own form, as TOML or as JSON, such that reading gives the same policy again."""

from __future__ import annotations

import json
from typing import Any

from landlock_bpf import abi, action_table, ioctl_commands, policy, policy_actions, policy_format

# Tried in this order, the widest first.
_GROUPS = sorted(policy_actions.GROUPS.items(), key=lambda group: -int(group[1]).bit_count())
_NAME = "name"
# JSON's escapes are TOML's too, but for the one byte that JSON leaves as it is.
_DELETE = {0x7F: "\\u007f"}

Table = dict[str, Any]


def write(made: policy.Policy, *, json_spelling: bool) -> str:
    """Write a policy as TOML, or as JSON with its spelling of the keys."""
    document = _document(made)
    if json_spelling:
        return json.dumps(_spelt(document, policy_format.KEYS), indent=2, ensure_ascii=False) + "\n"
    lines = [f"{key} = {_toml(value)}" for key, value in document.items() if not _is_tables(value)]
    for key, value in document.items():
        for table in value if _is_tables(value) else ():
            lines += ["", f"[[{key}]]", *(f"{inner} = {_toml(part)}" for inner, part in table.items())]
    return "\n".join(lines) + "\n"


def _document(made: policy.Policy) -> Table:
    document: Table = {}
    if made.name.isprintable() and 0 < len(made.name.encode(errors="surrogateescape")) <= policy_format.NAME_MAX:
        document["name"] = made.name
    # What is ruled is handled, and not only because some rule denies it: as policy.from_source() has it.
    denied = permitted = policy.NOTHING
    for rule in made.rules:
        denied |= rule.denied
        permitted |= rule.allowed
    if made.default == "allow":
        document["default"] = "allow"
        ruled = made.handled & ~denied & ~(permitted & action_table.WITHHELD)
    else:
        ruled = made.handled & ~made.left
        if ruled:
            document["default"] = "deny"
        if ruled == policy_actions.CLASSIC:
            ruled = policy.NOTHING  # what "deny" means by itself
    if made.permissive:
        document["mode"] = "permissive"
    if ruled:
        document["ruleset"] = [{"handled_access_fs": _words(ruled, action_table.EVERY, policy.NOTHING)}]
    if rules := _rules(made):
        document["path_beneath"] = rules
    return document


def _rules(made: policy.Policy) -> list[Table]:
    """Write the rules, those alike but for their path as one table."""
    tables: dict[object, Table] = {}
    for rule in made.rules:
        if not (rule.allowed or rule.denied):
            continue
        alike = rule.allowed, rule.denied, rule.explicit, rule.names, rule.commands
        if alike in tables:
            tables[alike]["parent"].append(_escaped(rule.path))
            continue
        table: Table = {}
        if rule.allowed:
            table["allowed_access"] = _permission(made, rule)
        if rule.denied:
            table["denied_access"] = _words(rule.denied, action_table.EVERY, rule.explicit)
        if rule.names:
            table[_NAME] = [*rule.names]
        if rule.commands:
            table["ioctl_commands"] = _commands(rule.commands)
        table["parent"] = [_escaped(rule.path)]
        tables[alike] = table
    return [*tables.values()]


def _permission(made: policy.Policy, rule: policy.Rule) -> list[str]:
    """Name what a rule allows, in words that make nothing handled which else would not be: see policy_reader.Words."""
    ruled = made.handled & ~made.left
    if made.default == "deny" and not policy_actions.CLASSIC & ~ruled and not action_table.ALL & made.handled & ~rule.allowed:
        return ["all", *action_table.names(rule.allowed & (rule.explicit | ~action_table.ALL))]
    # Under "allow", what is not handled is left out where the policy is read.
    return _words(rule.allowed, made.handled if made.default == "allow" else action_table.EVERY, rule.explicit)


def _words(actions: abi.Action, fitting: abi.Action, explicit: abi.Action) -> list[str]:
    """Name actions, singly those that were, the others by groups as far as these have nothing else that fits."""
    left = actions & ~explicit
    words = []
    for word, group in _GROUPS:
        if group & left and not group & fitting & ~actions:
            words.append(word)
            left &= ~group
    return [*words, *action_table.names(actions & explicit | left)]


def _commands(commands: tuple[int, ...]) -> list[str | int]:
    """Name commands by names that stand for no other, else by their numbers."""
    words: dict[str | int, None] = {}
    for command in commands:
        name = ioctl_commands.name(command)
        words[name if set(ioctl_commands.COMMANDS.get(name, [-1])) <= set(commands) else command] = None
    return [*words]


def _escaped(path: str) -> str:
    return path.replace("$", "$$")


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and isinstance(value[0], dict)


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).translate(_DELETE)


def _spelt(table: Table, keys: tuple[policy_format.Key, ...]) -> dict[str, object]:
    by_name = {key.name: key for key in keys}
    spelt: dict[str, object] = {}
    for name, value in table.items():
        key = by_name[name]
        spelt[key.spelt(True)] = [_spelt(part, key.keys) for part in value] if _is_tables(value) else value
    return spelt
