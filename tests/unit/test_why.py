# SPDX-License-Identifier: GPL-2.0-only
"""why: what it prints, what it exits with, and what it takes a word for; the kernel is not asked."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from landlock_bpf import abi, asker, cli, engine, explainer, explanation, names, policy, ruleset, unasked
from landlock_bpf.abi import Action

NOTHING = Action(0)
DENIAL = explanation.Rule(1, "/work/secret", NOTHING, Action.READ_FILE, policy.Location("work.toml", 7))
PERMISSION = explanation.Rule(0, "/work", Action.READ_FILE, NOTHING, policy.Location("home.toml", 3))
WALK = (
    explanation.Place("/work/secret/key", (), ()),
    explanation.Place("/work/secret", (DENIAL,), (1,)),
    explanation.Place("/work", (PERMISSION,), (1,)),
    explanation.Place("/", (), ()),
)


def answer(*verdicts: explanation.Verdict, missing: bool = False) -> explanation.Answer:
    question = explanation.Question("read_file", "/work/secret/key", verdicts, WALK)
    return explanation.Answer("read_file", "/work/secret/key", "", question.allowed, missing, (), (question,))


def allowed(layer: int = 0) -> explanation.Verdict:
    return explanation.Verdict(layer, "home", True, False, "allowed", PERMISSION)


def denied(layer: int = 1, *, permissive: bool = False) -> explanation.Verdict:
    return explanation.Verdict(layer, "work", False, permissive, "rule", DENIAL)


class Fake:
    """An asker that gives what a test chose."""

    def __init__(self, told: explanation.Answer) -> None:
        self.told = told

    def answer(self, word: str, path: str, path2: str = "") -> explanation.Answer:
        return self.told


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[explanation.Answer]:
    """What the engine would say, whatever is asked."""
    answers: list[explanation.Answer] = []

    @contextlib.contextmanager
    def of(subject: object) -> Iterator[Fake]:
        yield Fake(answers[0])

    monkeypatch.setattr(asker, "of_domain", of)
    monkeypatch.setattr(asker, "of_policies", of)
    monkeypatch.setattr(asker, "domain_names", lambda: {"workshop"})
    monkeypatch.setattr(cli, "require_root", lambda: None)
    return answers


def test_denied(told: list[explanation.Answer], capsys: pytest.CaptureFixture[str]) -> None:
    told.append(answer(allowed(), denied()))
    assert cli.main(["why", "workshop", "read_file", "/work/secret/key"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "denied: read_file of /work/secret/key",
        "read_file on /work/secret/key: denied",
        "  layer 0 (home) allows it, by the rule on /work (home.toml:3)",
        "  layer 1 (work) denies it: a rule denies it, by the rule on /work/secret (work.toml:7)",
        "  the walk:",
        "    /work/secret/key",
        "    /work/secret  layer 1 denies read_file (work.toml:7)",
        "    /work  layer 0 allows read_file (home.toml:3)",
        "    /",
    ]


def test_what_only_reports_allows(told: list[explanation.Answer], capsys: pytest.CaptureFixture[str]) -> None:
    told.append(answer(allowed(), denied(permissive=True), missing=True))
    assert cli.main(["why", "workshop", "read_file", "/work/secret/key"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("allowed: ") and "but only reports" in out and "nothing is there now" in out


def test_all_in_a_table(told: list[explanation.Answer], capsys: pytest.CaptureFixture[str]) -> None:
    told.append(answer(allowed(), denied()))
    assert cli.main(["why", "workshop", "all", "/work/secret/key"]) == 1
    first = capsys.readouterr().out.splitlines()[0].split()
    assert first[:4] == ["read_file", "denied", "layer", "1"]


def test_json(told: list[explanation.Answer], capsys: pytest.CaptureFixture[str]) -> None:
    told.append(answer(allowed(), denied()))
    assert cli.main(["why", "workshop", "read_file", "/work/secret/key", "--json"]) == 1
    made = json.loads(capsys.readouterr().out)
    assert made["questions"][0]["verdicts"][1]["rule"]["location"] == {"file": "work.toml", "line": 7}
    assert made["questions"][0]["walk"][1]["rules"][0]["denied"] == ["read_file"]


def of_commands(*commands: int, denied: bool = False) -> explanation.Question:
    rule = explanation.Rule(0, "/dev", NOTHING, Action.IOCTL, policy.Location("work.toml", 9), commands)
    verdict = explanation.Verdict(0, "work", not denied, False, "rule" if denied else "default", rule if denied else None)
    walk = (explanation.Place("/dev", (rule,) if denied else (), ()),)
    return explanation.Question("ioctl", "/dev/tty", (verdict,), walk, commands)


def test_commands(told: list[explanation.Answer], capsys: pytest.CaptureFixture[str]) -> None:
    questions = (of_commands(), of_commands(0x5412, 0x12345678, denied=True))
    told.append(explanation.Answer("ioctl", "/dev/tty", "", False, False, (), questions))
    assert cli.main(["why", "workshop", "ioctl", "/dev/tty"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "denied: ioctl of /dev/tty",
        "ioctl(all others) on /dev/tty: allowed",
        "  layer 0 (work) allows it: no rule speaks of it, and it does not deny by default",
        "  the walk:",
        "    /dev",
        "ioctl(TIOCSTI, 0x12345678) on /dev/tty: denied",
        "  layer 0 (work) denies it: a rule denies it, by the rule on /dev about TIOCSTI, 0x12345678 (work.toml:9)",
        "  the walk:",
        "    /dev  layer 0 denies ioctl (TIOCSTI, 0x12345678) (work.toml:9)",
    ]
    assert cli.main(["why", "workshop", "all", "/dev/tty"]) == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert first.split(maxsplit=2) == ["ioctl", "denied", first[first.index("ioctl(") :]]
    assert "ioctl(TIOCSTI, 0x12345678): layer 0 denies it" in first


class Trees(explainer.Explainer):
    """An engine that allows all, and knows in the trees of which patterns a directory is."""

    def __init__(self, trees: dict[Path, int]) -> None:
        self.trees = trees

    def has(self, hook: str) -> bool:
        return True

    def ask(self, ruleset: int, fds: Iterable[int], asked: int, **_: object) -> dict[int, abi.Explained]:
        return {fd: abi.Explained(fd=fd, trees=self.trees.get(Path(f"/proc/self/fd/{fd}").readlink(), 0)) for fd in fds}


def of_patterns(*denied: int) -> ruleset.Layer:
    patterns = tuple(ruleset.Pattern(f"*.{number}", each, "p.toml", 1) for number, each in enumerate(denied))
    return ruleset.Layer("d", 1, "p", "p.toml", int(Action.READ_FILE), 0, 1, True, (), patterns=patterns)


@pytest.mark.parametrize(
    ("old", "new", "by"),
    [
        (0b1, 0, {0}), (0b10, 0, {2}), (0b101, 0, {0, 2}), (0b1000, 0, set()), (0b10000, 0, {3}),
        (0b111, 0b11, {2}), (0, 0b111, set()),
    ],
)  # fmt: skip
def test_by_whose_patterns_a_directory_may_not_leave(old: int, new: int, by: set[int], tmp_path: Path) -> None:
    """Those whose trees it is in no longer: their numbers go on from layer to layer. One that denies nothing keeps nothing."""
    (tmp_path / "old/moved").mkdir(parents=True)
    (tmp_path / "new").mkdir()
    read = int(Action.READ_FILE)
    layers = of_patterns(read), of_patterns(), of_patterns(read, read), of_patterns(0, read)
    asked = asker.Asker(Trees({tmp_path / "old": old, tmp_path / "new": new}), 0, layers, 0)
    answer = asked.answer("rename", str(tmp_path / "old/moved"), str(tmp_path / "new/moved"))
    assert {each.layer for question in answer.questions for each in question.verdicts if not each.allowed} == by
    assert {question.action for question in answer.questions if not question.allowed} == ({"gain"} if by else set())


class Seals(Trees):
    """An engine that knows objects by their inodes, which of them it seals, and that the first pattern's tree has all."""

    def __init__(self, sealed: dict[Path, int], own: int = 0) -> None:
        super().__init__({})
        self.sealed = sealed
        self.own = own

    def ask(self, ruleset: int, fds: Iterable[int], asked: int, **_: object) -> dict[int, abi.Explained]:
        return {fd: self.told(fd) for fd in fds}

    def told(self, fd: int) -> abi.Explained:
        sealed = self.sealed.get(Path(f"/proc/self/fd/{fd}").readlink(), 0)
        rule = abi.Rule(sealed=sealed & self.own)
        return abi.Explained(fd=fd, object=abi.Object(ino=os.fstat(fd).st_ino), trees=1, sealed=sealed, rule=rule)


