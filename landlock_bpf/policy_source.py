# SPDX-License-Identifier: GPL-2.0-only
"""The text of a policy file: its values, and the line on which each of them stands.

No TOML library that starts fast tells where a value came from, so `tomllib` and `json` give the values (and the
syntax errors) and the scanner here, which may count on valid text, gives the lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from landlock_bpf import errors, source_text

# A place in a document: keys and indices from the top, ("path_beneath", 0, "parent", 1).
Place = tuple[str | int, ...]

# Many times what the largest allowed number of rules needs; keeps /dev/zero out of memory.
SIZE_MAX = 8 << 20

# No group is repeated possessively: Python before 3.11.5 mismatches those (gh-106052).
_BLANK = re.compile(r"(?:\s++|#[^\n]*+)*")
_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*"{3,5}'
    r'|"(?:[^"\\]++|\\.)*"'
    r"|'''(?:[^']++|'{1,2}(?!'))*'{3,5}"
    r"|'[^']*+'",
    re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]++")
_SCALAR = re.compile(r"[^,\]}#\n]++")
_DOT = re.compile(r"[ \t]*+\.[ \t]*+")


class Source(NamedTuple):
    """A parsed file: `values` as the format's own parser gave them, `lines` by place, `json` for the spelling of keys."""

    file: str
    values: Mapping[str, object]
    lines: Mapping[Place, int]
    json: bool

    def at(self, place: Place) -> tuple[int, str]:
        """Give the line and the key of a place; what is missing from the file stands where its table does."""
        there = place
        while there and there not in self.lines:
            there = there[:-1]
        return self.lines.get(there, 1), spell(place)


class _Scanner:
    """Walks text that its parser took, and notes the line of every key and array element."""

    def __init__(self, text: str, decode: Callable[[str], str]) -> None:
        self.text = text
        self.decode = decode
        self.at = 0
        self.line = 1
        self.counted = 0
        self.lines: dict[Place, int] = {}
        self.repeated: list[Place] = []
        self.elements: dict[Place, int] = {}

    def note(self, place: Place) -> None:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        self.lines.setdefault(place, self.line)

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if not found:
            return ""
        self.at = found.end()
        return found.group()

    def sees(self, word: str) -> bool:
        return self.text.startswith(word, self.at)

    def key(self) -> tuple[str, ...]:
        names = []
        while True:
            quoted = self.skip(_STRING)
            names.append(self.decode(quoted) if quoted else self.skip(_BARE))
            if not self.skip(_DOT):
                return tuple(names)

    def pair(self, table: Place) -> None:
        start = self.at
        names = self.key()
        end, self.at = self.at, start
        place = table
        for name in names:
            place = (*place, name)
            if place in self.lines and place == (*table, *names):
                self.repeated.append(place)
            self.note(place)
        self.at = end
        self.skip(_BLANK)
        self.at += 1  # the "=" or ":"
        self.skip(_BLANK)
        self.value(place)

    def value(self, place: Place) -> None:
        if self.sees("["):
            self.series("]", lambda index: self.element((*place, index)))
        elif self.sees("{"):
            self.series("}", lambda index: self.pair(place))
        elif not self.skip(_STRING):
            self.skip(_SCALAR)

    def element(self, place: Place) -> None:
        self.note(place)
        self.value(place)

    def series(self, close: str, one: Callable[[int], None]) -> None:
        self.at += 1
        self.skip(_BLANK)
        index = 0
        while not self.sees(close):
            one(index)
            index += 1
            self.skip(_BLANK)
            if self.sees(","):
                self.at += 1
                self.skip(_BLANK)
        self.at += 1

    def header(self) -> Place:
        """Read [a.b] or [[a.b]]: the place of the table that the lines below it fill."""
        start = self.at
        array = self.sees("[[")
        self.at += 1 + array
        self.skip(_BLANK)
        names = self.key()
        self.skip(_BLANK)
        end, self.at = self.at + 1 + array, start
        place: Place = ()
        for depth, name in enumerate(names, 1):
            place = (*place, name)
            self.note(place)
            if array and depth == len(names):
                self.elements[place] = self.elements.get(place, 0) + 1
            if place in self.elements:
                place = (*place, self.elements[place] - 1)
                self.note(place)
        self.at = end
        return place

    def document(self) -> None:
        table: Place = ()
        self.skip(_BLANK)
        while self.at < len(self.text):
            if self.sees("["):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)


def parse_toml(text: str, file: str) -> Source:
    """Parse TOML; raises PolicyError with the first syntax error, as tomllib does."""
    import tomllib  # one file needs one parser

    def decode(quoted: str) -> str:
        return str(tomllib.loads(f"k = {quoted}")["k"])

    text = text.replace("\r\n", "\n")
    try:
        values = tomllib.loads(text)
        scanner = _Scanner(text, decode)
        scanner.document()
    except (ValueError, RecursionError) as error:
        raise _syntax_error(file, "TOML", error) from error
    return Source(file, values, scanner.lines, json=False)


def parse_json(text: str, file: str) -> Source:
    """Parse JSON; a repeated key is an error too, as in landlockconfig."""
    import json  # one file needs one parser

    try:
        values = json.loads(text)
        scanner = _Scanner(text, json.loads)
        scanner.skip(_BLANK)
        scanner.value(())
    except (ValueError, RecursionError) as error:
        raise _syntax_error(file, "JSON", error) from error
    if not isinstance(values, dict):
        raise errors.PolicyError([errors.Problem(file, 1, "", "the document is not an object", "enclose it in { }")])
    if scanner.repeated:
        raise errors.PolicyError(
            errors.Problem(file, scanner.lines[place], spell(place), "the key is repeated", "keep one of them")
            for place in dict.fromkeys(scanner.repeated)
        )
    return Source(file, values, scanner.lines, json=True)


def read(path: Path) -> Source:
    """Read a policy file, TOML or JSON."""
    return parse(read_text(path), path)


def read_text(path: Path) -> str:
    """Read a policy file of any form as text."""
    return source_text.read(path, SIZE_MAX, "policy file")


def parse(text: str, path: Path) -> Source:
    """Parse the text of a file, JSON or TOML."""
    return (parse_json if is_json(text, path) else parse_toml)(text, str(path))


def is_json(text: str, path: Path) -> bool:
    """Tell whether the text of a file is JSON: it is named so, or begins with "{", which no TOML can."""
    return path.suffix == ".json" or text.lstrip().startswith("{")


def quote(text: object) -> str:
    """Show a value of a stranger's file in a message: short, on one line, no control characters."""
    shown = repr(text)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def spell(place: Place) -> str:
    """Write a place as a person would: path_beneath[0].parent[1]."""
    words = ""
    for step in place:
        if isinstance(step, int):
            words += f"[{step}]"
        else:
            name = step if _BARE.fullmatch(step) and len(step) <= 80 else quote(step)
            words += f".{name}" if words else name
    return words


def _syntax_error(file: str, language: str, error: ValueError | RecursionError) -> errors.PolicyError:
    words = str(error)
    line = getattr(error, "lineno", 0)  # json's; tomllib of Python 3.11 has it only in its words
    if isinstance(error, RecursionError):
        words = "nested too deeply"
    elif found := re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", words, re.DOTALL):
        words, line = found[1], int(found[2])
    elif language == "JSON":
        words = getattr(error, "msg", words)
    return source_text.unfit(file, line, f"not valid {language}: {words}", "mend the syntax; nothing was loaded")
