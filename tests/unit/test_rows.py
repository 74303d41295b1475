# SPDX-License-Identifier: GPL-2.0-only
"""Rows as columns: equal to what they were made of, whatever is in them, after they were packed as well."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landlock_bpf import identity, rows, ruleset

MASKS = st.integers(0, 2**64 - 1)
TEXTS = st.text(st.characters(), max_size=9)  # with \0, and with halves of UTF-16 pairs
ENTRIES = st.builds(
    ruleset.Entry,
    st.binary(min_size=identity.OBJECT.size, max_size=identity.OBJECT.size),
    MASKS,
    MASKS,
    st.booleans(),
    TEXTS,
    TEXTS,
    st.integers(0, 10_000),
    st.lists(MASKS, max_size=2).map(tuple),
)


def packed(said: list[ruleset.Entry]) -> tuple[object, bytes]:
    told, parts = rows.pack(ruleset.Entry, said)
    return json.loads(json.dumps(told)), b"".join(parts)


@given(st.lists(ENTRIES, max_size=5), st.lists(ENTRIES, max_size=5))
def test_they_read_as_packed_one_after_another(first: list[ruleset.Entry], second: list[ruleset.Entry]) -> None:
    (one, begin), (two, end) = packed(first), packed(second)
    read, left = rows.unpack(ruleset.Entry, one, memoryview(begin + end))
    after, nothing = rows.unpack(ruleset.Entry, two, left)
    assert list(read) == first and list(after) == second and not nothing
    assert all(isinstance(each, ruleset.Entry) and isinstance(each.commands, tuple) for each in read)


def test_only_what_is_asked_for_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [
        ruleset.Entry(bytes([number]) * identity.OBJECT.size, number, 0, False, f"/{number}", "f", 1) for number in range(3)
    ]
    told, data = packed(said)
    asked: list[str] = []
    for form, reader in rows._READERS.items():
        monkeypatch.setitem(rows._READERS, form, lambda data, form=form, reader=reader: (asked.append(form), reader(data))[1])
    read, _ = rows.unpack(ruleset.Entry, told, memoryview(data))
    assert list(rows.column(read, 0)) == [each.object for each in said] and len(read) == 3
    assert asked == ["objects"]


@given(st.lists(st.lists(st.integers(0, 2), min_size=5, max_size=5), min_size=1, max_size=3))
def test_runs(columns: list[list[int]]) -> None:
    runs = [rows.Runs.of(values) for values in columns]
    assert [list(each) for each in runs] == columns and [len(each) for each in runs] == [5] * len(columns)
    assert all(one[0] != two[0] for each in runs for one, two in itertools.pairwise(each.runs))
    expected = [(words, len(list(alike))) for words, alike in itertools.groupby(zip(*columns))]
    assert list(rows.together(runs)) == list(rows.together(columns)) == expected


@pytest.mark.parametrize("every", [1, 100])
def test_of_runs_only_few_are_told_where_the_head_is(every: int) -> None:
    said = [ruleset.Entry(bytes([number]) * 24, number // every, 0, False, "/x", "f", 1) for number in range(200)]
    objects, *rest = zip(*said)
    kept = rows.Rows(ruleset.Entry, [identity.Objects.of(objects), *map(rows.Runs.of, rest)])
    told, parts = rows.pack(ruleset.Entry, kept)
    read, left = rows.unpack(ruleset.Entry, json.loads(json.dumps(told)), memoryview(b"".join(parts)))
    assert list(read) == said and not left
    assert [form for form, _length in told].count("runs") == (6 if every == 1 else 7)
    assert len(json.dumps(told)) < 500


def test_they_are_a_sequence() -> None:
    said = [ruleset.Entry(bytes(24), number, 0, False, "/x", "f", number) for number in range(3)]
    kept = rows.Rows(ruleset.Entry, list(zip(*said)))
    assert kept == said and kept[1] == said[1] and kept[1:] == tuple(said[1:]) and len(kept) == 3 and said[2] in kept
    assert kept != said[:2] and kept != 5 and hash(kept) == hash(tuple(said))
    assert list(rows.column(kept, 6)) == rows.column(said, 6) == [0, 1, 2]
