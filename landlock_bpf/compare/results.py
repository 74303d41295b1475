# SPDX-License-Identifier: GPL-2.0-only
"""What was seen, and whether that was wanted: pure values."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Mapping

from landlock_bpf.compare import operation

BARE = "none"  # the mechanism that is none
ALLOWED, REFUSED = operation.ALLOWED, operation.REFUSED
FAILED = "failed"  # with an errno that the bare run has too, or that is not one of the mechanism's
ABSENT = "absent"  # this kernel does not have it
RIGHT, OPEN, STRICT = "right", "open", "strict"
_NOT_HERE = ("ENOSYS", "EOPNOTSUPP", "EAFNOSUPPORT")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What an operation came to: an errno's name, None for success, and whether anything changed in the real tree.

    `trouble` tells why there is neither: it did not end, or was killed.
    """

    errno: str | None
    changed: bool = False
    trouble: str | None = None


@dataclasses.dataclass(frozen=True)
class Cell:
    """An outcome, judged. `fit` is None where nothing is wanted, or where the outcome says nothing of the mechanism."""

    result: str
    errno: str | None
    note: str | None
    fit: str | None


@dataclasses.dataclass(frozen=True)
class Column:
    """A mechanism as it was on this machine; `missing` says why it did not run."""

    name: str
    title: str
    what: str
    missing: str | None
    cannot: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Row:
    """An operation and its cells, by the mechanism's name; those of missing mechanisms are left out."""

    operation: operation.Operation
    wanted: str | None
    cells: Mapping[str, Cell]

    @property
    def differs(self) -> bool:
        """Tell whether mechanisms disagree; the bare run is none."""
        return len({cell.result for name, cell in self.cells.items() if name != BARE}) > 1


def name_of(number: int | None) -> str | None:
    """Name an errno; None for success."""
    return None if number is None else errno.errorcode.get(number, str(number))


def judge(seen: Outcome, bare: Outcome, errnos: frozenset[str], wanted: str | None, said: str | None) -> Cell:
    """Judge what was seen under a mechanism by what the bare run did, and by what is wanted.

    Where the bare run changed the tree and this one succeeded without, what was changed is a stand-in (a mask, a layer).
    """
    result, note = ALLOWED, seen.trouble or said
    if seen.trouble or bare.trouble:
        result = FAILED
    elif bare.errno is not None:
        result = ABSENT if bare.errno in _NOT_HERE else FAILED
    elif seen.errno is not None:
        result = REFUSED if seen.errno in errnos else FAILED
    elif bare.changed and not seen.changed:
        result, note = REFUSED, "done to a stand-in, not to the tree"
    return Cell(result, seen.errno, note, _fit(result, wanted))


def _fit(result: str, wanted: str | None) -> str | None:
    if wanted is None or result not in (ALLOWED, REFUSED):
        return None
    if result == wanted:
        return RIGHT
    return OPEN if result == ALLOWED else STRICT
