# SPDX-License-Identifier: GPL-2.0-only
"""What a rule source holds: pure values, and which subtype belongs to which rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from landlock_bpf import errors, rule_text


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule program: the function, its section, the line of its SEC(), its number in the file."""

    function: str
    section: str
    line: int
    number: int


@dataclasses.dataclass(frozen=True)
class Subtype:
    """What a rule says of itself: the variable in a section `subtype` or `subtype/SECTION`."""

    variable: str
    section: str
    line: int


@dataclasses.dataclass(frozen=True)
class View:
    """A view that rules ask, LANDLOCK_FSVIEW(name, max): at most `max` objects can be marked in it."""

    name: str
    max: int
    line: int


@dataclasses.dataclass(frozen=True)
class Edit:
    """What stands in the compiled text for the tokens `start` up to `end`; `{p}` in `text` is the prefix of renamed names.

    A view has its number put in for `{n}`; `header` is a file of ours that is put in whole, `after` the line after it.
    """

    start: int
    end: int
    text: str = ""
    view: str = ""
    header: str = ""
    after: int = 0


@dataclasses.dataclass(frozen=True)
class Source:
    """A rule source that was read: `subtypes` are those of `rules`, one for each."""

    path: str
    text: str
    rules: tuple[Rule, ...]
    subtypes: tuple[Subtype, ...]
    views: tuple[View, ...]
    license: str
    tokens: tuple[rule_text.Token, ...] = dataclasses.field(repr=False, compare=False)
    edits: tuple[Edit, ...] = dataclasses.field(repr=False, compare=False)
    kept: frozenset[int] = dataclasses.field(repr=False, compare=False)


def pair(rules: Iterable[Rule], found: Iterable[Subtype], file: str) -> tuple[tuple[Subtype, ...], list[errors.Problem]]:
    """Give each rule its subtype: the one named after its section, else the only plain one, else plain ones in order."""
    rules, found = list(rules), list(found)
    plain = [subtype for subtype in found if subtype.section == "subtype"]
    named = {subtype.section: subtype for subtype in found if subtype.section != "subtype"}
    wanted = {f"subtype/{rule.section}": rule for rule in rules}
    unnamed = [rule for section, rule in wanted.items() if section not in named]
    problems = [
        errors.Problem(
            file, subtype.line, subtype.section, "no rule has this section", "name the section of a rule after subtype/"
        )
        for section, subtype in named.items()
        if section not in wanted
    ]
    if len(plain) > 1 and len(plain) != len(unnamed):
        problems.append(
            errors.Problem(
                file,
                plain[1].line,
                "subtype",
                f"{len(plain)} subtypes for {len(unnamed)} rules",
                'keep one for all, or name the rule of each: SEC("subtype/SECTION")',
            )
        )
    elif not plain:
        problems += [
            errors.Problem(
                file, rule.line, rule.function, "the rule has no subtype", 'write one, with SEC("subtype") before it'
            )
            for rule in unnamed
        ]
    if problems:
        return (), problems
    order = iter(plain if len(plain) > 1 else plain * len(unnamed))
    return tuple(named.get(f"subtype/{rule.section}") or next(order) for rule in rules), []
