# SPDX-License-Identifier: GPL-2.0-only
"""The grammar of a policy file: which keys there are, of which type, and what each means.

Plain checks over one table rather than pydantic (0.15 s to import and build its models, a bare Python starts in 0.01 s)
or msgspec (stops at the first error); the JSON schema is made from the same table (policy_schema.py).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from landlock_bpf import abi, policy_actions, policy_source
from landlock_bpf.policy_source import Place, Source

VARIABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# The width of upstream's integer.
ABI_MAX = (1 << 31) - 1
# A policy's name may become a domain's, which ends with a 0.
NAME_MAX = abi.Limit.NAME - 1


class Kind(enum.Enum):
    """The type of a value, as a message names it."""

    ABI = f"an integer from 1 to {ABI_MAX}"
    NAME = f"a printable string of 1 to {NAME_MAX} bytes"
    VARIABLE = "a name: an ASCII letter, then letters, digits and _"
    DEFAULT = '"deny" or "allow"'
    MODE = '"enforcing" or "permissive"'
    ACTIONS = "an array of action names"
    PATTERNS = "an array of names, each with one * at most"
    COMMANDS = "an array of ioctl commands: names or numbers"
    STRINGS = "an array of strings"
    TABLES = "an array of tables"
    NOT_YET = "not enforced yet"


class Key(NamedTuple):
    """One key of a table: `name` as TOML spells it, `doc` for the schema.

    For an array of tables `keys` are the keys of each, of which one of `any_of` must be there.
    """

    name: str
    kind: Kind
    doc: str
    required: bool = False
    keys: tuple[Key, ...] = ()
    any_of: tuple[str, ...] = ()

    def spelt(self, json: bool) -> str:
        """Spell the name as the file's format does: allowed_access in TOML, allowedAccess in JSON."""
        if not json:
            return self.name
        first, *rest = self.name.split("_")
        return first + "".join(word.capitalize() for word in rest)


NETWORK = "is not enforced: the network is not ruled yet"
SCOPES = "is not enforced: signals and abstract Unix sockets are not ruled yet"
INSTEAD = "use Landlock itself for this part"
REMOVE = f"remove it, or {INSTEAD}"
KEYS = (
    Key("abi", Kind.ABI, "The Landlock ABI that the groups abi.* are cut for; 5 has all 16 rights on files."),
    Key("name", Kind.NAME, "What to call the policy; else the file's name without its suffix."),
    Key(
        "default",
        Kind.DEFAULT,
        'What holds for a handled action where no rule decides. "deny" also handles Landlock\'s 16 rights if no ruleset says '
        'which; "allow" handles what some rule denies. Without this key: deny, and handled is what the rulesets and rules '
        "name, as in landlockconfig. What only denied_access names is allowed where no rule decides.",
    ),
    Key(
        "mode",
        Kind.MODE,
        'With "permissive" the policy denies nothing: what it would deny is reported. Without this key: enforcing.',
    ),
    Key(
        "variable",
        Kind.TABLES,
        "Values for ${name} in parent. The same name again adds values; a name of the file hides a built-in one.",
        keys=(
            Key("name", Kind.VARIABLE, "The name, an ASCII letter and then letters, digits and _.", required=True),
            Key("literal", Kind.STRINGS, "The values, taken literally; a parent is used once with each."),
        ),
    ),
    Key(
        "ruleset",
        Kind.TABLES,
        "Which actions the policy rules on; several add up, and what the rules name is added, and refer always. Others are "
        "left alone.",
        keys=(
            Key("handled_access_fs", Kind.ACTIONS, "The handled actions.", required=True),
            Key("handled_access_net", Kind.NOT_YET, NETWORK),
            Key("scoped", Kind.NOT_YET, SCOPES),
        ),
    ),
    Key(
        "path_beneath",
        Kind.TABLES,
        "A rule on files, and on directories with all beneath them. The nearest rule that names an action decides; "
        "on one object a denial wins.",
        keys=(
            Key("allowed_access", Kind.ACTIONS, "Actions that are allowed there."),
            Key(
                "denied_access",
                Kind.ACTIONS,
                "Actions that are denied there, below an allowed directory too. Not in landlockconfig.",
            ),
            Key(
                "parent",
                Kind.STRINGS,
                'Absolute paths, or "." for the working directory; ${name} stands for a variable, $$ for a dollar.',
                required=True,
            ),
            Key(
                "name",
                Kind.PATTERNS,
                "The denial is of what has such a name at any depth beneath parent, and of all beneath that: *.pem, .env. "
                "Each may have one *, for any characters; after a backslash * ? [ { and a backslash stand for themselves. "
                "Whoever is denied it can neither make such a name nor remove it.",
            ),
            Key(
                "ioctl_commands",
                Kind.COMMANDS,
                "The action ioctl of this rule is about these commands alone: TIOCSTI, FICLONE, 0x5401.",
            ),
        ),
        any_of=("allowed_access", "denied_access"),
    ),
    Key("net_port", Kind.NOT_YET, NETWORK),
)


