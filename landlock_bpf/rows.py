# SPDX-License-Identifier: GPL-2.0-only
"""Rows of one kind, kept as columns: a domain may have ten thousand, and a column is made, packed and read at once."""

from __future__ import annotations

import array
import functools
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from landlock_bpf import identity

Row = TypeVar("Row", bound=tuple[Any, ...])
Column = Sequence[Any]

_BETWEEN = "\0"  # of texts: no path has it
_FEW = 16  # so many runs of a column at most stand in the head of a record, which each command reads


class Runs(Sequence[Any]):
    """A column in which a value mostly is that of the row before: each value once, with how many rows have it."""

    def __init__(self, runs: Iterable[tuple[Any, int]] = ()) -> None:
        self.runs: list[tuple[Any, int]] = []
        for value, length in runs:
            self.add(value, length)

    @classmethod
    def of(cls, values: Iterable[Any]) -> Runs:
        """Make them of any column."""
        return values if isinstance(values, cls) else cls(zip(values, itertools.repeat(1)))

    def add(self, value: Any, length: int) -> None:
        """Let as many rows more as `length` have a value."""
        if self.runs and self.runs[-1][0] == value:
            length += self.runs.pop()[1]
        self.runs.append((value, length))

    def __len__(self) -> int:
        return sum(length for _value, length in self.runs)

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(itertools.starmap(itertools.repeat, self.runs))

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Any, ...]: ...

    def __getitem__(self, place: int | slice) -> Any:
        return tuple(self)[place]


class Rows(Sequence[Row], Generic[Row]):
    """Named tuples, made once they are asked for; the columns are their fields, or what gives one once it is asked for."""

    def __init__(self, kind: Callable[..., Row], columns: Sequence[Column | Callable[[], Column]]) -> None:
        self._kind, self._columns = kind, list(columns)

    def column(self, number: int) -> Column:
        """Give the values of one field."""
        found = self._columns[number]
        if callable(found):
            found = self._columns[number] = found()
        return found

    def __len__(self) -> int:
        return len(self.column(0))

    @functools.cached_property
    def _rows(self) -> tuple[Row, ...]:
        return tuple(itertools.starmap(self._kind, zip(*map(self.column, range(len(self._columns))))))

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Row, ...]: ...

    def __getitem__(self, place: int | slice) -> Row | tuple[Row, ...]:
        return self._rows[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._rows == tuple(other)

    def __hash__(self) -> int:
        return hash(self._rows)


def column(said: Sequence[tuple[Any, ...]], number: int) -> Column:
    """Give the values of one field of any rows."""
    return said.column(number) if isinstance(said, Rows) else [row[number] for row in said]


def together(columns: Iterable[Column]) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Give what rows that follow one another have in all of some columns, and how many rows these are."""
    runs = [iter(Runs.of(each).runs) for each in columns]
    values: list[Any] = [None] * len(runs)
    lengths = [0] * len(runs)
    while True:
        for place, each in enumerate(runs):
            if not lengths[place]:
                following = next(each, None)
                if following is None:
                    return
                values[place], lengths[place] = following
        length = min(lengths)
        yield tuple(values), length
        lengths = [left - length for left in lengths]


def pack(kind: type[Any], said: Sequence[tuple[Any, ...]]) -> tuple[list[Any], list[bytes]]:
    """Turn rows into bytes, in parts, and what tells in JSON how to read them: for each column its form and its length."""
    told: list[Any] = []
    parts = []
    for number in range(len(kind._fields) if said else 0):
        values = column(said, number)
        if (runs := _few_runs(values)) is not None:
            told.append(("runs", runs))
            continue
        form, part = _packed(list(values) if isinstance(values, Runs) else values)
        told.append((form, len(part)))
        parts.append(part)
    return told, parts


def unpack(kind: Callable[..., Row], told: Sequence[Any], data: memoryview) -> tuple[Sequence[Row], memoryview]:
    """Read rows from the beginning of bytes, and give the bytes after them. What nobody asks for is not looked at."""
    columns: list[Column | Callable[[], Column]] = []
    for form, length in told:
        if form == "runs":
            columns.append(Runs((_plain(value), rows) for value, rows in length))
        else:
            if length > len(data):
                raise ValueError("bytes are missing")
            columns.append(functools.partial(_READERS[form], data[:length]))
            data = data[length:]
    return Rows(kind, columns) if columns else (), data


def _few_runs(values: Column) -> list[tuple[Any, int]] | None:
    """Give the runs of a column if JSON has their values and they are few; None of any other column.

    One that is not kept as runs has no other looked for than that all rows say the same.
    """
    if isinstance(values, Runs):
        return values.runs if len(values.runs) <= _FEW else None
    same = not isinstance(values[0], bytes) and values[0] == values[-1] and values.count(values[0]) == len(values)
    return [(values[0], len(values))] if same else None


def _packed(values: Column) -> tuple[str, bytes]:
    first = values[0]
    if isinstance(first, bytes):
        return "objects", identity.Objects.of(values).block
    if isinstance(first, int):
        return "numbers", array.array("Q", values).tobytes()
    if isinstance(first, str):
        text = _BETWEEN.join(values)
        if text.count(_BETWEEN) == len(values) - 1:  # else one has it in it, and they cannot be told apart
            # Any half of a UTF-16 pair is kept: some stand for bytes that are no UTF-8.
            return "texts", text.encode(errors="surrogatepass")
    return "json", json.dumps(values).encode()


def _plain(value: Any) -> Any:
    """Give a value as it was before it became JSON, which has lists alone."""
    return tuple(value) if isinstance(value, list) else value


_READERS: Mapping[str, Callable[[memoryview], Column]] = {
    "objects": lambda data: identity.Objects(bytes(data)),
    "numbers": lambda data: data.cast("Q").tolist(),
    "texts": lambda data: str(data, "utf-8", "surrogatepass").split(_BETWEEN),
    "json": lambda data: list(map(_plain, json.loads(bytes(data)))),
}
