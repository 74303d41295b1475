# SPDX-License-Identifier: GPL-2.0-only
"""What a mechanism is: something that can be put in force on a process that is to be started."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Protocol

from landlock_bpf.compare.operation import Operation
from landlock_bpf.compare.scene import Scene

# The errnos with which mechanisms refuse; any other tells of the operation itself.
USUAL = frozenset({"EACCES", "EPERM"})


@dataclasses.dataclass(frozen=True)
class Launch:
    """How a member is started under a mechanism: the words before its command line (`bwrap ... --`), and what the child
    does to itself before it executes them (landlock_restrict_self(2), /proc/self/attr/exec)."""

    prefix: tuple[str, ...] = ()
    enter: Callable[[], None] | None = None


class Mechanism(Protocol):
    """A column of the table.

    `what` is one sentence on what it is. `errnos` names those with which it refuses.
    """

    name: str
    what: str
    errnos: frozenset[str]

    @property
    def title(self) -> str:
        """Name it as it is on this machine, with its version."""

    def missing(self) -> str | None:
        """Say why it cannot run here, with the remedy; None where it can."""

    def cannot(self) -> tuple[str, ...]:
        """List what of the policy it has no words for: "no deny rules beneath an allowed folder"."""

    def says(self, operation: Operation) -> str | None:
        """Give the note of a cell, beside the errno that is seen all the same: "n/a: no deny rules"."""

    def enforced(self, scene: Scene) -> contextlib.AbstractContextManager[Launch]:
        """Set it up for the statements of a scene, and take it down at the end."""
