# SPDX-License-Identifier: GPL-2.0-only
"""The JSON schema of policy files, made from the grammar.

After a change to that: python3 -m landlock_bpf.policy_schema > landlock_bpf/policy.schema.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from landlock_bpf import action_table, ioctl_commands, names, policy_actions, policy_format
from landlock_bpf.policy_format import Key, Kind

Schema = dict[str, object]

_SCALARS: Mapping[Kind, Schema] = {
    Kind.ABI: {"type": "integer", "minimum": 1, "maximum": policy_format.ABI_MAX},
    Kind.NAME: {"type": "string", "minLength": 1, "maxLength": policy_format.NAME_MAX},
    Kind.VARIABLE: {"type": "string", "pattern": f"^{policy_format.VARIABLE_NAME.pattern}$"},
    Kind.DEFAULT: {"type": "string", "enum": ["deny", "allow"]},
    Kind.MODE: {"type": "string", "enum": ["enforcing", "permissive"]},
}
_PLAIN = r"(?:[^*?\[{\\/\u0000]|\\[*?\[{\\])"
_ITEMS: Mapping[Kind, Schema] = {
    Kind.ACTIONS: {"$ref": "#/definitions/action"},
    Kind.STRINGS: {"type": "string"},
    # At most one *, and more than that; no / and no NUL; what a shell takes for more than itself only with a backslash.
    Kind.PATTERNS: {
        "type": "string",
        "pattern": rf"^(?!\*?$)(?!\.\.?$)(?=(?:{_PLAIN}|\*){{1,{names.LONGEST}}}$){_PLAIN}*\*?{_PLAIN}*$",
    },
    Kind.COMMANDS: {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": ioctl_commands.MOST},
            {"type": "string", "enum": list(ioctl_commands.COMMANDS)},
        ]
    },
}


def schema() -> Schema:
    """Build the schema; TOML's spelling of the keys or JSON's, never both in one file."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "landlock-bpf policy",
        "description": "What a sandbox may do to files: landlockconfig's format without network and scopes, and more.",
        "definitions": {
            "action": {
                "description": "An access right under Landlock's name, or a group: "
                + "; ".join(f"{word} = {', '.join(action_table.names(mask))}" for word, mask in policy_actions.GROUPS.items())
                + ". Groups named abi.* hold what the file's abi knows. `execute` is a right and a group of its own.",
                "type": "string",
                "enum": list(policy_actions.WORDS),
            },
            "toml": _table(policy_format.KEYS, json_spelling=False),
            "json": _table(policy_format.KEYS, json_spelling=True),
        },
        "anyOf": [{"$ref": "#/definitions/toml"}, {"$ref": "#/definitions/json"}],
    }


def _table(keys: tuple[Key, ...], any_of: tuple[str, ...] = (), *, json_spelling: bool) -> Schema:
    enforced = [key for key in keys if key.kind is not Kind.NOT_YET]
    table: Schema = {
        "type": "object",
        "properties": {key.spelt(json_spelling): _value(key, json_spelling=json_spelling) for key in enforced},
        "additionalProperties": False,
    }
    if required := [key.spelt(json_spelling) for key in enforced if key.required]:
        table["required"] = required
    if any_of:
        table["anyOf"] = [{"required": [key.spelt(json_spelling)]} for key in enforced if key.name in any_of]
    return table


def _value(key: Key, *, json_spelling: bool) -> Schema:
    if key.kind in _SCALARS:
        return {"description": key.doc, **_SCALARS[key.kind]}
    items = _ITEMS.get(key.kind) or _table(key.keys, key.any_of, json_spelling=json_spelling)
    return {"description": key.doc, "type": "array", "minItems": 1, "items": items}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
