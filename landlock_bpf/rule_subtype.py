# SPDX-License-Identifier: GPL-2.0-only
"""The subtype of a rule program, checked as Landlock's patch series v7 checked it when a rule was loaded."""

from __future__ import annotations

import dataclasses
import struct

from landlock_bpf import errors
from landlock_bpf.abi import Event

ABI = 1
ABILITY_DEBUG = 1 << 0
# union bpf_prog_subtype: abi, event, ability, option.
_FIELDS = struct.Struct("=IIQQ")
SIZE = _FIELDS.size
EVENTS = {event: f"LANDLOCK_SUBTYPE_EVENT_{event.name}" for event in Event if event}


@dataclasses.dataclass(frozen=True)
class Subtype:
    """A subtype that is in order."""

    event: Event
    debug: bool


def check(data: bytes, *, tail: bool, file: str, line: int, variable: str) -> tuple[Subtype | None, list[errors.Problem]]:
    """Check a subtype: its first SIZE bytes (one that is shorter ends in zeros), and whether any other is not zero.

    Each mistake is a problem that names the field, its value and what is legal.
    """
    abi, event, ability, option = _FIELDS.unpack(data[:SIZE].ljust(SIZE, b"\0"))
    problems: list[errors.Problem] = []

    def problem(field: str, value: str, legal: str) -> None:
        problems.append(errors.Problem(file, line, f"{variable}.landlock_rule.{field}", value, legal))

    if abi != ABI:
        problem("abi", f"is {abi}", f"the only one there ever was is {ABI}")
    if event not in EVENTS:
        legal = ", ".join(f"{name} ({number:d})" for number, name in EVENTS.items())
        problem("event", f"is {event}" if event else "is 0 or missing", f"legal are {legal}")
    if ability & ~ABILITY_DEBUG:
        legal = f"legal are 0 and LANDLOCK_SUBTYPE_ABILITY_DEBUG ({ABILITY_DEBUG})"
        problem("ability", f"is {ability:#x}, with unknown bits {ability & ~ABILITY_DEBUG:#x}", legal)
    if option:
        problem("option", f"is {option:#x}", "legal is 0: no option was ever defined")
    if tail:
        what = f"is longer than {SIZE} bytes, and not zero there"
        problems.append(errors.Problem(file, line, variable, what, "nothing is known of what it asks for"))
    if problems:
        return None, problems
    return Subtype(Event(event), bool(ability & ABILITY_DEBUG)), []
