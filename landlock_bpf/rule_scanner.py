# SPDX-License-Identifier: GPL-2.0-only
"""The scanner of rule sources: finds what is in which section, and refuses what could hide something from it."""

from __future__ import annotations

import dataclasses
import re
from typing import NoReturn

from landlock_bpf import errors, rule_headers, rule_names, rule_outline, rule_text
from landlock_bpf.abi import Limit

LICENSES = ("GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL")
# What bpf_helpers.h of 2017 had; a source that brings its own means the same.
_OWN_SEC = re.compile(r"SEC\((\w+)\)__attribute__\(\(section\(\1\),used\)\)")
_SECTION = re.compile(r"[A-Za-z0-9_./-]{1,80}")
# More than LIMIT_SOURCES rules have, each with a subtype. Each stands for a search through what follows it.
MARKED_MAX = 200
DECLARATION_MAX = 2000  # tokens
PROBLEMS_MAX = 100  # told at once
_DIRECTIVES = frozenset(("define", "undef", "include", "if", "ifdef", "ifndef", "elif", "else", "endif", "error", "warning"))
_PRAGMAS = re.compile(r"(unroll|nounroll|once|clang loop)\b")
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_ATTRIBUTE = ("__attribute__", "__attribute")


def scan(text: str, file: str) -> rule_outline.Source:
    """Scan a rule source; raises PolicyError with all problems, TextError where it does not fall into tokens."""
    scanner = _Scanner(rule_text.tokens(text), file)
    scanner.lines()
    scanner.declarations()
    return scanner.source(text)


def header(text: str, name: str) -> tuple[tuple[rule_text.Token, ...], tuple[rule_outline.Edit, ...], frozenset[int]]:
    """Scan a header of ours, which has no sections: its tokens, what it includes, and the names to keep."""
    scanner = _Scanner(rule_text.tokens(text), name)
    scanner.lines()
    scanner.attributes(scanner.code)
    return scanner.tokens, tuple(scanner.edits), frozenset(scanner.kept)


@dataclasses.dataclass(frozen=True)
class _Declaration:
    """What a SEC() belongs to: `end` is the place of the `{`, `=` or `;` after the declarator."""

    name: str
    function: bool
    static: bool
    const: bool
    prefix: bool
    end: int


