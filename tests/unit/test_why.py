# SPDX-License-Identifier: GPL-2.0-only
"""why: what it prints, what it exits with, and what it takes a word for; the kernel is not asked."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from landlock_bpf import abi, asker, cli, engine, explainer, explanation, policy, ruleset
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
    return explanation.Answer("read_file", "/work/secret/key", "", question.allowed, missing, (question,))


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
    told.append(explanation.Answer("ioctl", "/dev/tty", "", False, False, questions))
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
