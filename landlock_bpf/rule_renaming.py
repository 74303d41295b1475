# SPDX-License-Identifier: GPL-2.0-only
"""Rule sources and their headers, renamed: each name that is not C's own gets a prefix.

So the files of a layer can be compiled together without one seeing another, or anything of ours: their types, macros
and functions have names of their own, and no name in them leads out. Only our headers can, by names that begin with
__landlock_, which are those of bpf/answer.h.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping

from landlock_bpf import rule_headers, rule_names, rule_outline, rule_scanner, rule_text

ANSWER = "__landlock_"
_MESSAGE = re.compile(r"(?:(.+?:\d+)(?::\d+)?: |clang[^:]*: )?((?:fatal )?error|LLVM ERROR|note): (.*)")
# Of the backend, which tells the function's line as well, and of a crash.
_NOISE = ("could not determine the original source location", "diagnostic msg", "clang frontend command failed")
_RENAMED = re.compile(r"\brule\d+_")
# Whatever a loader's flags: what only warns in C is no rule that one should rely on. Everything is inlined, since
# neither the BPF of 2017 nor bcc has calls, and nothing is seen from outside.
_BEFORE = """\
#pragma clang diagnostic push
#pragma clang diagnostic error "-Wimplicit-function-declaration"
#pragma clang diagnostic error "-Wimplicit-int"
#pragma clang diagnostic error "-Wincompatible-pointer-types"
#pragma clang diagnostic error "-Wint-conversion"
#pragma clang diagnostic error "-Wreturn-type"
#pragma clang diagnostic error "-Wuninitialized"
#pragma clang diagnostic error "-Wunknown-attributes"
#pragma clang attribute push(__attribute__((always_inline)), apply_to = function)
#pragma clang attribute push(__attribute__((internal_linkage)), apply_to = function)
"""
_AFTER = """\
#pragma clang attribute pop
#pragma clang attribute pop
#pragma clang diagnostic pop
"""


def rename(source: rule_outline.Source, prefix: str, numbers: Mapping[str, int]) -> str:
    """Give the text to compile, with lines that lead back to the file; `numbers` are those of the views, by name."""
    text = _render(source.tokens, source.edits, source.kept, prefix, numbers, source.path)
    return f"{_BEFORE}{line(1, source.path)}{text}{_AFTER}"


def _render(
    tokens: tuple[rule_text.Token, ...],
    edits: Iterable[rule_outline.Edit],
    kept: frozenset[int],
    prefix: str,
    numbers: Mapping[str, int],
    path: str,
) -> str:
    parts: list[str] = []
    done = 0
    for edit in edits:
        parts += [_word(tokens[at], at in kept, prefix, "") for at in range(done, edit.start)]
        if edit.header:
            parts += [line(1, f"landlock-bpf/{edit.header}"), _header(edit.header, prefix), line(edit.after, path).rstrip("\n")]
        elif edit.text:
            words = edit.text
            if edit.view:
                words = words.format(p=prefix, n=numbers[edit.view])
            # No name of the edits themselves is the file's.
            parts.append(words)
        gone = tokens[edit.start : edit.end]
        if not edit.header:
            parts += ["\n" if token.kind == "newline" else "\\\n" * _breaks(token) for token in gone]
        done = max(done, edit.end)
    parts += [_word(tokens[at], at in kept, prefix, "") for at in range(done, len(tokens))]
    return "".join(parts)


def _word(token: rule_text.Token, kept: bool, prefix: str, answer: str) -> str:
    text = token.text
    if token.kind == "name":
        if not (kept or rule_names.is_own(text) or (answer and text.startswith(answer))):
            text = prefix + text
    elif token.kind == "comment":
        text = " "
    return text + "\\\n" * _breaks(token)


def _breaks(token: rule_text.Token) -> int:
    """Count the ends of lines that a token has in it, apart from its being one."""
    return token.breaks + (token.text.count("\n") if token.kind == "comment" else 0)


@functools.cache
def _scanned(name: str) -> tuple[tuple[rule_text.Token, ...], tuple[rule_outline.Edit, ...], frozenset[int]]:
    return rule_scanner.header(rule_headers.read(name), name)


def _header(name: str, prefix: str) -> str:
    """Give a header of ours, and all that it includes, renamed as the file that includes it."""
    parts: list[str] = []
    tokens, edits, kept = _scanned(name)
    done = 0
    for edit in edits:
        parts += [_word(tokens[at], at in kept, prefix, ANSWER) for at in range(done, edit.start)]
        parts += [
            line(1, f"landlock-bpf/{edit.header}"),
            _header(edit.header, prefix),
            line(edit.after, f"landlock-bpf/{name}"),
        ]
        done = edit.end + 1
    parts += [_word(tokens[at], at in kept, prefix, ANSWER) for at in range(done, len(tokens))]
    return "".join(parts)


def restore(words: str) -> str:
    """Give a compiler's errors with the names as they are in the sources; the text that it shows is not theirs."""
    told: list[str] = []
    for found in filter(None, map(_MESSAGE.fullmatch, words.splitlines())):
        if found[3].startswith(_NOISE):
            continue
        place = f"{found[1]}: " if found[1] else ""
        told.append(f"{place}{found[2]}: {_RENAMED.sub('', found[3])}")
    return "\n".join(told) or words.strip() or "the compiler ended without a word"


def line(number: int, path: str) -> str:
    """Write the directive by which a compiler names the lines that follow."""
    shown = "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in path)
    return f'#line {number} "{shown}"\n'
