# SPDX-License-Identifier: GPL-2.0-only
"""The scanner agrees with the parsers about what is where, and nothing that a file may hold ends in a traceback."""

from __future__ import annotations

import json
import string
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from landlock_bpf import errors, policy_source

BARE = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=4)
KEYS = st.one_of(BARE, st.sampled_from(["", " ", "a.b", 'q"', "'", "é", "#", "[", "=", "\\"]))
TEXTS = st.text(st.sampled_from("ab \"'\\#[]{}=,.\n\té"), max_size=12)
SCALARS = st.one_of(TEXTS, st.integers(-99, 99), st.booleans(), st.sampled_from([1.5, -0.25]))
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)), max_leaves=8
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)
BLANKS = st.sampled_from(["", " ", "\t", "\n", "\n\n", " # a ] } comment '\n"])


class TomlWriter:
    """Writes a document as TOML in one of its many ways, and notes on which line it put everything."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[policy_source.Place, int] = {}

    def note(self, place: policy_source.Place) -> None:
        self.lines.setdefault(place, self.text.count("\n") + 1)

    def key(self, name: str) -> None:
        bare = name and all(char in string.ascii_letters + string.digits + "-_" for char in name)
        self.text += name if bare and self.draw(st.booleans()) else basic(name)

    def scalar(self, value: object) -> None:
        if not isinstance(value, str):
            self.text += json.dumps(value)
            return
        styles = [basic(value), '"""\n' + basic(value)[1:-1].replace("\\n", "\n").replace("\\\\\n", "\\\\\\n") + '"""']
        if "'" not in value and "\n" not in value:
            styles.append(f"'{value}'")
        if "'''" not in value and not value.endswith("'"):
            styles.append(f"'''\n{value}'''")
        self.text += self.draw(st.sampled_from(styles))

    def value(self, value: object, place: policy_source.Place) -> None:
        if isinstance(value, list):
            self.text += "[" + self.draw(BLANKS)
            for index, item in enumerate(value):
                self.note((*place, index))
                self.value(item, (*place, index))
                self.text += (
                    self.draw(BLANKS) + ("," if index < len(value) - 1 or self.draw(st.booleans()) else "") + self.draw(BLANKS)
                )
            self.text += "]"
        elif isinstance(value, dict):
            self.text += "{"
            for index, (name, item) in enumerate(value.items()):
                self.text += ", " if index else " "
                self.pair(name, item, place)
            self.text += " }"
        else:
            self.scalar(value)

    def pair(self, name: str, value: object, place: policy_source.Place) -> None:
        self.note((*place, name))
        self.key(name)
        self.text += self.draw(st.sampled_from(["=", " = "]))
        self.value(value, (*place, name))

    def dotted(self, name: str, table: dict[str, object], place: policy_source.Place) -> None:
        for inner, value in table.items():
            self.note((*place, name))
            self.note((*place, name, inner))
            self.key(name)
            self.text += self.draw(st.sampled_from([".", " . "]))
            self.pair(inner, value, (*place, name))
            self.text += "\n"

    def header(self, names: tuple[str, ...], brackets: str) -> None:
        self.text += self.draw(st.sampled_from(["", "\n", "# [x]\n"])) + "[" * len(brackets)
        for index, name in enumerate(names):
            self.text += " . " if index else " "
            self.key(name)
        self.text += f" {brackets} # so\n"

    def table(self, table: dict[str, object], names: tuple[str, ...], place: policy_source.Place) -> None:
        later = []
        for name, value in table.items():
            is_array = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
            if (isinstance(value, dict) or is_array) and self.draw(st.booleans()):
                later.append((name, value))
            elif isinstance(value, dict) and value and self.draw(st.booleans()):
                self.dotted(name, value, place)
            else:
                self.pair(name, value, place)
                self.text += self.draw(st.sampled_from(["\n", " # x\n", "\n\n", "\r\n"]))
        for name, value in later:
            for index, item in enumerate(value if isinstance(value, list) else [value]):
                within: policy_source.Place = (*place, name)
                brackets = "]]" if isinstance(value, list) else "]"
                # The comment or blank line before a header, if any, is drawn in header(): note the line after it.
                self.header((*names, name), brackets)
                line = self.text.count("\n")
                self.lines.setdefault(within, line)
                if isinstance(value, list):
                    within = (*within, index)
                    self.lines.setdefault(within, line)
                self.table(item, (*names, name), within)


def basic(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def places(value: object, place: policy_source.Place = ()) -> set[policy_source.Place]:
    """Collect the places of everything in a parsed document."""
    if isinstance(value, dict):
        return {place} | set().union(*(places(item, (*place, name)) for name, item in value.items()))
    if isinstance(value, list):
        return {place} | set().union(*(places(item, (*place, index)) for index, item in enumerate(value)))
    return {place}


@hypothesis.given(DOCUMENTS, st.data())
def test_toml_lines(document: dict[str, object], data: st.DataObject) -> None:
    writer = TomlWriter(data.draw)
    writer.table(document, (), ())
    source = policy_source.parse_toml(writer.text, "x.toml")
    assert source.values == document
    assert {(), *source.lines} == places(source.values)
    assert source.lines == writer.lines


@hypothesis.given(DOCUMENTS, st.sampled_from([None, 0, 2]))
def test_json_lines(document: dict[str, object], indent: int | None) -> None:
    text = json.dumps(document, indent=indent)
    source = policy_source.parse_json(text, "x.json")
    assert source.values == document
    assert {(), *source.lines} == places(source.values)
    # json.dumps gives each key and element a line of its own, and closes what is not empty on another.
    expected: dict[policy_source.Place, int] = {}

    def walk(value: object, place: policy_source.Place, line: int) -> int:
        inner = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
        for step, item in inner:
            line += indent is not None
            expected[(*place, step)] = line
            line = walk(item, (*place, step), line)
        return line + (indent is not None and bool(inner))

    walk(document, (), 1)
    assert source.lines == expected


def test_every_form_of_toml() -> None:
    text = """\