class Leaf(NamedTuple):
    """A value of the right type, with the line and the key where it stands."""

    value: object
    line: int
    key: str


# A table whose good parts are kept: a Leaf, a list of Leafs, or a list of tables by the key's TOML name.
Table = dict[str, "Leaf | list[Leaf] | list[Table]"]
Report = Callable[[int, str, str, str], None]


def check(source: Source, report: Report) -> Table:
    """Report every key and type that is wrong (line, key, what, remedy), and keep the rest for the checks of meaning."""
    return _Checker(source, report).table(KEYS, source.values, ())


# What the items of an array are.
_ARRAYS: Mapping[Kind, tuple[tuple[type, ...], str]] = {
    Kind.ACTIONS: ((str,), "a string"),
    Kind.STRINGS: ((str,), "a string"),
    Kind.PATTERNS: ((str,), "a string"),
    Kind.COMMANDS: ((str, int), "a string or an integer"),
    Kind.TABLES: ((dict,), "a table"),
}


class _Checker:
    def __init__(self, source: Source, report: Report) -> None:
        self.source = source
        self.report = report

    def wrong(self, place: Place, what: str, remedy: str) -> None:
        self.report(*self.source.at(place), what, remedy)

    def leaf(self, place: Place, value: object) -> Leaf:
        return Leaf(value, *self.source.at(place))

    def table(self, keys: tuple[Key, ...], values: Mapping[str, object], place: Place) -> Table:
        known = {key.spelt(self.source.json): key for key in keys}
        kept: Table = {}
        for name, value in values.items():
            here = (*place, name)
            key = known.get(name)
            if key is None:
                self.wrong(
                    here,
                    "is not a key of a policy" if not place else "is not a key here",
                    policy_actions.suggestion(name, known),
                )
            elif key.kind is Kind.NOT_YET:
                self.wrong(here, key.doc, REMOVE)
            elif (good := self.value(key, value, here)) is not None:
                kept[key.name] = good
        refused = any(key.kind is Kind.NOT_YET and name in values for name, key in known.items())
        for name, key in known.items():
            if key.required and name not in values and not refused:
                self.wrong(place, f"the key {name} is missing", f"add {name}: {key.kind.value}")
        return kept

    def part(self, key: Key, values: Mapping[str, object], place: Place) -> Table:
        if key.any_of:
            names = [inner.spelt(self.source.json) for inner in key.keys if inner.name in key.any_of]
            if not any(name in values for name in names):
                self.wrong(place, f"has neither {' nor '.join(names)}", "say what the rule allows or denies")
        return self.table(key.keys, values, place)

    def value(self, key: Key, value: object, place: Place) -> Leaf | list[Leaf] | list[Table] | None:
        if key.kind in _ARRAYS:
            return self.array(key, value, place)
        if _is_scalar(key.kind, value):
            return self.leaf(place, value)
        self.wrong(place, f"{policy_source.quote(value)} does not fit", f"write {key.kind.value}")
        return None

    def array(self, key: Key, value: object, place: Place) -> list[Leaf] | list[Table] | None:
        kinds, words = _ARRAYS[key.kind]
        if not isinstance(value, list):
            remedy = f"write {key.kind.value}"
            if key.kind is Kind.TABLES:
                remedy = "put tables in brackets: [{ ... }]" if self.source.json else f"write [[{key.name}]] above its keys"
            elif type(value) in kinds:
                remedy = f"put it in brackets: [{policy_source.quote(value)}]"
            self.wrong(place, f"is not {key.kind.value}", remedy)
            return None
        if not value:
            self.wrong(place, "is empty", "name at least one, or remove the key")
            return None
        good: list[tuple[Any, Place]] = []  # of one of the kinds
        for index, item in enumerate(value):
            if type(item) in kinds:  # a bool is an int too
                good.append((item, (*place, index)))
            else:
                self.wrong((*place, index), f"{policy_source.quote(item)} is not {words}", f"write {words}")
        if key.kind is Kind.TABLES:
            return [self.part(key, item, here) for item, here in good]
        return [self.leaf(here, item) for item, here in good]


def _is_scalar(kind: Kind, value: object) -> bool:
    if kind is Kind.ABI:
        return type(value) is int and 1 <= value <= ABI_MAX  # a bool is an int too
    if not isinstance(value, str):
        return False
    if kind is Kind.DEFAULT:
        return value in ("deny", "allow")
    if kind is Kind.MODE:
        return value in ("enforcing", "permissive")
    if kind is Kind.VARIABLE:
        return VARIABLE_NAME.fullmatch(value) is not None
    return value.isprintable() and 0 < len(value.encode()) <= NAME_MAX
