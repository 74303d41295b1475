# SPDX-License-Identifier: GPL-2.0-only
"""The text of a rule source as the C compiler first sees it: lines put together, then tokens, each with its line."""

from __future__ import annotations

import bisect
import dataclasses
import re
from collections.abc import Iterator

# As clang: blanks may stand between the backslash and the end of the line.
_SPLICE = re.compile(r"\\[ \t\v\f]*\n")
# No group is repeated possessively: Python before 3.11.5 mismatches those (gh-106052).
_TOKEN = re.compile(
    r"""
      (?P<comment> /\* (?: [^*]++ | \*(?!/) )* \*/ | //[^\n]*+ )
    | (?P<newline> \n )
    | (?P<space> [ \t\v\f]++ )
    | (?P<string> (?: u8 | [LuU] )? " (?: [^"\\\n]++ | \\[^\n] )* " )
    | (?P<char> [LuU]? ' (?: [^'\\\n]++ | \\[^\n] )* ' )
    | (?P<name> [A-Za-z_$] [A-Za-z0-9_$]*+ )
    | (?P<number> \.?+ [0-9] (?: [eEpP][+-] | [A-Za-z0-9_.$] )* )
    | (?P<mark> %:%: | \#\# | [%<]: | :> | <% | %> | \.\.\. | [][{}()\#<>%:;,.=+*/&|^~!?-] )
    """,
    re.VERBOSE,
)
# Other spellings of the same marks.
_DIGRAPHS = {"%:%:": "##", "%:": "#", "<:": "[", ":>": "]", "<%": "{", "%>": "}"}
_TRIGRAPH = re.compile(r"\?\?[=/'()!<>-]")
_RAW_STRING = re.compile(r"(?:u8|[LuU])?R$")
BLANKS = frozenset(("comment", "newline", "space"))


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A token: `kind` is the name of a group above, `breaks` counts ends of lines within or after it that were spliced."""

    kind: str
    text: str
    line: int
    breaks: int


class TextError(Exception):
    """The text does not fall into tokens: on `line`, `what` is wrong, and how to mend it."""

    def __init__(self, line: int, what: str, remedy: str) -> None:
        self.line = line
        self.what = what
        self.remedy = remedy
        super().__init__(line, what, remedy)


def tokens(text: str) -> tuple[Token, ...]:
    """Take C text, whose lines end in \\n, apart; together the tokens are all of it. Raises TextError."""
    if not text.endswith("\n"):
        text += "\n"
    return tuple(_scan(text))


def _scan(text: str) -> Iterator[Token]:
    spliced, cuts = _splice(text)
    ends = [found.start() for found in re.finditer("\n", spliced)]

    def line_of(at: int) -> int:
        return 1 + bisect.bisect_left(ends, at) + bisect.bisect_right(cuts, at)

    if cuts and cuts[0] == 0:
        yield Token("space", "", 1, bisect.bisect_right(cuts, 0))
    at = 0
    while at < len(spliced):
        found = _TOKEN.match(spliced, at)
        if not found or (found.lastgroup == "mark" and spliced.startswith("/*", at)):
            raise _refusal(spliced, at, line_of(at))
        kind, words, end = str(found.lastgroup), found.group(), found.end()
        if kind != "comment":
            if _TRIGRAPH.match(spliced, at):
                raise TextError(line_of(at), "a trigraph, which compilers read in two ways", "write the character itself")
            if kind == "name" and spliced.startswith('"', end) and _RAW_STRING.match(words):
                raise TextError(line_of(at), "a raw string, which compilers read in two ways", "write an ordinary string")
        breaks = bisect.bisect_right(cuts, end) - bisect.bisect_right(cuts, at)
        yield Token(kind, _DIGRAPHS.get(words, words) if kind == "mark" else words, line_of(at), breaks)
        at = end


def _splice(text: str) -> tuple[str, list[int]]:
    """Put lines together that end in a backslash; give the places where, in what comes out."""
    parts: list[str] = []
    cuts: list[int] = []
    at = length = 0
    for found in _SPLICE.finditer(text):
        parts.append(text[at : found.start()])
        length += found.start() - at
        cuts.append(length)
        at = found.end()
    parts.append(text[at:])
    return "".join(parts), cuts


def _refusal(text: str, at: int, line: int) -> TextError:
    sign = text[at]
    if text.startswith("/*", at):
        return TextError(line, "a comment without an end", "close it with */")
    if sign in "\"'":
        name = "a string" if sign == '"' else "a character"
        return TextError(line, f"{name} without an end", f"close it with {sign} on the same line")
    return TextError(line, f"{sign!a} outside of comments and strings", "C is written in ASCII")
