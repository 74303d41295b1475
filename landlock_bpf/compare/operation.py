# SPDX-License-Identifier: GPL-2.0-only
"""What an operation is: a row of the table, the same under every mechanism."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landlock_bpf.compare.scene import BENEATH, BESIDE, ELSEWHERE, INSIDE, READ_ONLY, Scene

if TYPE_CHECKING:
    from landlock_bpf.compare.stage import Stage

# What an operation needs of the place it is at; by that and by the policy it is known what is wanted.
READ, WRITE, METADATA = "read", "write", "metadata"
# It leads round the policy, or out of it: to be refused whatever the policy says of places.
AROUND = "around"
# The policy says nothing of it.
UNSAID = "unsaid"

ALLOWED, REFUSED = "allowed", "refused"


def _nothing(_folder: Path, _outside: Stage) -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext()


@dataclasses.dataclass(frozen=True)
class Operation:
    """A row: what is done at a place, by a child of a member, and why mechanisms differ on it.

    `act` gets the place's folder and the scene; it raises OSError where it is refused, and whatever it leaves there is
    cleared away before the next. `also` are other places whose folders it needs filled. What `prepare` gives is entered
    before and left after, outside of all mechanisms. `lacks` says why the bare run may not succeed on some machines.
    """

    name: str
    group: str
    place: str
    need: str
    text: str
    why: str
    act: Callable[[Path, Scene], object]
    prepare: Callable[[Path, Stage], contextlib.AbstractContextManager[object]] = _nothing
    also: tuple[str, ...] = ()
    lacks: str = ""

    def do(self, scene: Scene) -> None:
        """Do it; OSError where it is refused."""
        self.act(scene.at(self.place), scene)

    def wanted(self, scene: Scene) -> str | None:
        """Tell what is wanted: ALLOWED, REFUSED, or None where the policy says nothing of it."""
        if self.need == UNSAID:
            return None
        statement = scene.wanted(self.place)
        allowed = {READ: statement.read, WRITE: statement.write, METADATA: statement.metadata, AROUND: False}
        return ALLOWED if allowed[self.need] else REFUSED


_SUFFIXES = {INSIDE: "-inside", BENEATH: "-beneath", BESIDE: "-beside", READ_ONLY: "-ro", ELSEWHERE: ""}
Act = Callable[[Path, Scene], object]


class Table:
    """The operations of a group, in the order in which their functions are written."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.rows: list[Operation] = []

    def at(self, *places: str, need: str, why: str, **more: Any) -> Callable[[Act], Act]:
        """Make a row of a function at each of the places, named for both; its docstring is the row's text."""

        def add(act: Act) -> Act:
            assert act.__doc__, f"{act.__name__} lacks a docstring, which is the text of its rows"
            name = act.__name__.strip("_").replace("_", "-")
            for place in places:
                row = Operation(name + _SUFFIXES[place], self.group, place, need, act.__doc__.rstrip("."), why, act, **more)
                self.rows.append(row)
            return act

        return add
