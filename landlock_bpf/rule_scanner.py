# SPDX-License-Identifier: GPL-2.0-only
"""The scanner of rule sources: finds what is in which section, and refuses what could hide something from it."""

from __future__ import annotations

import dataclasses
import re

from landlock_bpf import errors, rule_lines, rule_names, rule_outline, rule_text
from landlock_bpf.abi import Limit

LICENSES = ("GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL")
_SECTION = re.compile(r"[A-Za-z0-9_./-]{1,80}")
# More than LIMIT_SOURCES rules have, each with a subtype. Each stands for a search through what follows it.
MARKED_MAX = 200
DECLARATION_MAX = 2000  # tokens


def scan(text: str, file: str) -> rule_outline.Source:
    """Scan a rule source; raises PolicyError with all problems, TextError where it does not fall into tokens."""
    scanner = _Scanner(rule_text.tokens(text), file)
    scanner.lines()
    scanner.declarations()
    scanner.macros()
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


class _Scanner(rule_lines.Lines):
    def __init__(self, tokens: tuple[rule_text.Token, ...], file: str) -> None:
        super().__init__(tokens, file)
        self.rules: list[rule_outline.Rule] = []
        self.subtypes: list[rule_outline.Subtype] = []
        self.views: list[rule_outline.View] = []
        self.licenses: list[str] = []
        self.ends: dict[int, int] = {}
        self.marked = 0

    def declarations(self) -> None:
        self.match()
        begin = depth = at = 0
        body = False
        before = ""
        while at < len(self.code):
            text = self.text(at)
            if text in ("SEC", "LANDLOCK_FSVIEW") or text in rule_lines.ATTRIBUTE:
                self.marked += text not in rule_lines.ATTRIBUTE
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
            depth += text in rule_lines.OPEN
            depth = max(0, depth - (text in rule_lines.CLOSE))
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
            if text in rule_lines.OPEN:
                open_.append(at)
            elif text in rule_lines.CLOSE and open_:
                self.ends[open_.pop()] = at + 1

    def closed(self, at: int) -> int:
        """Give the place after the bracket that closes the one at `at`; of anything else the place after it."""
        return self.ends.get(at, len(self.code) if self.text(at) in rule_lines.OPEN else at + 1)

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
        prefix = any(not rule_names.is_own(word) for word in back)
        if not prefix:
            back = front
            called = ""
        names = [word for word in back if not rule_names.is_own(word)]
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
            if text in rule_lines.ATTRIBUTE or text == "SEC":
                at = self.closed(at + 1)
                continue
            if text in rule_lines.OPEN:
                if text == "(" and before and before == (names or [""])[-1] and not rule_names.is_own(before):
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
            at = self.closed(at) if self.text(at) in rule_lines.OPEN else at + 1

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
        elif rule_names.is_own(name):
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
