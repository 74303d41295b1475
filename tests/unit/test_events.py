# SPDX-License-Identifier: GPL-2.0-only
"""Denials: from the engine's bytes to lines for people and programs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from landlock_bpf import abi, cli, events, identity, names, policy, questions, record, ruleset
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


def test_what_is_of_no_file() -> None:
    made = denial(names=())
    made.path.absent = 1
    found = events.parse(bytes(made))
    assert found.path == ""
    assert "  " not in events.format_text(found)


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
    assert found.command == (arg2 if event == abi.Event.FS_IOCTL else None)
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


def test_a_tree_whose_own_name_its_pattern_has() -> None:
    """What is beneath a tree is meant, not the tree."""
    layer = ruleset.Layer(
        "work", 8, "p", "p.toml", 0, 0, 2, True, ((OBJECT, 2),),
        (ruleset.Entry(OBJECT, 0, 0, True, "/home/old.pem", "p.toml", 5),),
        patterns=(ruleset.Pattern("*.pem", int(Action.READ_FILE), "p.toml", 9),),
        trees=(ruleset.Tree(OBJECT, 0, "/home/old.pem"),),
    )  # fmt: skip
    record.write(record.Record(8, 4, "work", "", (layer,)))
    for path, line in (((b"old.pem", b"home"), 5), ((b"key.pem", b"old.pem", b"home"), 9)):
        found = events.parse(bytes(denial(SEALED, path, serial=8)))
        assert found.rule == policy.Location("p.toml", line)


COMMANDS = {
    "by its name": (abi.Hook.FILE_IOCTL, Action.IOCTL, 0x5412, "ioctl(TIOCSTI)"),
    "by its number": (abi.Hook.FILE_IOCTL_COMPAT, Action.IOCTL_DEV, 0x12345678, "ioctl_dev(0x12345678)"),
    "0": (abi.Hook.FILE_IOCTL, Action.IOCTL | Action.FILE_GETATTR, 0, "file_getattr,ioctl(0x0)"),
    "one of a class": (abi.Hook.FILE_IOCTL, 1 << abi.ActionBit.COMMANDS, 0x541B, "ioctl(FIONREAD)"),
    "no action": (abi.Hook.FILE_IOCTL, 0, 0x5412, "file_ioctl(TIOCSTI)"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_of_an_ioctl(name: str) -> None:
    hook, refused, command, what = COMMANDS[name]
    found = events.parse(bytes(denial(hook=hook, refused=refused, command=command, ioctl=1)))
    assert found.command == command
    assert f" DENIED EACCES {what} /.ssh/id " in events.format_text(found)
    assert json.loads(events.format_json(found))["command"] == command
    assert events.parse(bytes(denial())).command is None


@pytest.mark.parametrize(("command", "line"), [(0x5412, 5), (0x541B, 6), (0x5401, 7)])
def test_a_denial_of_a_command_names_the_rule_on_it(command: int, line: int) -> None:
    entries = tuple(
        ruleset.Entry(OBJECT, 0, int(Action.IOCTL), True, "/x", "p.toml", number, commands)
        for number, commands in ((5, (0x5412,)), (6, (0x541B,)), (7, ()))
    )
    layer = ruleset.Layer("work", 8, "p", "p.toml", int(Action.IOCTL), 0, 3, True, ((OBJECT, 3),), entries)
    record.write(record.Record(8, 4, "work", "", (layer,)))
    raw = denial(serial=8, hook=abi.Hook.FILE_IOCTL, refused=1 << abi.ActionBit.COMMANDS, command=command, ioctl=1)
    found = events.parse(bytes(raw))
    assert found.rule == policy.Location("p.toml", line)


def test_of_a_name_that_no_domain_has(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is read: that would drop the denials of all domains. One that ended has its record among the past ones."""
    monkeypatch.setattr(cli, "require_root", lambda: None)
    monkeypatch.setattr(events, "read", lambda follow: (events.parse(bytes(made)) for made in (denial(),)))
    assert cli.main(["events", "wrok"]) == 1
    told = capsys.readouterr()
    assert (told.out, "there is no domain wrok" in told.err) == ("", True)
    for _ in range(2):
        assert cli.main(["events", "work"]) == 0
        assert " domain=work layer=0 " in capsys.readouterr().out
        record.remove(7)


