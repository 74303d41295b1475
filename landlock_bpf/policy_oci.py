# SPDX-License-Identifier: GPL-2.0-only
"""The object process.landlock proposed for OCI's runtime-spec, in two forms: pull request 1111 and its successor, 1241.

A whole config.json is read, or the object alone. Whether "best effort" is wanted makes no difference: it is about rights that
a kernel lacks, and the engine lacks none. What is written wants none, as a runtime on another kernel would else leave rights
out without a word. Paths are taken as they stand, in our own mount namespace. Both call every key optional: an entry without
paths, or without rights, allows nothing, and what it leaves out stays denied.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping, Sequence
from typing import cast

from landlock_bpf import abi, policy, policy_actions, policy_format, policy_source, policy_upstream, policy_variables
from landlock_bpf.policy_format import Leaf
from landlock_bpf.policy_reader import Reader
from landlock_bpf.policy_source import Place, Source


class Kind(enum.Enum):
    """The type of a value, as a message names it."""

    OBJECT = "an object"
    OBJECTS = "an array of objects"
    STRINGS = "an array of strings"
    FLAG = "true or false"
    NETWORK = "an empty array"


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of an object; `form` is the number of the pull request that has it, where only one has."""

    name: str
    kind: Kind
    form: int = 0
    keys: tuple[Key, ...] = ()


_HANDLED = Key("handledAccessFS", Kind.STRINGS)
KEYS = (
    Key("ruleset", Kind.OBJECT, 1111, (_HANDLED,)),
    Key("disableBestEffort", Kind.FLAG, 1111),
    Key("handledAccess", Kind.OBJECT, 1241, (_HANDLED, Key("handledAccessNetwork", Kind.NETWORK))),
    Key("enableBestEffort", Kind.FLAG, 1241),
    Key(
        "rules",
        Kind.OBJECT,
        keys=(
            Key("pathBeneath", Kind.OBJECTS, keys=(Key("allowedAccess", Kind.STRINGS), Key("paths", Kind.STRINGS))),
            Key("networkPort", Kind.NETWORK, 1241),
        ),
    ),
)
# Where the handled rights stand in each form.
_PLACES = {1111: "ruleset", 1241: "handledAccess"}
# No best effort, in the words of each form. The prose of 1241 has its flag the wrong way round: its name counts.
_STRICT = {1111: {"disableBestEffort": True}, 1241: {"enableBestEffort": False}}

# What is kept of an object: tables and arrays of them by key, and the strings of arrays.
Table = dict[str, "Table | list[Table] | list[Leaf]"]


def find(values: Mapping[str, object]) -> Place | None:
    """Say where in a JSON document the object is, or should be; None if the document is of another kind."""
    if "ociVersion" in values or isinstance(values.get("process"), dict):
        return "process", "landlock"
    if "landlock" in values:
        return ("landlock",)
    ruleset = values.get("ruleset")
    if isinstance(ruleset, dict) and "handledAccessFS" in ruleset:
        return ()
    return () if {key.name for key in KEYS if key.name != "ruleset"} & set(values) else None


def read(source: Source, place: Place) -> policy.Policy:
    """Read the object at a place of a document."""
    reader = Reader(source.file, policy_variables.User({}))
    checker = _Checker(source, reader)
    found: object = source.values
    for step in place:
        found = found.get(str(step)) if isinstance(found, dict) else None
    if found is None:
        checker.wrong(place, "is missing, so nothing would be enforced", "add it, or name another policy")
    table = checker.table(KEYS, found, place) if found is not None else {}
    handled = policy.NOTHING
    for name in _PLACES.values():
        handled |= policy_upstream.rights(reader, _leaves(_table(table, name), _HANDLED.name))
    if not handled and not reader.problems:
        checker.wrong(place, "handles no right, so it would enforce nothing", "add handledAccess with handledAccessFS")
    certain = not reader.problems
    rules = []
    for each in cast("list[Table]", _table(table, "rules").get("pathBeneath", [])):
        allowed = policy_upstream.rights(reader, _leaves(each, "allowedAccess"))
        for leaf in _leaves(each, "paths"):
            if not str(leaf.value).startswith("/"):
                reader.wrong(leaf, f"{policy_source.quote(leaf.value)} is not an absolute path", "begin it with /")
                continue
            for path in reader.anchored(leaf):
                location = policy.Location(reader.file, leaf.line)
                rules.append(policy.Rule(path, allowed, policy.NOTHING, location, allowed, key=leaf.key))
    if certain:
        ruled = next(name for name in _PLACES.values() if name in table)
        policy_upstream.report_strays(reader, handled, rules, f"add {{}} to {ruled}.{_HANDLED.name}")
    return policy_upstream.finish(reader, handled, rules)


