# SPDX-License-Identifier: GPL-2.0-only
"""Compare, without a kernel's help: the table of operations, what is wanted, and how outcomes are judged."""

from __future__ import annotations

import collections
import dataclasses
import errno
import os
import signal
import time
from pathlib import Path

import pytest

from landlock_bpf import errors
from landlock_bpf.compare import (
    document,
    mechanism,
    mechanisms,
    member,
    operation,
    operations,
    player,
    report,
    results,
    scene,
    session,
    statements,
)
from landlock_bpf.compare.operation import AROUND, METADATA, READ, UNSAID, WRITE
from landlock_bpf.compare.results import ABSENT, ALLOWED, FAILED, OPEN, REFUSED, RIGHT, STRICT, Outcome

ROOT = Path("/scene")
STATEMENTS = (
    scene.Statement(scene.EVERYTHING, True, False, True),
    scene.Statement(scene.WORK, True, True, True),
    scene.Statement(scene.SECRET, False, False, False),
    scene.Statement(scene.RO, True, False, False),
)
SCENE = scene.Scene(ROOT, "compare.toml", STATEMENTS, 1, "name", 2, 3, 4, 5, 6)


def test_the_table() -> None:
    """Every row has a name of its own, says what it does and why mechanisms differ, and stands at a place that is there."""
    rows = operations.OPERATIONS
    assert len(rows) >= 120
    assert max(collections.Counter(row.name for row in rows).values()) == 1
    for row in rows:
        assert row.place in scene.PLACES and set(row.also) <= set(scene.PLACES), row
        assert row.need in (READ, WRITE, METADATA, AROUND, UNSAID), row
        assert row.why.endswith(".") and ". " not in row.why, row.why
        assert row.text and not row.text.endswith("."), row.text
        assert len(row.name) < 256  # what a member reads at once


def test_each_act_is_tried_inside_or_outside_of_the_secret() -> None:
    """What is refused in the secret means something beside one that is allowed: of each need both are wanted somewhere."""
    for need in (READ, WRITE, METADATA):
        assert {row.wanted(SCENE) for row in operations.OPERATIONS if row.need == need} == {ALLOWED, REFUSED}


@pytest.mark.parametrize(
    "place, need, wanted",
    [
        (scene.INSIDE, READ, REFUSED),
        (scene.BENEATH, WRITE, REFUSED),
        (scene.BESIDE, WRITE, ALLOWED),
        (scene.BESIDE, METADATA, ALLOWED),
        (scene.READ_ONLY, READ, ALLOWED),
        (scene.READ_ONLY, METADATA, REFUSED),
        (scene.ELSEWHERE, WRITE, REFUSED),
        (scene.BESIDE, AROUND, REFUSED),
        (scene.INSIDE, UNSAID, None),
    ],
)
def test_wanted(place: str, need: str, wanted: str | None) -> None:
    row = operation.Operation("name", "group", place, need, "text", "why.", lambda folder, scene: None)
    assert row.wanted(SCENE) == wanted


def test_the_default_policy_says_what_is_told_of_it(tmp_path: Path) -> None:
    for name in (scene.SECRET, scene.RO):
        (tmp_path / name).mkdir(parents=True)
    before = os.getcwd()
    said = statements.load(statements.DEFAULT, tmp_path)
    assert statements.of(said, tmp_path) == STATEMENTS
    assert os.getcwd() == before


