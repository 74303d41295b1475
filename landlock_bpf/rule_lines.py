# SPDX-License-Identifier: GPL-2.0-only
"""The lines of a rule source: directives are looked at, what is left is code; attributes in both."""

from __future__ import annotations

import re
from typing import NoReturn

from landlock_bpf import errors, rule_headers, rule_names, rule_outline, rule_text

PROBLEMS_MAX = 100  # told at once
INCLUDES_MAX = 100  # each is put in whole
# What bpf_helpers.h of 2017 had; a source that brings its own means the same.
_OWN_SEC = re.compile(r"SEC\((\w+)\)__attribute__\(\(section\(\1\),used\)\)")
_DIRECTIVES = frozenset(("define", "undef", "include", "if", "ifdef", "ifndef", "elif", "else", "endif", "error", "warning"))
_PRAGMAS = re.compile(r"(unroll|nounroll|once|clang loop)\b")
_PRAGMA_WORDS = frozenset(("unroll", "nounroll", "once", "clang", "loop", "full", "enable", "disable", "unroll_count"))
_PREDEFINED = re.compile(r"__\w+__")
OPEN, CLOSE = frozenset("([{"), frozenset(")]}")
ATTRIBUTE = ("__attribute__", "__attribute")
_SHOWN = "would show a name that was changed, for all files of a layer are compiled together"