def write(made: policy.Policy, form: int) -> str:
    """Write a policy that has only what this form can say, as the object alone."""
    together: dict[abi.Action, list[str]] = {}
    for rule in made.rules:
        together.setdefault(rule.allowed, []).append(rule.path)
    rules = [{"allowedAccess": policy_upstream.spell(allowed), "paths": paths} for allowed, paths in together.items()]
    handled = {_HANDLED.name: policy_upstream.spell(made.handled)}
    return json.dumps({_PLACES[form]: handled, "rules": {"pathBeneath": rules}, **_STRICT[form]}, indent=2) + "\n"


class _Checker:
    """Reports every key and type that is wrong, and keeps the rest."""

    def __init__(self, source: Source, reader: Reader) -> None:
        self.source = source
        self.reader = reader
        self.first: Key | None = None

    def wrong(self, place: Place, what: str, remedy: str) -> None:
        self.reader.report(*self.source.at(place), what, remedy)

    def table(self, keys: Sequence[Key], value: object, place: Place) -> Table:
        if not isinstance(value, dict):
            self.wrong(place, f"{policy_source.quote(value)} is not an object", "enclose it in { }")
            return {}
        known = {key.name: key for key in keys}
        kept: Table = {}
        for name, part in value.items():
            here = (*place, name)
            if name not in known:
                fitting = [key.name for key in keys if not (key.form and self.first) or key.form == self.first.form]
                self.wrong(here, "is not a key here", policy_actions.suggestion(name, fitting))
                continue
            self.note_form(known[name], here)
            if part is not None:  # what Go writes for an array that was never made
                kept[name] = self.value(known[name], part, here)
        return kept

    def note_form(self, key: Key, place: Place) -> None:
        if not key.form:
            return
        self.first = self.first or key
        if key.form != self.first.form:
            what = f"is of pull request {key.form}'s form, and {self.first.name} of {self.first.form}'s"
            self.wrong(place, what, "keep to one of the two forms")

    def value(self, key: Key, value: object, place: Place) -> Table | list[Table] | list[Leaf]:
        if key.kind is Kind.OBJECT:
            return self.table(key.keys, value, place)
        if key.kind is Kind.FLAG:
            if not isinstance(value, bool):
                self.wrong(place, f"{policy_source.quote(value)} does not fit", f"write {key.kind.value}")
            return []
        if not isinstance(value, list):
            self.wrong(place, f"is not {key.kind.value}", f"write {key.kind.value}, in brackets")
            return []
        if key.kind is Kind.NETWORK:
            if value:
                self.wrong(place, policy_format.NETWORK, policy_format.REMOVE)
            return []
        if key.kind is Kind.OBJECTS:
            return [self.table(key.keys, part, (*place, index)) for index, part in enumerate(value)]
        leaves = []
        for index, part in enumerate(value):
            here = (*place, index)
            if isinstance(part, str):
                leaves.append(Leaf(part, *self.source.at(here)))
            else:
                self.wrong(here, f"{policy_source.quote(part)} is not a string", "write a string")
        return leaves


def _table(table: Table, key: str) -> Table:
    return cast(Table, table.get(key, {}))


def _leaves(table: Table, key: str) -> list[Leaf]:
    return cast("list[Leaf]", table.get(key, []))