def test_a_policy_that_handles_less(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('default = "allow"\n[[path_beneath]]\ndenied_access = ["chmod"]\nparent = ["${PWD}/work"]\n')
    found = {each.path: each for each in statements.of(statements.load(file, tmp_path), tmp_path)}
    assert found[scene.EVERYTHING] == scene.Statement(scene.EVERYTHING, True, True, True)
    # What is not said of the secret is what is said of the folder above it.
    for name in (scene.WORK, scene.SECRET):
        assert found[name] == scene.Statement(name, True, True, False)


def test_a_scene_comes_back_as_it_was_written() -> None:
    assert scene.load(SCENE.dump()) == SCENE


BARE, CHANGED = Outcome(None), Outcome(None, changed=True)
EACCES = frozenset({"EACCES"})
JUDGED = [
    # seen, bare, wanted, result, fit
    (BARE, BARE, ALLOWED, ALLOWED, RIGHT),
    (BARE, BARE, REFUSED, ALLOWED, OPEN),
    (BARE, BARE, None, ALLOWED, None),
    (Outcome("EACCES"), BARE, REFUSED, REFUSED, RIGHT),
    (Outcome("EACCES"), BARE, ALLOWED, REFUSED, STRICT),
    (Outcome("ENOTDIR"), BARE, REFUSED, FAILED, None),
    (CHANGED, CHANGED, ALLOWED, ALLOWED, RIGHT),
    (BARE, CHANGED, REFUSED, REFUSED, RIGHT),
    (Outcome("ENOENT"), Outcome("ENOENT"), REFUSED, FAILED, None),
    (Outcome("EACCES"), Outcome("ENOENT"), REFUSED, FAILED, None),
    (Outcome("EACCES"), Outcome("ENOSYS"), REFUSED, ABSENT, None),
    (Outcome(None, trouble="no end"), BARE, REFUSED, FAILED, None),
    (BARE, Outcome(None, trouble="no end"), REFUSED, FAILED, None),
]


@pytest.mark.parametrize("seen, bare, wanted, result, fit", JUDGED)
def test_judged(seen: Outcome, bare: Outcome, wanted: str | None, result: str, fit: str | None) -> None:
    cell = results.judge(seen, bare, EACCES, wanted, "said")
    assert (cell.result, cell.errno, cell.fit) == (result, seen.errno, fit)


def test_notes() -> None:
    def note(seen: Outcome, bare: Outcome) -> str | None:
        return results.judge(seen, bare, EACCES, REFUSED, "said").note

    assert note(BARE, BARE) == "said"
    assert note(BARE, CHANGED) == "done to a stand-in, not to the tree"
    assert note(Outcome(None, trouble="no end"), BARE) == "no end"


def row_of(**cells: results.Cell) -> results.Row:
    return results.Row(operations.OPERATIONS[0], REFUSED, cells)


def cell(result: str, name: str | None = None, fit: str | None = None) -> results.Cell:
    return results.Cell(result, name, None, fit)


def test_the_bare_run_is_no_difference() -> None:
    allowed, refused = cell(ALLOWED), cell(REFUSED, "EACCES")
    assert not row_of(none=allowed, landlock=refused, bpf=refused).differs
    assert row_of(none=allowed, landlock=allowed, bpf=refused).differs


@pytest.mark.parametrize(
    "shown, said",
    [
        (cell(ALLOWED, fit=RIGHT), "ok"),
        (cell(ALLOWED, fit=OPEN), "ok!"),
        (cell(REFUSED, "EPERM", STRICT), "EPERM+"),
        (cell(REFUSED, fit=RIGHT), "stand-in"),
        (cell(FAILED, "ENOENT"), "ENOENT?"),
        (cell(ABSENT, "ENOSYS"), "-"),
    ],
)
def test_words(shown: results.Cell, said: str) -> None:
    assert report.word(shown) == said


COLUMNS = (
    results.Column("none", "none", "The bare run.", None, ()),
    results.Column("landlock", "landlock system calls, ABI 6", "Rules.", None, ("no deny rules",)),
    results.Column("bpf", "bpf", "Policies.", "no bpf in lsm=; boot with it", ()),
)


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_report(COLUMNS, [row_of(none=cell(ALLOWED), landlock=cell(ALLOWED, fit=OPEN))], Path("compare.toml"))
    printed = capsys.readouterr().out
    assert "1 operations under 2 mechanisms, of the policy compare.toml" in printed
    assert "1 on which they agree: allowed\nread-inside!" in printed
    assert "landlock cannot: no deny rules" in printed
    assert "bpf is missing: no bpf in lsm=; boot with it" in printed


def test_differences_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    columns = (*COLUMNS[:2], results.Column("bpf", "bpf", "Policies.", None, ()))
    differing = row_of(none=cell(ALLOWED), landlock=cell(ALLOWED, fit=OPEN), bpf=cell(REFUSED, "EACCES", RIGHT))
    same = results.Row(operations.OPERATIONS[1], REFUSED, dict.fromkeys(("none", "landlock", "bpf"), cell(ALLOWED)))
    report.print_report(columns, [same, differing], Path("compare.toml"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:5] == [
        "1 on which they differ",
        "operation    wanted   none  landlock  bpf",
        "read-inside  refused  ok    ok!       EACCES",
    ]


def test_document(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('default = "allow"\n')
    made = document.make(COLUMNS, [row_of(none=cell(ALLOWED))], file)
    assert made["format"] == "landlock-bpf compare 1"
    assert made["policy"] == {"name": str(file), "text": file.read_text()}
    assert [each["missing"] for each in made["mechanisms"]] == [None, None, "no bpf in lsm=; boot with it"]
    (only,) = made["operations"]
    assert (only["name"], only["wanted"], only["differs"]) == ("read-inside", REFUSED, False)
    assert only["cells"] == {"none": {"result": ALLOWED, "errno": None, "note": None, "fit": None}}


def test_choosing() -> None:
    assert session.choose(None) == mechanisms.MECHANISMS
    assert [each.name for each in session.choose(["bpf", "landlock"])] == ["none", "landlock", "bpf"]
    with pytest.raises(errors.NotFoundError, match=r"no mechanism lanlock; did you mean landlock\?"):
        session.choose(["lanlock"])
    assert {row.name for row in operations.beginning(["chmod-b"])} == {"chmod-beneath", "chmod-beside"}
    with pytest.raises(errors.NotFoundError, match=r"no operation begins with chmood; did you mean chmod\?"):
        operations.beginning(["chmood"])


def attempt(act: operation.Act) -> tuple[int | None, str | None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    try:
        return member.attempt(operation.Operation("name", "group", scene.BESIDE, READ, "text", "why.", act), SCENE)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def refuse(_folder: Path, _scene: scene.Scene) -> None:
    raise PermissionError(errno.EACCES, "refused")


def hang(_folder: Path, _scene: scene.Scene) -> None:
    time.sleep(60)


def die(_folder: Path, _scene: scene.Scene) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def blunder(_folder: Path, _scene: scene.Scene) -> None:
    raise ValueError


def test_attempts(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    assert attempt(lambda folder, scene: None) == (None, None)
    assert attempt(refuse) == (errno.EACCES, None)
    assert attempt(die) == (None, "killed by SIGKILL")
    assert attempt(blunder) == (None, "a defect of this program: see stderr")
    assert "ValueError" in capfd.readouterr().err
    monkeypatch.setattr(member, "DEADLINE", 0.2)
    assert attempt(hang) == (None, "no end after 0.2 s")
    monkeypatch.undo()
    assert attempt(refuse) == (errno.EACCES, None)


def test_what_an_attempt_started_ends_with_it() -> None:
    report, write = os.pipe()

    def start(_folder: Path, _scene: scene.Scene) -> None:
        if os.fork() == 0:
            time.sleep(60)

    assert attempt(start) == (None, None)
    os.close(write)
    assert os.read(report, 1) == b""  # nobody has the other end any more
    os.close(report)


def test_a_member_that_does_not_start() -> None:
    """What its child could not do is told; nobody is left."""

    def fail() -> None:
        raise errors.KernelError("enter", "the profile", errno.EPERM)

    here = dataclasses.replace(SCENE, channel=0, folder=1, file=2)
    with pytest.raises(errors.Error, match="not permitted"):  # without root to make a mount namespace
        player.Player(mechanism.Launch(enter=fail), here)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