def of_names(top: Path, *parts: bytes) -> ruleset.Layer:
    """Make a layer that denies *.pem, and a path beneath a folder."""
    read, object = int(Action.READ_FILE), bytes(abi.Object(ino=top.stat().st_ino))
    said = tuple(
        ruleset.Name(object, made, len(last), read if whole else 0, f"{top}/secret", "p.toml", 2)
        for made, last, whole in names.prefixes(parts)
    )
    patterns, trees = (ruleset.Pattern("*.pem", read, "p.toml", 1),), (ruleset.Tree(object, 0, str(top)),)
    return ruleset.Layer("d", 1, "p", "p.toml", read, 0, 1, True, (), names=said, patterns=patterns, trees=trees)


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ("make_dir way", True), ("make_reg way", False), ("rename folder way", False), ("rename file way", False),
        ("rename folder free", True), ("rename folder x.pem", False), ("make_dir way/secret", False), ("link file way", False),
        ("make_dir way/free", True), ("make_reg a/way", True), ("link file free", True), ("link file x.pem", False),
    ],
)  # fmt: skip
def test_what_may_be_made_on_the_way_to_a_denied_path(words: str, allowed: bool, tmp_path: Path) -> None:
    """A directory may be made there, which is empty, but none may be moved there."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    word, *paths = words.split()
    asked = asker.Asker(Seals({}), 0, [of_names(tmp_path, b"way", b"secret")], 0)
    answer = asked.answer(word, *(str(tmp_path / path) for path in paths))
    assert answer.allowed == allowed
    assert [each.action for each in answer.questions if not each.allowed] == ([] if allowed else ["seal"])


@pytest.mark.parametrize(
    ("name", "sealed", "own", "allowed"),
    [
        ("key.pem", 1, 0, False),  # its name is denied
        ("key.pem", 1, 1, False),  # it has a rule as well
        ("key", 1, 1, True),  # the file has a rule, which it takes along
        ("way", 1, 0, True),  # where a directory ought to be
        ("key", 1, 0, False),  # by another spelling
        ("key.pem", 0, 0, True),  # the root of a mount has no name
    ],
)
def test_a_denied_name_is_not_linked(name: str, sealed: int, own: int, allowed: bool, tmp_path: Path) -> None:
    """Under another one what it is would be allowed."""
    (tmp_path / name).write_text("")
    live = Seals({tmp_path / name: sealed}, own)
    asked = asker.Asker(live, 0, [of_names(tmp_path, b"way", b"secret")], 0)
    paths = str(tmp_path / name), str(tmp_path / "free")
    assert asked.answer("link", *paths).allowed == allowed
    assert asked.answer("rename", *paths).allowed != bool(sealed)


def test_a_name_beneath_a_permission_in_a_match(tmp_path: Path) -> None:
    """Of directories that are there the engine decides, by the nearest rule; no rule is nearer to what is missing."""
    (tmp_path / "x.pem/open").mkdir(parents=True)
    asked = asker.Asker(Seals({}), 0, [of_names(tmp_path, b"secret")], 0)
    assert asked.answer("read_file", str(tmp_path / "x.pem/open/new")).allowed
    assert not asked.answer("read_file", str(tmp_path / "x.pem/open/new.pem")).allowed
    assert not asked.answer("read_file", str(tmp_path / "secret")).allowed


def test_what_is_not_asked_is_told(told: list[explanation.Answer], capsys: pytest.CaptureFixture[str]) -> None:
    told.append(dataclasses.replace(answer(allowed()), unasked=("domain", "mounts")))
    assert cli.main(["why", "workshop", "write_file", "/proc/sys/kernel/core_pattern"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("allowed: ")
    assert lines[1:3] == [f"  not asked: {unasked.WORDS[word]}" for word in ("domain", "mounts")]
    assert cli.main(["why", "workshop", "all", "/proc/sys/kernel/core_pattern"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(" -- not asked: domain, mounts")
    assert cli.main(["why", "workshop", "all", "/proc/sys/kernel/core_pattern", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["unasked"] == ["domain", "mounts"]


@pytest.mark.parametrize("word", ["ioctl:TIOCSTI", "ioctl:0x5412", "ioctl:21522", "ioctl:0"])
def test_one_command(word: str, told: list[explanation.Answer]) -> None:
    told.append(answer(allowed()))
    assert cli.main(["why", "workshop", word, "/dev/tty"]) == 0


def test_a_file_and_a_domain_of_one_name(
    told: list[explanation.Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told.append(answer(allowed()))
    monkeypatch.chdir(tmp_path)
    Path("workshop").write_text('[[path_beneath]]\nparent = "/"\ndenied_access = ["read_file"]\n')
    assert cli.main(["why", "workshop", "read_file", "/"]) == 2
    assert "write ./workshop for the file" in capsys.readouterr().err


def test_the_environment_is_a_policy_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(asker, "domain_names", lambda: set())
    monkeypatch.setattr(cli, "require_root", lambda: None)
    monkeypatch.setenv("LL_FS_RO", "")
    monkeypatch.delenv("LL_FS_RW", raising=False)
    assert cli.main(["why", "env:", "read_file", "/"]) == 2
    assert "environment: LL_FS_RW: is not set" in capsys.readouterr().err


def test_without_an_engine_it_says_what_loads_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(cli, "require_root", lambda: None)
    assert cli.main(["why", "workshop", "read_file", "/"]) == 2
    assert "there is no domain workshop: the engine is not loaded; `run` and `attach` load it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["rename", "/a"], ["read_file", "/a", "/b"], ["no_such_action", "/a"], ["link", "/a"], ["read_file:TIOCSTI", "/a"],
        ["ioctl:", "/a"], ["ioctl:NO_SUCH", "/a"], ["ioctl:0x100000000", "/a"], ["ioctl:TIOCSTI", "/a", "/b"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["why", "workshop", *words])
    assert ended.value.code == 2
