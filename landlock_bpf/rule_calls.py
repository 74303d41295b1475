# SPDX-License-Identifier: GPL-2.0-only
"""The instructions of a rule program: the helpers that they call, and what else no rule of 2017 could do."""

from __future__ import annotations

import struct

from landlock_bpf import errors, rule_names, rule_outline

_INSTRUCTION = struct.Struct("<BBhi")
_LOAD_64, _CALL, _CALL_REGISTER, _EXIT = 0x18, 0x85, 0x8D, 0x95
_MOVE, _MOVE_32 = 0xB7, 0xB4
_MASK = (1 << 64) - 1


def check(source: rule_outline.Source, rule: rule_outline.Rule, code: bytes, *, debug: bool) -> list[errors.Problem]:
    """Find calls in the instructions of a rule that it may not make, and data of its own."""
    problems: list[errors.Problem] = []
    allowed = rule_names.DEBUG_HELPERS if debug else frozenset[int]()
    calls, data, answers = scan(code)

    def problem(what: str, remedy: str, name: str = "") -> None:
        problems.append(errors.Problem(source.path, _line(source, rule, name), rule.function, what, remedy))

    for number in sorted(calls - allowed, key=lambda number: -1 if number is None else number):
        name = rule_names.HELPERS.get(number or 0, f"helper {number}")
        if number is None:
            problem(
                "calls a function that is not there, or cannot be inlined",
                "BPF of 2017 has no calls, so no recursion and no C library",
            )
        elif number in rule_names.DEBUG_HELPERS:
            what = f"calls {name}, a helper for rules with LANDLOCK_SUBTYPE_ABILITY_DEBUG"
            problem(what, "give the subtype this ability, or take the call out", name)
        else:
            legal = ", ".join(rule_names.HELPERS[number] for number in sorted(rule_names.DEBUG_HELPERS))
            problem(
                f"calls {name}, which no rule may",
                f"there are bpf_handle_fs_get_mode, bpf_fsview_lookup and bpf_fsview_beneath, and with ABILITY_DEBUG {legal}",
                name,
            )
    if not answers:
        problem("never returns, whatever it is asked", "return 0 to allow, anything else to deny")
    if data:
        problem(
            "has data that outlives a call, or too much to be on the stack",
            "rules have no globals, no static variables and no long arrays: use local variables, macros, a switch",
        )
    return problems


def scan(code: bytes) -> tuple[set[int | None], bool, bool]:
    """Name the helpers that instructions call, None for any other call; whether they refer to data, and ever end.

    They do not end where a loop has no end, and where clang found that a rule's behaviour is undefined.
    """
    calls: set[int | None] = set()
    data = answers = False
    at = 0
    while at < len(code):
        opcode, registers, _offset, value = _INSTRUCTION.unpack_from(code, at)
        if opcode == _CALL:
            calls.add(None if registers >> 4 else value)
        elif opcode == _CALL_REGISTER:
            calls.add(None)
        elif opcode == _EXIT:
            answers = True
        elif opcode == _LOAD_64:
            # A constant that fits 32 bits is moved, not loaded: this is an address that a loader fills in.
            high = _INSTRUCTION.unpack_from(code, at + 8)[3] if at + 16 <= len(code) else 0
            data = data or bool(registers >> 4) or (high == 0 and value >= 0)
            at += 8
        at += 8
    return calls, data, answers


def constant(code: bytes) -> int | None:
    """Give what a function returns, if it does no more than return a constant; as 64 bits without a sign."""
    steps = [_INSTRUCTION.unpack_from(code, at) for at in range(0, len(code) & ~7, 8)]
    if len(steps) < 2 or steps[-1][0] != _EXIT or steps[0][1] & 15:
        return None
    opcode, _registers, _offset, value = steps[0]
    if len(steps) == 2 and opcode == _MOVE:
        return int(value) & _MASK
    if len(steps) == 2 and opcode == _MOVE_32:
        return int(value) & 0xFFFFFFFF
    if len(steps) == 3 and opcode == _LOAD_64 and steps[0][1] == 0 and (steps[1][3] or value < 0):
        return (int(steps[1][3]) & 0xFFFFFFFF) << 32 | int(value) & 0xFFFFFFFF
    return None


def _line(source: rule_outline.Source, rule: rule_outline.Rule, name: str) -> int:
    """Find the line that a name is first on, that of the rule where it is hidden."""
    lines = (token.line for token in source.tokens if token.text == name)
    return next(lines, rule.line)
