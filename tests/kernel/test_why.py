# SPDX-License-Identifier: GPL-2.0-only
"""`why` and the kernel agree: what it says of an access is what then happens, for domains and for files."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import itertools
import os
import stat
from pathlib import Path

import filesystem
import pytest
import rule
import why_operation
from member import Member

from landlock_bpf import asker, cli, controller, engine, record
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls


def test_names_that_a_move_takes(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """A directory moved to the way of a denied path, and a link to a name that is denied, by whatever rule."""
    (tree / "moved").mkdir()
    for file in ("key.pem", "key", "secret"):
        (tree / file).write_text("")
    denied = Action.READ_FILE
    name = attach(
        rule.make(
            denied,
            rule.deny(tree / "way" / "on" / "secret", denied),
            rule.deny(tree, denied, "*.pem"),
            rule.deny(tree / "secret", denied),
            default="allow",
        )
    )
    tried = (
        ("rename", "moved", "way", errno.EACCES),
        ("rename", "moved", "key.pem", errno.EACCES),
        ("link", "key.pem", "copy", errno.EACCES),
        ("link", "key", "new.pem", errno.EACCES),
        ("link", "key", "way", errno.EACCES),
        ("link", "secret", "other", 0),  # the rule is the file's, whatever its name
        ("link", "key", "copy", 0),
        ("rename", "key", "key2", 0),
        ("rename", "moved", "free", 0),
    )
    with asker.of_domain(name) as asked:
        for word, old, new, comes in tried:
            answer = asked.answer(word, str(tree / old), str(tree / new))
            assert inside.errno(getattr(os, word), tree / old, tree / new) == comes, (word, old, new)
            assert answer.allowed == (comes == 0), (word, old, new, answer)
            seals = [question for question in answer.questions if question.action == "seal"]
            assert len(seals) == (comes != 0)
            assert all(seal.verdicts[0].rule for seal in seals)
        assert asked.answer("make_dir", str(tree / "way")).allowed
        assert not asked.answer("make_reg", str(tree / "way")).allowed


def test_names_from_above_a_mount(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """Of the names of a denied path some are those of directories above the mount's root, which was made later."""
    name = attach(rule.make(Action.READ_FILE, rule.deny(tree / "way" / "on" / "secret", Action.READ_FILE), default="allow"))
    (tree / "way" / "on").mkdir(parents=True)
    with filesystem.mounted(tree / "way" / "on", tree / "bound", flags=calls.MS_BIND) as bound, asker.of_domain(name) as asked:
        for path, comes in ((bound / "secret", errno.EACCES), (bound / "other", 0)):
            answer = asked.answer("make_reg", str(path))
            assert answer.missing and not answer.unasked
            assert answer.allowed == (comes == 0), answer
            assert asked.answer("read_file", str(path)).allowed == (comes == 0)
            assert inside.errno(why_operation.create, path) == comes


