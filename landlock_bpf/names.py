# SPDX-License-Identifier: GPL-2.0-only
"""Names that rules are about: patterns of them, and the hashes by which the engine knows a name. Values.

The engine makes the same hashes, in bpf/decide.h: tests/build/test_decide.py compares the two.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from landlock_bpf import abi

SEED, _WORD, _END = 0xCBF29CE484222325, 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
_ALL_64 = (1 << 64) - 1
# The longest name that a filesystem of Linux has (limits.h, NAME_MAX), which is as much as the engine reads.
LONGEST = int(abi.Limit.COMPONENT) - 1
STAR, ESCAPE = "*", "\\"
# What a shell takes for more than itself, and who denies by it would deny nothing, were it taken for itself here.
UNKNOWN = "?[{"
# What to do about a flaw.
REMEDY = r"write a name with one * at most, *.pem or .env; \* \? \[ \{ \\ are the characters themselves"
_SIGN = re.compile(r"\\?.", re.DOTALL)


class Pattern(NamedTuple):
    """A pattern of names: what stands before its `*` and after it; with `exact` there is none, and `head` is the name.

    In its text a backslash makes `*`, `?`, `[`, `{` and a backslash stand for themselves.
    """

    head: bytes
    tail: bytes
    exact: bool

    def matches(self, name: bytes) -> bool:
        """Whether a name is meant. A `*` may stand for nothing."""
        if self.exact:
            return name == self.head
        if len(name) < len(self.head) + len(self.tail):
            return False
        return name.startswith(self.head) and name.endswith(self.tail)

    @property
    def lasts(self) -> int:
        """Give the bits of ruleset.tails: which bytes, modulo 64, a name that is meant can end in."""
        last = self.head if self.exact else self.tail
        return 1 << last[-1] % 64 if last else _ALL_64


def pattern(text: str) -> Pattern:
    """Read a pattern that has no flaw."""
    signs = _SIGN.findall(text)
    star = signs.index(STAR) if STAR in signs else len(signs)
    return Pattern(_bytes(signs[:star]), _bytes(signs[star + 1 :]), star == len(signs))


def flaw(text: str) -> str:
    """Say why a text is no pattern of names; empty where it is one."""
    if text in ("", ".", "..") or "/" in text or "\0" in text:
        return "is not a name: no name of a file is empty, . or .., or has a / or NUL in it"
    if text == STAR:
        return "would mean every name; name the directory instead"
    signs = _SIGN.findall(text)
    for sign in signs:
        if sign in UNKNOWN:
            return f"has a {sign}, and only * stands for other characters"
        if sign[0] == ESCAPE and (sign == ESCAPE or sign[1] not in STAR + UNKNOWN + ESCAPE):
            return f"has a {sign}, and a {ESCAPE} stands for nothing there"
    if signs.count(STAR) > 1:
        return "has more than one *"
    try:
        length = len(_bytes(signs))
    except UnicodeEncodeError:
        return "has half of a UTF-16 pair in it"
    return f"is longer than the {LONGEST} bytes of a name" if length > LONGEST else ""


def _bytes(signs: Sequence[str]) -> bytes:
    """Give what signs stand for, escaped or not."""
    return os.fsencode("".join(sign[-1] for sign in signs))


def hash_bytes(data: bytes) -> int:
    """Hash a name, or a part of one."""
    made = SEED
    for start in range(0, len(data), 8):
        made = (made ^ int.from_bytes(data[start : start + 8], "little")) * _WORD & _ALL_64
        made ^= made >> 29
    made = (made ^ len(data)) * _END & _ALL_64
    return made ^ made >> 32


def mix(made: int, name: int) -> int:
    """Mix the hash of a name into that of the names beneath it, 0 for none."""
    made = (made ^ name) * _WORD & _ALL_64
    return made ^ made >> 31


def prefixes(missing: Sequence[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Give for names from a directory down the hash of each path, with its last name, and whether it is the whole."""
    for count in range(1, len(missing) + 1):
        made = 0
        for name in reversed(missing[:count]):
            made = mix(made, hash_bytes(name))
        yield made, missing[count - 1], count == len(missing)


def suffixes(path: Sequence[bytes]) -> Iterator[int]:
    """Give the hash of each path that ends where this one does, and begins as far above as rules do: the shortest first."""
    made = 0
    for name in reversed(path[-int(abi.Limit.MISSING) :]):
        made = mix(made, hash_bytes(name))
        yield made


def length_bit(name: bytes) -> int:
    """Give the bit of ruleset.lengths for a name."""
    return 1 << len(name) % 64
