# SPDX-License-Identifier: GPL-2.0-only
"""The documents: what they name is there, their tables are those of the code, and their examples are understood."""

from __future__ import annotations

import importlib
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import test_imports

from landlock_bpf import (
    abi,
    action_table,
    cli,
    learning,
    policy,
    policy_actions,
    policy_format,
    policy_source,
    policy_variables,
    questions,
    rule_source,
)

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
DOCUMENTS = {str(path.relative_to(ROOT)): path.read_text() for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])}
by_document = pytest.mark.parametrize("document", DOCUMENTS)

# Functions of the kernel that ARCHITECTURE.md speaks of.
KERNEL = {"security_file_open", "maybe_wait_bpf_programs", "bpf_cgrp_storage_get", "bpf_loop", "__d_move"}
PLACEHOLDERS = {"on_HOOK", "SEC"}


def blocks(text: str, info: str) -> list[str]:
    """Give the fenced blocks whose first line is ```info."""
    return re.findall(rf"^```{re.escape(info)}\n(.*?)^```$", text, re.M | re.S)


def code(text: str) -> list[str]:
    """Give what stands in backticks outside blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))


def table(text: str, *heads: str) -> list[tuple[str, ...]]:
    """Give the rows of the table with this head."""
    lines = iter(text.splitlines())
    head = f"| {' | '.join(heads)} |".replace("|  |", "| |")
    assert head in (line.rstrip() for line in lines), head
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
    assert rows
    return rows


def commands(text: str) -> Iterator[list[str]]:
    """Give the words of each command line in a block."""
    for block in blocks(text, "sh"):
        yield from (shlex.split(line) for line in block.splitlines())
    for block in blocks(text, "console session"):
        yield from (shlex.split(line[2:]) for line in block.splitlines() if line.startswith("$ "))


COMMANDS = [words for text in DOCUMENTS.values() for words in commands(text)]
OURS = [
    list(itertools.takewhile(lambda word: word != "|", words[at + 1 :]))
    for words in COMMANDS
    for at, word in enumerate(words)
    if word.split("/")[-1] == cli.PROGRAM
]


def test_the_readme_policy_is_understood_and_has_ten_lines(tmp_path: Path) -> None:
    (text,) = blocks(README, "toml policy")
    assert len(text.splitlines()) == 10
    path = tmp_path / "work.toml"
    path.write_text(text)
    (made,) = policy.load(path, {"HOME": "/home/me"})
    assert (made.handled, made.default) == (action_table.ALL, "deny")
    said = {rule.path: (rule.allowed, rule.denied, rule.location.line) for rule in made.rules}
    assert said["/home/me/work/secret"] == (abi.Action(0), action_table.ALL, 10)


@pytest.mark.parametrize("words", OURS, ids=shlex.join)
def test_commands_are_understood(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"landlock_bpf.cli.{words[0]}")
    monkeypatch.setattr(module, "main", lambda args: 0)
    assert cli.main(words) == 0


def test_every_subcommand_has_an_example_or_a_row() -> None:
    rows = " ".join(names for names, _ in table(README, "command", "what it does"))
    assert {name.split()[0] for name in re.findall(r"`([^`]+)`", rows)} == set(cli.SUBCOMMANDS)
    assert {words[0] for words in OURS} >= {"run", "attach", "update", "detach", "list", "events", "doctor", "bench"}


def test_scripts_and_their_options_are_there() -> None:
    quoted = [word.split() for text in DOCUMENTS.values() for word in code(text) if word.startswith("vm/")]
    script = [words for words in COMMANDS + quoted if words[0].startswith("vm/") and not words[0].endswith("/")]
    assert script
    for name, *words in script:
        text = (ROOT / name).read_text()
        own = words[: words.index("--")] if "--" in words else words
        for option in own:
            assert not option.startswith("--") or option in text, f"{name} {option}"


def test_the_actions_of_the_readme_are_those_of_the_code() -> None:
    text = README[README.index("\n## Actions\n") : README.index("\n## Policy files\n")]
    told = set(code(text))
    ours = {row.name for row in action_table.ACTIONS if row.landlock_abi is None or row.landlock_abi > 5}
    assert ours <= told and f"lists all {len(action_table.ACTIONS)}," in text
    groups = {row[0].strip("`"): set(code(row[1])) for row in table(text, "group", "what it is")}
    assert set(groups) == {"execute", *policy_actions.GROUPS}
    for name in ("read", "read_metadata", "write_metadata"):
        assert groups[name] == set(action_table.names(policy_actions.GROUPS[name]))
    assert groups["all"] == {row.name for row in action_table.ACTIONS if row.singly}


# Limits that nobody can meet: what another one or the kernel sees to, and sizes that decide about speed alone.
NEVER_MET = {
    "RULESETS": "two for each domain",
    "COMPONENT": "the kernel's own, for a name",
    "QUESTIONS": "as many as hooks ask",
    "WALKED": "speed",
    "MARKS": "speed",
    "MARK_BITS": "more than DOMAINS takes",
    "FILTER_BITS": "speed",
}


def test_the_table_of_limits_is_that_of_the_code() -> None:
    met = {name: int(limit) for name, limit in abi.Limit.__members__.items() if name not in NEVER_MET}
    assert len(met) + len(NEVER_MET) == len(abi.Limit.__members__)
    for name in ("NAME", "APPROACH"):
        met[name] -= 1  # for the 0 at the end
    sizes = policy_source.SIZE_MAX >> 20, rule_source.SIZE_MAX >> 10
    assert [row[1] for row in table(README, "limit", "")] == [f"{each:,}" for each in (*met.values(), *sizes)]


def test_the_readme_says_how_learn_folds_as_its_help_does() -> None:
    _, _, rule = learning.RULE.partition(":\n")
    assert " ".join(rule.split()) in " ".join(README.replace("`", "").split())


def test_the_table_of_lessons_has_all() -> None:
    told = [re.sub(r"\[(.*)\]\(.*", r"policies/rules/\1", row[0]) for row in table(README, "rule", "what it shows")]
    assert sorted(told) == sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("policies/rules/*.c"))


def test_the_count_of_hooks_is_that_of_the_code() -> None:
    (row,) = (row for row in table(README, "", "2017 (v7)", "here") if row[0] == "hooks")
    added = sum(bool(row.added) for row in questions.ROWS)
    assert row[2] == f"{len(questions.ROWS) - added} of them (one is not to be had), and {added} that came since"


def test_the_table_of_keys_is_that_of_the_code() -> None:
    named = {row[0].strip("`[]") for row in table(README, "key", "what it says")}
    assert named == {key.name for key in policy_format.KEYS if key.kind is not policy_format.Kind.NOT_YET}
    assert {f"${{{name}}}" for name in policy_variables.BUILT_IN} <= set(code(README))


def test_the_maps_are_those_of_the_engine() -> None:
    told = [row[0].strip("- `") for row in table(ARCHITECTURE, "place", "what", "who writes it") if row[0].startswith("- ")]
    texts = [(ROOT / "bpf" / name).read_text().replace("{{ row.hook }}", "HOOK") for name in ("maps.h", "questions.bpf.c.j2")]
    there = re.findall(r'^} (\w+) SEC\("\.maps"\)', "".join(texts), re.M)
    assert sorted(told) == sorted(there)


@by_document
def test_files_are_there(document: str) -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    for word in code(DOCUMENTS[document]):
        if word.split("/")[0] in folders and "/" in word and " " not in word:
            assert list(ROOT.glob(word.rstrip("/"))), word


@by_document
def test_links_lead_somewhere(document: str) -> None:
    text = DOCUMENTS[document]
    anchors = {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.M)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert "://" not in target
            assert (ROOT / document).parent.joinpath(target).exists(), target


def test_functions_are_there() -> None:
    python = {path.stem: path.read_text() for path in (ROOT / "landlock_bpf").glob("*.py")}
    sources = [*python.values(), *(path.read_text() for path in (ROOT / "bpf").rglob("*") if path.is_file())]
    calls = {match[0] for word in code(ARCHITECTURE) if (match := re.match(r"[\w.]+(?=\(\)$)", word))}
    assert len(calls) > 40
    for name in calls - KERNEL - PLACEHOLDERS:
        owner, _, function = name.rpartition(".")
        if owner in python:
            assert re.search(rf"^def {function}\(", python[owner], re.M), name
        elif owner:
            body = next(text for text in sources if f"class {owner}" in text)
            assert f"    def {function}(" in body, name
        else:
            defined = rf"^(?:static |_)*[\w ]*[ *]{function}\(|^#define {function}\("
            assert any(re.search(defined, text, re.M) for text in sources), name


def test_functions_are_where_they_are_said_to_be() -> None:
    places = re.findall(r"`(\w+)\(\)`\s+in\s+`(bpf/[^`]+)`", ARCHITECTURE)
    assert len(places) > 5
    for function, path in places:
        assert re.search(rf"^[\w ]*[ *]{function}\(", (ROOT / path).read_text(), re.M), f"{function} in {path}"


def test_upper_case_names_are_there() -> None:
    everything = "".join(path.read_text() for path in [*ROOT.glob("bpf/*.h"), *ROOT.glob("landlock_bpf/*.py")])
    everything += "".join((ROOT / "tests" / "kernel" / name).read_text() for name in ("operation.py", "trigger.py"))
    for word in code(ARCHITECTURE):
        if re.fullmatch(r"[A-Z_]{4,}", word):
            assert re.search(rf"\b{word}\b", everything), word


def test_the_house_has_every_file() -> None:
    names = [word for word in code(ARCHITECTURE) if word.startswith(("bpf/", "landlock_bpf/"))]
    told = {path for name in names for path in ROOT.glob(name.rstrip("/"))}
    there = {*(ROOT / "bpf").iterdir(), *(ROOT / "landlock_bpf").iterdir()}
    quiet = {"__init__.py", "__main__.py", "__pycache__", "policy.schema.json", "py.typed"}
    assert {path.name for path in there - told} <= quiet


def test_imports_go_down_the_table() -> None:
    package = ARCHITECTURE[ARCHITECTURE.index("`landlock_bpf/` is the Python package") :]
    places: dict[str, int] = {}
    for number, (cell, _) in enumerate(table(package, "file", "what it is about")):
        for name in re.findall(r"`landlock_bpf/([a-z_*]+)(?:\.py|/)`", cell):
            for path in (ROOT / "landlock_bpf").glob(f"{name}.py"):
                places[path.stem] = number
            places.setdefault(name, number)
    for module in test_imports.MODULES:
        own = module.split(".")[0]
        for other in {name.split(".")[0] for name in test_imports.imports(module, late=False)} - {own}:
            if own not in ("", "__main__"):
                assert places[own] <= places[other], f"{module} imports {other}"