def test_all_mounts_are_asked(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """Hooks that are told no mount ask all that show the object: which of them denies is said."""
    (tree / "here").mkdir()
    (tree / "here" / "file").write_text("")
    with filesystem.mounted(tree / "here", tree / "bound", flags=calls.MS_BIND) as bound:
        (tree / "closed").mkdir()
        with filesystem.mounted(tree / "here", tree / "closed" / "bound", flags=calls.MS_BIND) as closed:
            actions = Action.UTIME | Action.CHMOD
            name = attach(rule.make(actions, rule.deny(tree / "closed", actions), default="allow"))
            with asker.of_domain(name) as asked:
                assert asked.answer("chmod", str(bound / "file")).allowed
                assert inside.errno(why_operation.chmod, bound / "file") == 0
                answer = asked.answer("utime", str(bound / "file"))
                assert inside.errno(os.utime, bound / "file") == errno.EACCES
                assert not answer.allowed and not answer.unasked
                assert {each.path: each.allowed for each in answer.questions} == {
                    str(tree / "here/file"): True, str(bound / "file"): True, str(closed / "file"): False,
                }  # fmt: skip
                with filesystem.mounted("none", tree / "closed", "tmpfs"):
                    assert asked.answer("utime", str(bound / "file")).unasked == ("mounts",)


def test_a_link_that_leads_nowhere(tree: Path, attach: rule.Attach) -> None:
    """Asked is where it would lead, by the names there."""
    (tree / "there").mkdir()
    (tree / "link").symlink_to("there/key.pem")
    name = attach(rule.make(Action.READ_FILE, rule.deny(tree / "there", Action.READ_FILE, "*.pem"), default="allow"))
    with asker.of_domain(name) as asked:
        answer = asked.answer("read_file", str(tree / "link"))
        assert answer.missing and not answer.allowed
        assert answer.questions[0].path == str(tree / "there/key.pem")


@pytest.mark.parametrize(
    ("word", "path", "unasked"),
    [
        ("write_file", "/proc/sys/kernel/core_pattern", True), ("read_file", "/proc/sys/kernel/core_pattern", False),
        ("chmod", "/sys/kernel/mm", True), ("read_file", "/run/landlock-bpf", True), ("mount", "/mnt", True),
        ("remove_file", "/run/landlock-bpf/x", True), ("write_file", "/etc/passwd", False),
    ],
)  # fmt: skip
def test_what_leads_out_of_domains_is_not_asked(word: str, path: str, unasked: bool, attach: rule.Attach) -> None:
    name = attach(rule.make(Action.READ_FILE, default="allow"))
    with asker.of_domain(name) as asked:
        assert asked.answer(word, path).unasked == (("domain",) if unasked else ())


def test_a_file_and_its_domain_say_the_same(tree: Path, attach: rule.Attach) -> None:
    (tree / "secret").mkdir()
    for name in ("secret/file", "file"):
        (tree / name).write_text("")
    made = rule.make(
        why_operation.HANDLED, rule.allow("/", why_operation.HANDLED), rule.deny(tree / "secret", Action.READ_FILE)
    )
    before = record.serials()
    with asker.of_policies([made]) as asked:
        told = {name: asked.answer("read_file", str(tree / name)) for name in ("secret/file", "file")}
    assert record.serials() == before
    with asker.of_domain(attach(made)) as asked:
        for name, answer in told.items():
            assert asked.answer("read_file", str(tree / name)) == answer
    denied = told["secret/file"]
    assert not denied.allowed
    (verdict,) = denied.questions[0].verdicts
    assert verdict.reason == "rule" and verdict.rule and verdict.rule.path == str(tree / "secret")
    assert verdict.rule.location == made.rules[1].location
    walk = denied.questions[0].walk
    assert [place.path for place in walk[:2]] == [str(tree / "secret/file"), str(tree / "secret")]
    assert walk[-1].path == "/" and walk[-1].rules[0].allowed == Action.READ_FILE
    assert walk[1].rules[0].denied == Action.READ_FILE
    assert told["file"].allowed


def test_seals(tree: Path, attach: rule.Attach) -> None:
    (tree / "way/secret").mkdir(parents=True)
    (tree / "way/beside").mkdir()
    name = attach(rule.make(why_operation.HANDLED, rule.deny(tree / "way/secret", Action.READ_FILE), default="allow"))
    with asker.of_domain(name) as asked:
        for path in ("way/secret", "way"):
            answer = asked.answer("rename", str(tree / path), str(tree / "else"))
            assert not answer.allowed
            (seal,) = (question for question in answer.questions if question.action == "seal")
            assert seal.verdicts[0].rule and seal.verdicts[0].rule.path == str(tree / "way/secret")
        assert asked.answer("rename", str(tree / "way/beside"), str(tree / "way/else")).allowed


@pytest.mark.parametrize("order", [1, -1])
def test_a_directory_leaves_the_trees_of_some_layers(order: int, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """Denied by those alone whose pattern it leaves behind; one that only reports stops nobody."""
    for name in ("denied", "reported"):
        (tree / name / "moved").mkdir(parents=True)
    (tree / "free").mkdir()
    secret = rule.deny(tree / "denied", Action.READ_FILE, "*.pem"), rule.deny(tree, Action.READ_FILE, "*.key")
    layers = [
        rule.make(why_operation.HANDLED, *secret, default="allow", name="denies"),
        rule.make(
            why_operation.HANDLED,
            rule.deny(tree / "reported", Action.READ_FILE, "*.env"),
            default="allow",
            name="reports",
            permissive=True,
        ),
    ]
    with asker.of_domain(attach(*layers[::order])) as asked:
        for name, by, comes in (("denied", "denies", errno.EXDEV), ("reported", "reports", 0)):
            old, new = tree / name / "moved", tree / "free" / "moved"
            answer = asked.answer("rename", str(old), str(new))
            (gain,) = (question for question in answer.questions if question.action == "gain")
            assert [verdict.policy for verdict in gain.verdicts if not verdict.allowed] == [by]
            assert inside.errno(os.rename, old, new) == comes
            assert answer.allowed == (comes == 0)


def test_the_command(tree: Path, attach: rule.Attach, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "secret").mkdir()
    name = attach(rule.make(why_operation.HANDLED, rule.deny(tree / "secret", Action.READ_DIR), default="allow"))
    assert cli.main(["why", name, "read_dir", str(tree / "secret")]) == 1
    out = capsys.readouterr().out
    assert out.startswith("denied: read_dir of ") and f"by the rule on {tree}/secret (test:" in out
    assert cli.main(["why", name, "read_dir", str(tree)]) == 0
    assert cli.main(["why", "no-such-domain", "read_dir", str(tree)]) == 2
    assert cli.main(["why", name, "all", str(tree / "secret"), "--json"]) == 1


def ioctl(path: Path, command: int) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(fd, command, bytes(256))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise
    finally:
        os.close(fd)


# As linux/fs.h, asm-generic/ioctls.h, linux/btrfs.h, linux/random.h have them.
COMMANDS = {
    "FIONREAD": 0x541B, "FIGETBSZ": 0x2, "FS_IOC_GETFLAGS": 0x80086601, "FS_IOC_SETFLAGS": 0x40086602,
    "TIOCSTI": 0x5412, "0xd0009411": 0xD0009411, "0x80045200": 0x80045200, "0x12345678": 0x12345678,
}  # fmt: skip


@pytest.mark.parametrize("default", ["allow", "deny"])
def test_ioctl_commands_agree_with_the_kernel(default: str, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """All that a command is asked: its own class, the action that it stands for, ioctl_dev at open, the domain."""
    for folder in ("plain", "ruled", "ruled/inner"):
        (tree / folder).mkdir()
        (tree / folder / "file").write_text("")
        (tree / folder / "key.pem").write_text("")
        os.mknod(tree / folder / "random", 0o600 | stat.S_IFCHR, os.makedev(1, 8))
    handled = Action.IOCTL | Action.IOCTL_DEV | Action.FILE_GETATTR | Action.FILE_SETATTR
    name = attach(
        rule.make(
            handled,
            rule.deny(tree / "ruled", Action.IOCTL, commands=(COMMANDS["FIONREAD"], COMMANDS["FS_IOC_GETFLAGS"])),
            dataclasses.replace(rule.allow(tree / "ruled/inner", Action.IOCTL), commands=(COMMANDS["FIONREAD"],)),
            rule.deny(tree / "ruled/inner", Action.FILE_SETATTR | Action.IOCTL_DEV),
            rule.deny(tree, Action.IOCTL, "*.pem", commands=(COMMANDS["FIGETBSZ"],)),
            default=default,
        ),
        rule.make(Action.IOCTL, rule.deny(tree / "plain", Action.IOCTL), default="allow"),
    )
    counted = {True: 0, False: 0}
    with asker.of_domain(name) as asked:
        for path, (word, number) in itertools.product(sorted(tree.glob("**/[fkr]*[me]")), COMMANDS.items()):
            answer = asked.answer(f"ioctl:{word}", str(path))
            assert (inside.errno(ioctl, path, number) == 0) == answer.allowed, (path, word, answer)
            counted[answer.allowed] += 1
    assert all(counted.values()) if default == "allow" else counted[False], counted


def test_which_commands_are_denied(tree: Path, attach: rule.Attach, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "file").write_text("")
    one = rule.deny(tree, Action.IOCTL, commands=(COMMANDS["FIONREAD"],))
    other = rule.deny(tree, Action.IOCTL, commands=(COMMANDS["FIGETBSZ"],))
    name = attach(rule.make(Action.IOCTL, one, other, default="allow"))
    path = str(tree / "file")
    assert cli.main(["why", name, "ioctl:FIGETBSZ", path]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"denied: ioctl:FIGETBSZ of {path}\nioctl(FIGETBSZ) on {path}: denied\n")
    assert f"by the rule on {tree} about FIGETBSZ ({other.location})" in out
    assert f"    {tree}  layer 0 denies ioctl (FIGETBSZ) ({other.location})\n" in out and str(one.location) not in out
    assert cli.main(["why", name, "ioctl:0x5412345", path]) == 0
    assert str(one.location) not in capsys.readouterr().out
    assert cli.main(["why", name, "ioctl", path]) == 1
    out = capsys.readouterr().out
    assert f"ioctl(all others) on {path}: allowed" in out
    assert f"ioctl(FIONREAD) on {path}: denied" in out and f"ioctl(FIGETBSZ) on {path}: denied" in out
    with asker.of_domain(name) as asked:
        told = {each.commands: each.verdicts[0].rule for each in asked.answer("ioctl", path).questions}
    assert told[()] is None and set(told) == {(), one.commands, other.commands}
    for written in (one, other):
        found = told[written.commands]
        assert found and (found.location, found.commands) == (written.location, written.commands)


def test_killed_while_it_asks(tree: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """What it puts into the kernel is swept up by the next command."""
    attach(rule.make(why_operation.HANDLED, rule.deny(tree, Action.READ_DIR), default="allow"))
    before = record.serials()
    pid = os.fork()
    if pid == 0:
        asked = asker.of_policies([rule.make(why_operation.HANDLED, rule.deny(tree, Action.READ_FILE), default="allow")])
        asked.__enter__()
        os._exit(0)
    os.waitpid(pid, 0)
    assert len(record.serials()) == len(before) + 1
    live.sweep()
    assert record.serials() == before
    found = engine.find()
    assert found
    with found:
        assert sum(bool(found.ruleset(index).serial) for index in range(1, 64)) == len(before)
