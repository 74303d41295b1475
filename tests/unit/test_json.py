# SPDX-License-Identifier: GPL-2.0-only
"""docs/JSON.md: its keys and types are those of the values that are printed, in their order."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
import test_bench
import test_documents
import test_lab

from landlock_bpf import cli, controller, events, explanation, features, inventory, policy, policy_difference
from landlock_bpf.bench import document
from landlock_bpf.cli import output
from landlock_bpf.lab import report

TEXT = (Path(__file__).parents[2] / "docs" / "JSON.md").read_text()
SECTIONS = dict(re.findall(r"^##+ ([^\n]+)\n(.*?)(?=^##|\Z)", TEXT, re.M | re.S))
# What each command prints, and by which section its type is told.
PRINTED = {
    "events": events.Denial,
    "list": inventory.DomainInfo,
    "show": inventory.DomainDetail,
    "why": explanation.Answer,
    "diff": policy_difference.Difference,
    "doctor": features.Feature,
}
TOLD: dict[type, str] = {
    **{kind: section for section, kind in PRINTED.items()},
    policy.Location: "location",
    inventory.LayerInfo: "layer",
    inventory.RuleInfo: "rule in force",
    inventory.ProgramsInfo: "rule programs",
    inventory.RuleProgramInfo: "rule program",
    inventory.ViewInfo: "view",
    inventory.MarkInfo: "mark",
    inventory.HookInfo: "hook",
    explanation.Question: "question",
    explanation.Verdict: "verdict",
    explanation.Place: "place",
    explanation.Rule: "rule",
    policy_difference.Change: "change",
}
# Documents, which are made of no dataclass: what each command writes.
DOCUMENTS = {
    "bench": lambda: document.document(test_bench.INSTRUCTIONS, test_bench.FOUND),
    "lab": lambda: report.document(test_lab.experiment()),
}
# What has a key for each mechanism, and what the key is called then.
NAMED = {"samples": "MECHANISM", "added": "MECHANISM", "ratios": "MECHANISM", "cells": "GUARD"}
SCALARS = {str: "string", Path: "string", int: "number", float: "number", bool: "true or false", types.NoneType: "null"}


def words(hint: object) -> str:
    """Name what a type becomes in JSON."""
    if hint in SCALARS:
        return SCALARS[typing.cast(type, hint)]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        assert inner[1:] == (...,) or set(inner) == {inner[0]}, hint
        return f"array of {words(inner[0])}" if ... in inner else f"array of {len(inner)}: {words(inner[0])}"
    if origin in (types.UnionType, typing.Union):
        return ", or ".join(map(words, inner))
    if origin is typing.Literal:
        return "string"
    assert isinstance(hint, type), hint
    if issubclass(hint, enum.Flag):
        return "array of string"
    if issubclass(hint, enum.Enum):
        return "string"
    return f"[{TOLD[hint]}](#{TOLD[hint].replace(' ', '-')})"


def fields(kind: type) -> list[tuple[str, str]]:
    """Give the keys of a value, each with its type."""
    hints = typing.get_type_hints(kind)
    assert dataclasses.is_dataclass(kind)
    return [(f"`{field.name}`", words(hints[field.name])) for field in dataclasses.fields(kind)]


@pytest.mark.parametrize("kind", TOLD, ids=lambda kind: TOLD[kind])
def test_keys_and_types(kind: type) -> None:
    rows = test_documents.table(SECTIONS[TOLD[kind]], "key", "type", "what it says")
    assert [row[:2] for row in rows] == fields(kind)
    assert all(meaning for _, _, meaning in rows)


def test_each_type_is_told() -> None:
    """A value in a value has a section, and no section is of anything else."""
    inner = {match for kind in TOLD for _, told in fields(kind) for match in re.findall(r"\[([^\]]+)\]", told)}
    others = {"What holds for all", "The last lines of events", *DOCUMENTS}
    assert inner | set(PRINTED) == set(TOLD.values()) == set(SECTIONS) - others


def leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Give what is in a document: where, and its type; of an empty array, the beginning of it."""
    if isinstance(value, dict):
        for key, part in value.items():
            name = NAMED.get(path.rpartition(".")[2], key)
            yield from leaves(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for each in value:
            yield from leaves(each, f"{path}[]")
    elif isinstance(value, list):
        yield from ((path, f"array of {SCALARS[type(each)]}") for each in value or ())
        yield path, "array of "
    else:
        yield path, SCALARS[type(value)]


@pytest.mark.parametrize("command", DOCUMENTS)
def test_a_document(command: str) -> None:
    table = test_documents.table(SECTIONS[command], "key", "type", "what it says")
    rows = {key.strip("`"): kind for key, kind, _ in table}
    found = list(leaves(json.loads(json.dumps(DOCUMENTS[command]()))))
    assert {path for path, _ in found} == set(rows)
    assert [(path, kind) for path, kind in found if kind not in rows[path]] == []


def test_reasons() -> None:
    rows = test_documents.table(SECTIONS["events"], "reason", "in words")
    assert rows == [(f"`{reason.name.lower()}`", told) for reason, told in events.REASONS.items()]


def test_what_was_dropped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines at the end, which are made of no dataclass."""
    live = types.SimpleNamespace(dropped=lambda: {"work": 7})
    monkeypatch.setattr(controller.Controller, "open", lambda: contextlib.nullcontext(live))
    monkeypatch.setattr(events, "read", lambda follow: ())
    monkeypatch.setattr(cli, "require_root", lambda: None)
    assert cli.main(["events", "--no-follow", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    rows = test_documents.table(SECTIONS["The last lines of events"], "key", "type", "what it says")
    assert [row[:2] for row in rows] == [(f"`{key}`", SCALARS[type(value)]) for key, value in told.items()]
    assert "time" in {field.name for field in dataclasses.fields(events.Denial)} - set(told)


@pytest.mark.parametrize("command", PRINTED)
def test_that_is_what_is_printed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each key is there, also of a value that says nothing; a key that is no field would show."""
    kind = PRINTED[command]
    made = empty(kind)
    if isinstance(made, events.Denial):
        print(events.format_json(made))
    else:
        output.print_json(made)
    assert list(json.loads(capsys.readouterr().out)) == [field.name for field in dataclasses.fields(kind)]


def empty(hint: typing.Any) -> typing.Any:
    """Make a value of a type that says as little as it can."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return ()
    if origin in (types.UnionType, typing.Union):
        return None
    if origin is typing.Literal:
        return inner[0]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        return hint(**{field.name: empty(hints[field.name]) for field in dataclasses.fields(hint)})
    if issubclass(hint, enum.Enum):
        return hint(0) if issubclass(hint, enum.Flag) else next(iter(hint))
    return hint()
