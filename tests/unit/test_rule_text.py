# SPDX-License-Identifier: GPL-2.0-only
"""Tokens of C: lines are put together as a compiler does it, and nothing of a text is lost."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies

from landlock_bpf import rule_text


def words(text: str) -> list[str]:
    return [token.text for token in rule_text.tokens(text) if token.kind not in rule_text.BLANKS]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a->b+++c", ["a", "-", ">", "b", "+", "+", "+", "c"]),
        ("a/**/b // c\nd", ["a", "b", "d"]),
        ("'\\'' \"\\\"/*\" u8\"x\" L'y'", ["'\\''", '"\\"/*"', 'u8"x"', "L'y'"]),
        ("1.5e+3 0x1FULL .5 1..2 a.b", ["1.5e+3", "0x1FULL", ".5", "1..2", "a", ".", "b"]),
        ("%:%: %: <: :> <% %>", ["##", "#", "[", "]", "{", "}"]),
        ("# ## ... , . $a _b", ["#", "##", "...", ",", ".", "$a", "_b"]),
        ("a\\\nb \\\n c\\  \nd", ["ab", "cd"]),
        ("/\\\n* x *\\\n/ y", ["y"]),
        ("// x\\\ny\nz", ["z"]),
        ('"a\\\nb"', ['"ab"']),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_lines_are_those_of_the_file() -> None:
    found = {token.text: token.line for token in rule_text.tokens("a\n\\\nb /* x\n\n*/ c\\\n\\\n d\ne") if token.kind == "name"}
    assert found == {"a": 1, "b": 3, "c": 5, "d": 7, "e": 8}


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("\n/* x", 2, "a comment without an end"),
        ('a\n"b\n"', 2, "a string without an end"),
        ("a\\\n'b\n", 2, "a character without an end"),
        ("a\n\n`", 3, "'`' outside of comments and strings"),
        ("a\\b", 1, "'\\\\' outside of comments and strings"),
        ("int \u00e9", 1, "'\\xe9' outside of comments and strings"),
        ("??/", 1, "a trigraph, which compilers read in two ways"),
        ('u8R"(x)"', 1, "a raw string, which compilers read in two ways"),
    ],
)
def test_what_is_no_c(text: str, line: int, what: str) -> None:
    with pytest.raises(rule_text.TextError) as caught:
        rule_text.tokens(text)
    assert (caught.value.line, caught.value.what) == (line, what)


PIECES = strategies.sampled_from(
    ["a", "1", " ", "\t", "\n", "\\\n", "\\ \n", "/* \n */", "// x", '"x"', "'y'", "+", "%:", "..."]
)


@hypothesis.given(strategies.lists(PIECES).map("".join))
def test_nothing_is_lost(text: str) -> None:
    try:
        found = rule_text.tokens(text)
    except rule_text.TextError:
        return
    lines = text.count("\n") + (not text.endswith("\n"))
    assert sum(token.text.count("\n") + token.breaks for token in found) == lines
    starts = [token.line for token in found]
    assert starts == sorted(starts) and all(1 <= line <= lines for line in starts)
