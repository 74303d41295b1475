# SPDX-License-Identifier: GPL-2.0-only
"""The words of a shell command in a file, each with its line: quotes, escapes and comments, and nothing looked up."""

from __future__ import annotations

import re

from landlock_bpf import errors
from landlock_bpf.policy_format import Leaf

_BLANKS = " \t\n"
_BLANK = re.compile(r"(?:[ \t\n]++|\\\n|#[^\n]*+)*")
_PLAIN = re.compile(r"[^ \t\n'\"\\$`;&|<>()*?\[\]{}]++")
_QUOTED = re.compile(r"'([^']*+)'")
_DOUBLE = re.compile(r'"((?:[^"\\]++|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# In double quotes a backslash is one, except before these.
_SPECIAL = re.compile(r'\\([\\$`"\n])')
_EXPANDED = re.compile(r"(?:[^\\]|^)(?:\\\\)*[$`]")


def split(text: str, file: str) -> list[Leaf]:
    """Split a text into words, as sh(1) does; raises PolicyError with all that only a shell could look up."""
    text = text.replace("\r\n", "\n")
    words = []
    problems = []
    line, counted, at = 1, 0, _skip(text, 0)
    while 0 <= at < len(text):
        line += text.count("\n", counted, at)
        counted = at
        word, at, wrong = _word(text, at)
        if wrong:
            problems.append(errors.Problem(file, line, "", *wrong))
        words.append(Leaf(word, line, ""))
        at = _skip(text, at) if at >= 0 else at
    if problems:
        raise errors.PolicyError(problems)
    return words


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _word(text: str, at: int) -> tuple[str, int, tuple[str, str] | None]:
    """Read one word: what it says, where it ends (-1: the text cannot be read on), and what is wrong with it."""
    word = ""
    wrong = None
    while at < len(text) and text[at] not in _BLANKS:
        if found := _PLAIN.match(text, at) or _QUOTED.match(text, at):
            word += found[found.lastindex or 0]
        elif found := _DOUBLE.match(text, at):
            if _EXPANDED.search(found[1]):
                wrong = _no_shell(found[1])
            word += _SPECIAL.sub(lambda special: special[1].replace("\n", ""), found[1])
        elif found := _ESCAPED.match(text, at):
            word += found[1].replace("\n", "")
        elif text[at] in "'\"\\":
            return word, -1, (f"the {text[at]} is not closed", "close it")
        else:
            wrong = _no_shell(text[at])
            at += 1
            continue
        at = found.end()
    return word, at, wrong


def _no_shell(what: str) -> tuple[str, str]:
    shown = repr(what if len(what) <= 40 else what[:37] + "...")
    return f"{shown} is for a shell, and none reads this file", "write out what it stands for, or put it in single quotes"