class _Scanner:
    def __init__(self, tokens: tuple[rule_text.Token, ...], file: str) -> None:
        self.tokens = tokens
        self.file = file
        self.problems: list[errors.Problem] = []
        self.edits: list[rule_outline.Edit] = []
        self.kept: set[int] = set()
        self.rules: list[rule_outline.Rule] = []
        self.subtypes: list[rule_outline.Subtype] = []
        self.views: list[rule_outline.View] = []
        self.licenses: list[str] = []
        # Outside of directives, without blanks: places in `tokens`; and those of them inside #if.
        self.code: list[int] = []
        self.conditional: set[int] = set()
        self.ends: dict[int, int] = {}
        self.marked = 0

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
        if first.text in ("if", "elif"):
            # `defined` is no name of the file's.
            self.kept.update(at for at in rest if self.tokens[at].text == "defined")
        elif first.text not in ("ifdef", "ifndef", "define"):
            return
        self.attributes(rest)

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
        if is_own(name) or name == "defined":
            self.problem(rest[0], "a word of C itself", "name the macro otherwise", name)
        for place, text in enumerate(texts):
            if text in ("SEC", "LANDLOCK_FSVIEW"):
                self.problem(rest[place], f"{text}() hidden in a macro", "write it where it belongs", name)
            elif text == "#":
                self.problem(rest[place], f"# {_SHOWN}", "write the string out", name)
            elif text == "##" and (not place or texts[place - 1] != ","):
                self.problem(rest[place], "## makes names, which cannot be told before", "write the name out", name)
        return False

    def include(self, line: list[int], end: int) -> None:
        words = "".join(self.tokens[at].text for at in line[2:])
        name = words[1:-1]
        if words[:1] + words[-1:] not in ('""', "<>") or name not in rule_headers.names():
            self.problem(line[0], "no header that rules have", f"they have {', '.join(rule_headers.names())}", words)
            return
        self.edits.append(rule_outline.Edit(line[0], end, header=name, after=self.tokens[end].line + 1))

    def pragma(self, rest: list[int], at: int) -> None:
        words = " ".join(self.tokens[place].text for place in rest)
        if not _PRAGMAS.match(words):
            self.problem(at, "a pragma that rules cannot have", "they can have `unroll` and `clang loop`", f"#pragma {words}")
        for place, token in ((place, self.tokens[place]) for place in rest):
            if token.text in ("unroll", "nounroll", "once", "clang", "loop", "full", "enable", "disable", "unroll_count"):
                self.kept.add(place)

    # Code: attributes, and the declarations with a section.

    def declarations(self) -> None:
        self.match()
        begin = depth = at = 0
        body = False
        before = ""
        while at < len(self.code):
            text = self.text(at)
            if text in ("SEC", "LANDLOCK_FSVIEW") or text in _ATTRIBUTE:
                self.marked += text not in _ATTRIBUTE
                if self.marked > MARKED_MAX:
                    line = self.tokens[self.code[at]].line
                    raise rule_text.TextError(line, f"more than {MARKED_MAX} sections and views", "is it a rule source?")
                if text == "SEC":
                    at = self.section(begin, at, depth)
                elif text == "LANDLOCK_FSVIEW":
                    at = self.view(begin, at, depth)
                else:
                    at = self.attribute(self.code, at)
                continue
            if text == "{" and not depth and before == ")":
                body = True
            depth += text in _OPEN
            depth = max(0, depth - (text in _CLOSE))
            if not depth and (text == ";" or (text == "}" and body)):
                begin, body = at + 1, False
            before = text
            at += 1

    def text(self, at: int) -> str:
        """Give the text of a token of the code, "" after its end; of strings and characters only the first sign."""
        if not 0 <= at < len(self.code):
            return ""
        token = self.tokens[self.code[at]]
        return token.text if token.kind in ("name", "mark", "number") else token.text[0]

    def match(self) -> None:
        """Find for each opening bracket of the code the place after the one that closes it."""
        open_: list[int] = []
        for at in range(len(self.code)):
            text = self.text(at)
            if text in _OPEN:
                open_.append(at)
            elif text in _CLOSE and open_:
                self.ends[open_.pop()] = at + 1

    def closed(self, at: int) -> int:
        """Give the place after the bracket that closes the one at `at`; of anything else the place after it."""
        return self.ends.get(at, len(self.code) if self.text(at) in _OPEN else at + 1)

    def attributes(self, line: list[int]) -> None:
        at = 0
        while at < len(line):
            at = self.attribute(line, at) if self.tokens[line[at]].text in _ATTRIBUTE else at + 1

    def attribute(self, line: list[int], at: int) -> int:
        """Look at the attributes that begin at `at`; their names are nobody's. Give the place after them."""
        texts = [self.tokens[place].text for place in line[at + 1 : at + 3]]
        if texts != ["(", "("]:
            self.problem(line[at], "an attribute in parts", "write __attribute__((NAME)) as one", "__attribute__")
            return at + 1
        depth, first = 2, True
        at += 3
        while at < len(line) and depth:
            token = self.tokens[line[at]]
            depth += token.text in _OPEN
            depth -= token.text in _CLOSE
            if depth == 2 and token.kind == "name":
                plain = token.text.removeprefix("__").removesuffix("__")
                if plain == "section":
                    self.problem(line[at], "a section written out", 'write SEC("NAME")', "section")
                elif not first or plain not in rule_names.ATTRIBUTES:
                    self.problem(line[at], "an attribute that rules cannot have", "take it out", token.text)
                self.kept.add(line[at])
            first = depth == 2 and token.text == ","
            at += 1
        return at

    def section(self, begin: int, at: int, depth: int) -> int:
        place = self.code[at]
        end = self.closed(at + 1) if self.text(at + 1) == "(" else at + 1
        inside = [self.tokens[place] for place in self.code[at + 2 : end - 1]]
        if not inside or any(token.kind != "string" for token in inside):
            self.problem(place, "a section that is not written out", 'write SEC("NAME")', "SEC")
            return at + 1
        section = "".join(token.text[1:-1] for token in inside)
        if not _SECTION.fullmatch(section):
            self.problem(place, "no name of a section", "write letters, digits, _ . / and -", repr(section))
            return end
        if depth:
            self.problem(place, "a section inside of something else", "write it before a function or variable", section)
            return end
        if place in self.conditional:
            self.problem(place, "a section inside of #if", "write it outside, or as two files", section)
            return end
        found = self.declaration(begin, at, end)
        if not found:
            self.problem(place, "cannot tell what has this section", "write it before a function or variable", section)
            return end
        self.edits.append(rule_outline.Edit(place, self.code[end - 1] + 1, "__attribute__((unused))"))
        words = ("" if found.static else "static ") + ("" if found.function or found.const else "const ")
        start = self.code[at if found.prefix else begin]
        self.edits.append(rule_outline.Edit(start, start, words))
        self.place(section, found, place)
        return end

    def declaration(self, begin: int, at: int, end: int) -> _Declaration | None:
        """Find what a SEC() from `at` to `end` belongs to, in the declaration that begins at `begin`."""
        front, _stop, _called = self.words(max(begin, at - DECLARATION_MAX), at)
        back, stop, called = self.words(end, min(len(self.code), end + DECLARATION_MAX))
        prefix = any(not is_own(word) for word in back)
        if not prefix:
            back = front
            called = ""
        names = [word for word in back if not is_own(word)]
        if not names or self.text(stop) not in ("{", ";", "="):
            return None
        return _Declaration(called or names[-1], bool(called), "static" in front + back, "const" in front + back, prefix, stop)

    def words(self, at: int, end: int) -> tuple[list[str], int, str]:
        """Give the names outside of brackets up to the end of a declarator, its place, and the name before a `(`."""
        names: list[str] = []
        called = before = ""
        while at < end:
            text = self.text(at)
            if text in (";", "=") or (text == "{" and before == ")"):
                break
            if text in _ATTRIBUTE or text == "SEC":
                at = self.closed(at + 1)
                continue
            if text in _OPEN:
                if text == "(" and before and before == (names or [""])[-1] and not is_own(before):
                    called = called or before
                at, before = self.closed(at), ")" if text == "(" else ""
                continue
            if self.tokens[self.code[at]].kind == "name":
                names.append(text)
            before = text
            at += 1
        return names, at, called

    def place(self, section: str, found: _Declaration, place: int) -> None:
        line = self.tokens[place].line
        if section.startswith("landlock"):
            if not found.function or self.text(found.end) != "{":
                self.problem(place, "no function", "write SEC() before the function itself", section)
            elif any(rule.section == section for rule in self.rules):
                self.problem(place, "two rules in one section", "give each its own: landlock1, landlock2", section)
            else:
                self.rules.append(rule_outline.Rule(found.name, section, line, len(self.rules)))
        elif section == "subtype" or section.startswith("subtype/"):
            if found.function or self.text(found.end) != "=":
                self.problem(place, "no variable with a value", "write union bpf_prog_subtype NAME = { ... }", section)
            elif section != "subtype" and any(subtype.section == section for subtype in self.subtypes):
                self.problem(place, "two subtypes for one rule", "keep one of them", section)
            else:
                self.subtypes.append(rule_outline.Subtype(found.name, section, line))
                self.alone(found.end, place, section)
        elif section == "license":
            self.license(found, place)
        elif section != "version":
            what = "rules have no maps" if section == "maps" else "no section of rules"
            self.problem(place, what, "theirs are landlock..., subtype, subtype/SECTION, license, version", section)

    def alone(self, at: int, place: int, section: str) -> None:
        """Refuse a second variable in the same declaration: it would be in the section too."""
        while self.text(at) not in ("", ";"):
            if self.text(at) == ",":
                self.problem(place, "several variables with one SEC()", "write a declaration for each", section)
                return
            at = self.closed(at) if self.text(at) in _OPEN else at + 1

    def license(self, found: _Declaration, place: int) -> None:
        values: list[str] = []
        at = found.end
        while self.text(at) not in ("", ";") and len(values) < 10:
            token = self.tokens[self.code[at]]
            if token.kind == "string":
                values.append(token.text[1:-1])
            elif token.text not in ("=", "{", "}"):
                values.append(token.text)
            at += 1
        license = "".join(values)
        self.licenses.append(license)
        if found.function or license not in LICENSES:
            self.problem(
                place, "no license for programs that judge accesses", f"they are under {', '.join(LICENSES)}", "license"
            )

    def view(self, begin: int, at: int, depth: int) -> int:
        place = self.code[at]
        end = self.closed(at + 1) if self.text(at + 1) == "(" else at + 1
        inside = [self.tokens[place] for place in self.code[at + 2 : end - 1]]
        number = re.fullmatch(r"(0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]*", inside[2].text) if len(inside) == 3 else None
        if [token.kind for token in inside] != ["name", "mark", "number"] or inside[1].text != "," or not number:
            self.problem(place, "a view that is not written out", "write LANDLOCK_FSVIEW(NAME, NUMBER)", "LANDLOCK_FSVIEW")
            return at + 1
        name, digits = inside[0].text, number[1]
        octal = len(digits) > 1 and digits.isdigit() and digits[0] == "0"
        if depth or begin != at or place in self.conditional:
            self.problem(place, "a view inside of something else", "declare it by itself, outside of functions and #if", name)
        elif is_own(name):
            self.problem(place, "a word of C itself", "name the view otherwise", name)
        elif any(view.name == name for view in self.views):
            self.problem(place, "two views of one name", "keep one of them", name)
        elif octal or not 1 <= int(digits, 0) <= Limit.MARKED:
            self.problem(place, f"{digits[:20]} objects", f"a view can have 1 to {int(Limit.MARKED)}", name)
        else:
            self.views.append(rule_outline.View(name, int(digits, 0), self.tokens[place].line))
        stop = "" if self.text(end) == ";" else ";"
        words = f"static const struct {{p}}bpf_fsview {{p}}{name} __attribute__((unused)) = {{{{ {{n}}, {digits} }}}}{stop}"
        self.edits.append(rule_outline.Edit(place, self.code[end - 1] + 1, words, view=name))
        return end

    def source(self, text: str) -> rule_outline.Source:
        """Put together what was found; raises PolicyError."""
        found, problems = rule_outline.pair(self.rules, self.subtypes, self.file)
        if not self.problems:
            self.problems += problems
        if not self.rules and not self.problems:
            self.problems.append(
                errors.Problem(self.file, 0, "", "there is no rule", 'write SEC("landlock1") before a function')
            )
        if len(self.rules) > Limit.SOURCES:
            line = self.rules[Limit.SOURCES].line
            what = f"more than {int(Limit.SOURCES)} rules"
            self.problems.append(errors.Problem(self.file, line, "", what, "no domain can have more; take some out"))
        if not self.licenses and not self.problems:
            remedy = 'write SEC("license") static const char _license[] = "GPL";'
            self.problems.append(errors.Problem(self.file, 0, "", "there is no license", remedy))
        if len(self.licenses) > 1:
            self.problems.append(errors.Problem(self.file, 0, "license", "there is more than one", "keep one of them"))
        if self.problems:
            self.refuse()
        return rule_outline.Source(
            self.file,
            text,
            tuple(self.rules),
            found,
            tuple(self.views),
            self.licenses[0],
            self.tokens,
            tuple(sorted(self.edits, key=lambda edit: (edit.start, edit.end))),
            frozenset(self.kept),
        )


def is_own(name: str) -> bool:
    """Tell whether a name is C's own, and so means the same in every file."""
    return name in rule_names.OWN or name.startswith(rule_names.OWN_PREFIXES)


_SHOWN = "would show a name that was changed, for all files of a layer are compiled together"
