# SPDX-License-Identifier: GPL-2.0-only
"""Making a case smaller that shows a difference, for somebody to understand it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import chance
import walker

TRIES = 60  # each plays a case
_T = TypeVar("_T")


def shrink(case: chance.Case, differs: Callable[[chance.Case], bool], number: int | None) -> chance.Case:
    """Leave out what is not needed for a difference, in a number of tries; `number` is that of the first that differs."""
    tries = TRIES

    def holds(smaller: chance.Case) -> bool:
        nonlocal tries
        tries -= 1
        return tries >= 0 and differs(smaller)

    if number is not None:
        case = dataclasses.replace(case, operations=case.operations[: number + 1])
        alone = dataclasses.replace(case, operations=case.operations[number:])
        if holds(alone):
            case = alone
    case = _with_operations(case, _halves(case.operations, lambda left: holds(_with_operations(case, left))))
    for place in range(len(case.layers)):
        whole = case
        rules = _halves(whole.layers[place].rules, lambda left: holds(_with_rules(whole, place, left)))  # noqa: B023
        case = _with_rules(whole, place, rules)
    return case


def _with_operations(case: chance.Case, operations: tuple[walker.Operation, ...]) -> chance.Case:
    return dataclasses.replace(case, operations=operations)


def _with_rules(case: chance.Case, place: int, rules: tuple[chance.Ruled, ...]) -> chance.Case:
    layers = list(case.layers)
    layers[place] = layers[place]._replace(rules=rules)
    return dataclasses.replace(case, layers=tuple(layers))


def _halves(left: tuple[_T, ...], holds: Callable[[tuple[_T, ...]], bool]) -> tuple[_T, ...]:
    """Leave out halves, quarters and so on, as long as it holds."""
    size = len(left) // 2 or 1
    while size:
        start = 0
        while start < len(left):
            smaller = left[:start] + left[start + size :]
            if holds(smaller):
                left = smaller
            else:
                start += size
        size //= 2
    return left