class Lines:
    """Walks the lines of a rule source, and notes what is wrong with them."""

    def __init__(self, tokens: tuple[rule_text.Token, ...], file: str) -> None:
        self.tokens = tokens
        self.file = file
        self.problems: list[errors.Problem] = []
        self.edits: list[rule_outline.Edit] = []
        self.kept: set[int] = set()
        self.included = 0
        # Outside of directives, without blanks: places in `tokens`; and those of them inside #if.
        self.code: list[int] = []
        self.conditional: set[int] = set()
        # Macros; names that #if asks about; attributes, each with the macro that it is in: by their places.
        self._macros: dict[str, int] = {}
        self._asked: list[int] = []
        self._attributed: list[tuple[int, str]] = []

    def problem(self, at: int, what: str, remedy: str, key: str = "") -> None:
        self.problems.append(errors.Problem(self.file, self.tokens[at].line, key[:80], what, remedy))
        if len(self.problems) >= PROBLEMS_MAX:
            self.refuse()

    def refuse(self) -> NoReturn:
        raise errors.PolicyError(sorted(self.problems, key=lambda problem: problem.line))

    # Lines: directives are looked at, the rest is code.

    def lines(self) -> None:
        depth: list[int] = []
        line: list[int] = []
        for at, token in enumerate(self.tokens):
            if token.kind not in rule_text.BLANKS:
                line.append(at)
            if token.kind != "newline":
                continue
            if line and self.tokens[line[0]].text == "#":
                self.directive(line, at, depth)
            else:
                self.names(line)
                self.code += line
                if depth:
                    self.conditional.update(line)
            line = []
        for at in depth:
            self.problem(at, "#if without #endif", "end it in the same file")

    def names(self, line: list[int]) -> None:
        for at in line:
            token = self.tokens[at]
            if token.kind == "name" and token.text in rule_names.REFUSED:
                self.problem(at, rule_names.REFUSED[token.text], "do without it in rules", token.text)

    def directive(self, line: list[int], end: int, depth: list[int]) -> None:
        """Look at one directive; `end` is the place of the newline after it."""
        if len(line) == 1:
            return
        first = self.tokens[line[1]]
        rest = line[2:]
        if first.kind != "name" or (first.text not in _DIRECTIVES and first.text != "pragma"):
            self.problem(line[0], "a directive that rules cannot have", "take it out", f"#{first.text}")
            return
        self.kept.add(line[1])
        if first.text not in ("include", "error", "warning"):
            self.names(rest)
        if first.text in ("if", "ifdef", "ifndef"):
            depth.append(line[0])
        elif first.text in ("elif", "else", "endif") and not depth:
            self.problem(line[0], f"#{first.text} without #if", "begin it in the same file")
        elif first.text == "endif":
            depth.pop()
        elif first.text in ("define", "undef"):
            if self.define(line, end):
                return
        elif first.text == "include":
            self.include(line, end)
            return
        elif first.text == "pragma":
            self.pragma(rest, line[0])
        if first.text in ("if", "elif", "ifdef", "ifndef"):
            names = [at for at in rest if self.tokens[at].kind == "name" and not rule_names.is_own(self.tokens[at].text)]
            self._asked += [at for at in names if _PREDEFINED.fullmatch(self.tokens[at].text)]
        if first.text in ("if", "elif"):
            # `defined` is no name of the file's.
            self.kept.update(at for at in rest if self.tokens[at].text == "defined")
        elif first.text not in ("ifdef", "ifndef", "define"):
            return
        self.attributes(rest, self.tokens[rest[0]].text if rest and first.text == "define" else "")

    def define(self, line: list[int], end: int) -> bool:
        """Look at a #define or #undef; tell whether it is the one of SEC(), which is left out."""
        rest = line[2:]
        texts = [self.tokens[at].text for at in rest]
        if not rest:
            return False  # the compiler says so better
        name = texts[0]
        if name == "SEC" and _OWN_SEC.fullmatch("".join(texts)):
            self.edits.append(rule_outline.Edit(line[0], end))
            return True
        if rule_names.is_own(name) or name == "defined":
            self.problem(rest[0], "a word of C itself", "name the macro otherwise", name)
        self._macros.setdefault(name, rest[0])
        for place, text in enumerate(texts):
            if text in ("SEC", "LANDLOCK_FSVIEW"):
                self.problem(rest[place], f"{text}() hidden in a macro", "write it where it belongs", name)
            elif text == "#":
                self.problem(rest[place], f"# {_SHOWN}", "write the string out", name)
            elif text == "##" and (not place or texts[place - 1] != ","):
                self.problem(rest[place], "## makes names, which cannot be told before", "write the name out", name)
        return False

    def include(self, line: list[int], end: int) -> None:
        words = "".join(token.text for token in self.tokens[line[2] : line[-1] + 1]) if len(line) > 2 else ""
        name = words[1:-1]
        if words[:1] + words[-1:] not in ('""', "<>") or name not in rule_headers.names():
            self.problem(line[0], "no header that rules have", f"they have {', '.join(rule_headers.names())}", words)
            return
        self.included += 1
        if self.included > INCLUDES_MAX:
            line_number = self.tokens[line[0]].line
            raise rule_text.TextError(line_number, f"more than {INCLUDES_MAX} times #include", "one of each is enough")
        self.edits.append(rule_outline.Edit(line[0], end, header=name, after=self.tokens[end].line + 1))

    def pragma(self, rest: list[int], at: int) -> None:
        words = " ".join(self.tokens[place].text for place in rest)
        if not _PRAGMAS.match(words):
            self.problem(at, "a pragma that rules cannot have", "they can have `unroll` and `clang loop`", f"#pragma {words}")
        for place, token in ((place, self.tokens[place]) for place in rest):
            if token.text in _PRAGMA_WORDS:
                self.kept.add(place)

    def macros(self) -> None:
        """Look at what macros would change that the names of ours no longer show."""
        for at in self._asked:
            name = self.tokens[at].text
            if name not in self._macros:
                self.problem(at, "#if asks about the compiler, and a rule is to be the same with each", "do without it", name)
        for at, macro in self._attributed:
            name = self.tokens[at].text
            if name in self._macros and name != macro:
                self.problem(self._macros[name], "the name of an attribute", "name the macro otherwise", name)

    def attributes(self, line: list[int], macro: str = "") -> None:
        """Look at the attributes of a line, or of all code."""
        at = 0
        while at < len(line):
            at = self.attribute(line, at, macro) if self.tokens[line[at]].text in ATTRIBUTE else at + 1

    def attribute(self, line: list[int], at: int, macro: str = "") -> int:
        """Look at the attributes that begin at `at`; their names are nobody's. Give the place after them."""
        texts = [self.tokens[place].text for place in line[at + 1 : at + 3]]
        if texts != ["(", "("]:
            self.problem(line[at], "an attribute in parts", "write __attribute__((NAME)) as one", "__attribute__")
            return at + 1
        depth, first = 2, True
        at += 3
        while at < len(line) and depth:
            token = self.tokens[line[at]]
            depth += token.text in OPEN
            depth -= token.text in CLOSE
            if depth == 2 and token.kind == "name":
                plain = token.text.removeprefix("__").removesuffix("__")
                if plain == "section":
                    self.problem(line[at], "a section written out", 'write SEC("NAME")', "section")
                elif not first or plain not in rule_names.ATTRIBUTES:
                    self.problem(line[at], "an attribute that rules cannot have", "take it out", token.text)
                self.kept.add(line[at])
                self._attributed.append((line[at], macro))
            first = depth == 2 and token.text == ","
            at += 1
        return at