def test_the_layer() -> None:
    assert " domain=work layer=0 a rule denies it: " in events.format_text(events.parse(bytes(denial())))
    for made in (denial(serial=8), denial(abi.Reason.PTRACE)):  # of no layer that is known
        assert "layer=" not in events.format_text(events.parse(bytes(made)))


def test_how_many_were_not_reported() -> None:
    found = events.parse(bytes(denial(dropped=7)))
    assert (found.verdict, found.dropped) == ("denied", 7)
    assert events.format_dropped("work\x1b", 7).startswith(r"7 denials of the domain work\x1b were not reported")


def named(path: str, line: int, denied: Action = Action.READ_FILE, missing: int = 1) -> ruleset.Name:
    """A rule on a path whose last names, `missing` of them, need not exist; the others are of the object."""
    parts = [os.fsencode(part) for part in path.split("/")][-missing:]
    (*_, (made, last, _)) = names.prefixes(parts)
    return ruleset.Name(OBJECT, made, len(last), int(denied), path, "p.toml", line)


NAMED, SEALED = abi.Reason.NAMED, abi.Reason.SEALED
LATER, ODD, RAW = ("/home/later", 7), ("/home/a\n\x1b", 11), ("/home/\udcff\N{SNOWMAN}", 12)
PEM = ("/home/**/*.pem", 9)
ON_NAMES = {
    "the name": (NAMED, (b"later", b"home"), (), LATER),
    "beneath it": (NAMED, (b"x", b"later", b"home"), (), LATER),
    "a longer name": (NAMED, (b"laterer", b"home"), (), None),
    "a pattern": (NAMED, (b"key.pem", b"deep", b"home"), (), PEM),
    "the same name further down": (NAMED, (b"later", b"other", b"home"), (), ("/home/other", 13)),
    "control characters": (NAMED, (b"a\n\x1b", b"home"), (), ODD),
    "not UTF-8": (NAMED, (b"\xff" + "\N{SNOWMAN}".encode(), b"home"), (), RAW),
    "renamed from": (SEALED, (b"later", b"home"), (b"x", b"home"), LATER),
    "renamed to": (SEALED, (b"x", b"home"), (b"later", b"home"), LATER),
    "renamed to a pattern": (SEALED, (b"a.txt", b"home"), (b"key.pem", b"home"), PEM),
    "renamed to not UTF-8": (SEALED, (b"a.txt", b"home"), (b"\xff" + "\N{SNOWMAN}".encode(), b"home"), RAW),
    "renamed onto the way": (SEALED, (b"x", b"home"), (b"way", b"home"), ("/home/way/there", 15)),
    "renamed to a pattern, out of one": (SEALED, (b"x", b"old.pem", b"home"), (b"later", b"home"), LATER),
    "the object itself": (SEALED, (b"home",), (b"elsewhere",), ("/home", 5)),
}


# Of a path that is cut, what is above the names is not known.
CUT = [name for name in ON_NAMES if name != "the same name further down"]


@pytest.mark.parametrize(("name", "cut"), [*((name, False) for name in ON_NAMES), *((name, True) for name in CUT)])
def test_a_denial_of_a_name_names_its_rule(name: str, cut: bool) -> None:
    reason, path, path2, expected = ON_NAMES[name]
    read = int(Action.READ_FILE)
    layer = ruleset.Layer(
        "work", 8, "p", "p.toml", read, read, 2, True, ((OBJECT, 2),),
        (ruleset.Entry(OBJECT, 0, 0, True, "/home", "p.toml", 5),),
        names=(
            named("/home/way/there", 15, missing=2), named("/home/way", 15)._replace(denied=0, path="/home/way/there"),
            named(*LATER), named(*ODD), named(*RAW), named("/home/other", 13),
        ),
        patterns=(ruleset.Pattern("*.pem", read, "p.toml", 9),),
        trees=(ruleset.Tree(OBJECT, 0, "/home"),),
    )  # fmt: skip
    record.write(record.Record(8, 4, "work", "", (layer,)))
    made = denial(reason, path, serial=8)
    put(made, abi.Denial.second.offset, path2)
    if cut:
        put(made, abi.Denial.path.offset, path[:-1])
        put(made, abi.Denial.second.offset, path2[:-1])
        made.path.truncated = made.second.truncated = 1
    found = events.parse(bytes(made))
    assert (found.rule_path, found.rule and found.rule.line) == (expected or ("", None))
