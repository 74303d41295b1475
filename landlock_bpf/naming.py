# SPDX-License-Identifier: GPL-2.0-only
"""Names of domains: which are fit, taken, and free."""

from __future__ import annotations

from collections.abc import Sequence

from landlock_bpf import abi, domain, errors


def check(name: str) -> str:
    """Give back a name fit for a domain: it goes into paths, tables and the kernel. LimitError for any other."""
    fit = name.isascii() and name.isprintable() and not set(name) & set(" /") and name not in ("", ".", "..")
    if not fit or len(name) >= abi.Limit.NAME:
        most = int(abi.Limit.NAME) - 1
        raise errors.LimitError(f"{name!r} is no name for a domain: use 1 to {most} letters, digits and signs but blank and /")
    return name


def find(name: str, slots: Sequence[domain.Slot]) -> domain.Slot:
    """Find a domain by its name; NotFoundError where none has it."""
    for slot in slots:
        if slot.name == name:
            return slot
    raise errors.NotFoundError(f"there is no domain {name}; `landlock-bpf list` names those in force")


def refuse_taken(name: str, slots: Sequence[domain.Slot]) -> None:
    """Raise BusyError for a name that a domain has."""
    if any(slot.name == name for slot in slots):
        raise errors.BusyError(f"there is a domain {name} already; update or detach it, or choose another name")


def choose(name: str | None, slots: Sequence[domain.Slot], otherwise: str) -> str:
    """Give the name of a new domain, `otherwise` or one like it where none was asked for; BusyError where it is taken."""
    if name is None:
        return find_free(otherwise, slots)
    refuse_taken(check(name), slots)
    return name


def find_free(name: str, slots: Sequence[domain.Slot]) -> str:
    """Give this name, or the first of NAME-2, NAME-3 ... that no domain has; LimitError where that is none for a domain."""
    taken = {slot.name for slot in slots}
    names = (f"{name}{suffix}" for suffix in ("", *(f"-{number}" for number in range(2, abi.Limit.DOMAINS + 3))))
    return check(next(each for each in names if each not in taken))