a = 1979-05-27 07:32:00 # a date with a blank
"b\\u00e9" . 'c d' = [ # an array
  '''
]''', \"\"\"\\"
]\"\"\"\"\", # ends with two quotes of its own
  { e = [1,
  2], f.g = true },
]
[[ t . u ]]
[t.u.v]
w = ''
[[t.u]]
x = ""
"""
    assert policy_source.parse_toml(text, "x").lines == {
        ("a",): 1,
        ("bé",): 2,
        ("bé", "c d"): 2,
        ("bé", "c d", 0): 3,
        ("bé", "c d", 1): 4,
        ("bé", "c d", 2): 6,
        ("bé", "c d", 2, "e"): 6,
        ("bé", "c d", 2, "e", 0): 6,
        ("bé", "c d", 2, "e", 1): 7,
        ("bé", "c d", 2, "f"): 7,
        ("bé", "c d", 2, "f", "g"): 7,
        ("t",): 9,
        ("t", "u"): 9,
        ("t", "u", 0): 9,
        ("t", "u", 0, "v"): 10,
        ("t", "u", 0, "v", "w"): 11,
        ("t", "u", 1): 12,
        ("t", "u", 1, "x"): 13,
    }


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"a = 1\nb == 2\n", 2, "not valid TOML: Invalid value"),
        (b"a = [", 0, "not valid TOML"),
        (b"[a]\n[a]\n", 2, "Cannot declare"),
        (b"a = " + b"[" * 100_000, 0, "nested too deeply"),
        (b'{"a": \n 1,}', 2, "not valid JSON"),
        (b'{"a": ' + b"[" * 100_000, 0, "nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", 0, "not valid JSON"),
        (b"\n\xff", 2, "not UTF-8"),
        (b"a = 1 #" + b"x" * policy_source.SIZE_MAX, 0, "larger than"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_bad_syntax(tmp_path: Path, data: bytes, line: int, words: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(data)
    with pytest.raises(errors.PolicyError) as caught:
        policy_source.read(path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(path), line)
    assert words in problem.what
    assert problem.remedy


def test_json_by_name_must_be_an_object(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[]")
    with pytest.raises(errors.PolicyError, match=r"x\.json:1: the document is not an object"):
        policy_source.read(path)


def test_repeated_json_keys(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text('{\n"abi": 1,\n"a": [{"b": 1,\n"b": 2}],\n"abi": 1}')
    with pytest.raises(errors.PolicyError) as caught:
        policy_source.read(path)
    assert [problem.key for problem in caught.value.problems] == ["a[0].b", "abi"]


@pytest.mark.parametrize("name", ["", "missing.toml", "nul\0"])
def test_unreadable(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.PolicyError, match="cannot be read"):
        policy_source.read(tmp_path / name)


@hypothesis.given(st.one_of(st.binary(), st.text().map(lambda text: text.encode(errors="surrogatepass"))))
def test_random_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "random"
    path.write_bytes(data)
    try:
        policy_source.read(path)
    except errors.PolicyError as error:
        assert error.problems


def test_places_are_spelt_for_people() -> None:
    assert policy_source.spell(("path_beneath", 0, "parent", 1)) == "path_beneath[0].parent[1]"
    assert policy_source.spell(("a\x1b[31m", "b")) == "'a\\x1b[31m'.b"
    assert len(policy_source.quote("x" * 1000)) == 80
