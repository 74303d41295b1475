# SPDX-License-Identifier: GPL-2.0-only
"""What an operation is: a row of the table, the same under every mechanism."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from landlock_bpf.compare.scene import Scene

# What an operation needs of the place it is at; by that and by the policy it is known what is wanted.
READ, WRITE, METADATA = "read", "write", "metadata"
# It leads round the policy, or out of it: to be refused whatever the policy says of places.
AROUND = "around"
# The policy says nothing of it.
UNSAID = "unsaid"

ALLOWED, REFUSED = "allowed", "refused"


@dataclasses.dataclass(frozen=True)
class Operation:
    """A row: what is done at a place, by a child of a member, and why mechanisms differ on it.

    `act` gets the place's folder and the scene; it raises OSError where it is refused, and whatever it leaves there is
    cleared away before the next. `prepare` is done just before, outside of all mechanisms. `lacks` says why the bare run
    may not succeed on some machines.
    """

    name: str
    group: str
    place: str
    need: str
    text: str
    why: str
    act: Callable[[Path, Scene], object]
    prepare: Callable[[Path, Scene], object] | None = None
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
