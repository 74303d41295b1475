# SPDX-License-Identifier: GPL-2.0-only
"""Denials: from the engine's bytes to lines for people and programs."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from landlock_bpf import abi, events, identity, policy, questions, record, ruleset
from landlock_bpf.abi import Action

OBJECT = identity.OBJECT.pack(42, 0, 8, 1)


def denial(reason: abi.Reason = abi.Reason.RULE, names: tuple[bytes, ...] = (b"id", b".ssh"), **fields: int) -> abi.Denial:
    refusal = abi.Refusal(
        refused=Action.READ_FILE,
        serial=7,
        object=abi.Object.from_buffer_copy(OBJECT),
        domain=1,
        hook=abi.Hook.FILE_OPEN,
        reason=reason,
        error=-13,
    )
    made = abi.Denial(time=time.clock_gettime_ns(time.CLOCK_BOOTTIME), refusal=refusal, pid=10, tid=11, uid=1000, comm=b"cat")
    put(made, abi.Denial.path.offset, names)
    for name, value in fields.items():
        setattr(made.refusal if hasattr(made.refusal, name) else made, name, value)
    return made


def put(made: abi.Denial, start: int, names: tuple[bytes, ...]) -> None:
    text = b"".join(name + b"\0" for name in names)
    view = memoryview(made).cast("B")
    view[start : start + 4] = len(text).to_bytes(4, "little")
    view[start + abi.Names.text.offset :][: len(text)] = text


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RULESETS", tmp_path)
    monkeypatch.setattr(record, "PAST", tmp_path / "past")
    entries = (
        ruleset.Entry(OBJECT, int(Action.EXECUTE), 0, False, "/home", "p.toml", 3),
        ruleset.Entry(OBJECT, 0, int(Action.READ_FILE), True, "/home/.ssh", "p.toml", 5),
    )
    layer = ruleset.Layer("work", 7, "p", "p.toml", int(Action.READ_FILE), True, 2, True, ((OBJECT, 2),), entries)
    record.write(record.Record(7, 3, "work", "", (layer,)))
    events._record.cache_clear()


def test_a_denial_names_the_rule_that_denied() -> None:
    found = events.parse(bytes(denial())[: abi.Denial.second.offset])
    assert (found.domain, found.policy_name, found.rule, found.rule_path) == (
        "work",
        "p",
        policy.Location("p.toml", 5),
        "/home/.ssh",
    )
    assert (found.path, found.path2, found.hook, found.error, found.reason) == ("/.ssh/id", "", "file_open", "EACCES", "rule")
    assert abs(found.time - time.time()) < 60


def test_a_rule_is_found_from_overlayfs() -> None:
    made = denial()
    made.refusal.object.subvol |= 1 << abi.Subvol.OVERLAY
    assert events.parse(bytes(made)).rule == policy.Location("p.toml", 5)


def test_silence_has_no_rule_but_a_policy() -> None:
    found = events.parse(bytes(denial(abi.Reason.NO_RULE)))
    assert found.rule is None and found.policy_name == "p"
    assert "no rule allows it (policy p)" in events.format_text(found)


def test_a_denial_of_a_ruleset_nobody_knows_is_still_told() -> None:
    found = events.parse(bytes(denial(serial=8)))
    assert (found.domain, found.rule) == ("#1", None)


def test_two_paths_and_a_truncated_one() -> None:
    made = denial()
    made.path.truncated = 1
    put(made, abi.Denial.second.offset, (b"new", b"tmp"))
    found = events.parse(bytes(made))
    assert (found.path, found.path2) == (".../.ssh/id", "/tmp/new")
    assert ".../.ssh/id -> /tmp/new" in events.format_text(found)


def test_the_root_and_names_that_would_play_tricks() -> None:
    assert events.parse(bytes(denial(names=()))).path == "/"
    assert events.parse(bytes(denial(names=(b"a\x1b[2J", "ö".encode(), b"\xff")))).path == "/\\xff/ö/a\\x1b[2J"


def test_lines() -> None:
    found = events.parse(bytes(denial()))
    line = events.format_text(found)
    for word in ("EACCES read_file /.ssh/id", "pid=10", "comm='cat'", "uid=1000", "hook=file_open", "domain=work", "p.toml:5"):
        assert word in line
    assert "\n" not in line
    told = json.loads(events.format_json(found))
    assert told["action"] == ["read_file"] and told["rule"] == {"file": "p.toml", "line": 5}


def test_every_reason_has_words() -> None:
    assert set(events.REASONS) == set(abi.Reason)


PROGRAMS = ruleset.Programs(
    2,
    1,
    ruleset.ENGINE,
    "",
    "libbpf",
    (ruleset.RuleProgram("a.c", 3, "first", 1, 0), ruleset.RuleProgram("a.c", 9, "second", 2, 0)),
)
ASKED = {
    "actions": (abi.Event.FS, abi.ActionFs.READ | abi.ActionFs.GET, 0, ("FS_READ", "FS_GET"), "a.c:3 first()"),
    "nothing": (abi.Event.FS, 0, 0, (), "a.c:3 first()"),
    "a command": (abi.Event.FS_IOCTL, 0x5401, 1, ("FS_IOCTL:cmd=0x5401",), "a.c:9 second()"),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_denial_of_a_rule_program(name: str) -> None:
    event, arg2, rule, asked, where = ASKED[name]
    record.write(record.Record(8, 3, "work", "", (ruleset.of_programs("work", 8, PROGRAMS),)))
    raw = denial(abi.Reason.PROGRAM, serial=8, event=event, refused=arg2, rule=rule, hook=abi.Hook.INODE_PERMISSION, error=-1)
    found = events.parse(bytes(raw))
    assert (found.event, found.asked, found.action, found.function) == (event.name, asked, Action(0), where.split()[1][:-2])
    what = ",".join(asked) or "inode_permission"
    text = events.format_text(found)
    assert f" DENIED EPERM {what} fs:/.ssh/id " in text and text.endswith(f"a rule program denies it: {where}")
    assert json.loads(events.format_json(found))["asked"] == list(asked)


def test_a_denial_of_ptrace_is_of_no_layer() -> None:
    found = events.parse(bytes(denial(abi.Reason.PTRACE, refused=0, hook=abi.Hook.PTRACE_ACCESS_CHECK)))
    assert (found.policy_name, found.rule) == ("", None)
    assert events.format_text(found).endswith("it is not in all domains of the tracer")


def test_each_hook_is_given_mounts_or_none() -> None:
    for row in questions.ROWS:
        mountless = {each.handle in (abi.Handle.DENTRY, abi.Handle.INODE) for each in row.questions}
        assert mountless == {row.number in events._MOUNTLESS}, row.hook


def test_what_a_permissive_policy_would_deny() -> None:
    found = events.parse(bytes(denial(permissive=1)))
    assert found.verdict == "would be denied"
    assert " WOULD BE DENIED EACCES read_file /.ssh/id " in events.format_text(found)
    assert json.loads(events.format_json(found))["verdict"] == "would be denied"


def test_how_many_were_not_reported() -> None:
    found = events.parse(bytes(denial(dropped=7)))
    assert (found.verdict, found.dropped) == ("denied", 7)
    assert events.format_dropped("work\x1b", 7).startswith(r"7 denials of the domain work\x1b were not reported")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((b"later", b"home"), ("/home/later", 7)),
        ((b"x", b"later", b"home"), ("/home/later", 7)),
        ((b"laterer", b"home"), None),
        ((b"key.pem", b"deep", b"home"), ("/home/**/*.pem", 9)),
    ],
)
def test_a_denial_of_a_name_names_its_rule(names: tuple[bytes, ...], expected: tuple[str, int] | None) -> None:
    read = int(Action.READ_FILE)
    layer = ruleset.Layer(
        "work", 8, "p", "p.toml", read, read, 2, True, ((OBJECT, 2),),
        names=(ruleset.Name(OBJECT, 1, 5, read, "/home/later", "p.toml", 7),),
        patterns=(ruleset.Pattern("*.pem", read, "p.toml", 9),),
        trees=(ruleset.Tree(OBJECT, 0, "/home"),),
    )  # fmt: skip
    record.write(record.Record(8, 4, "work", "", (layer,)))
    found = events.parse(bytes(denial(abi.Reason.NAMED, names, serial=8)))
    assert (found.rule_path, found.rule.line) == expected if expected and found.rule else (expected, found.rule) == (None, None)
