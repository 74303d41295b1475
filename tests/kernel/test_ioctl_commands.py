# SPDX-License-Identifier: GPL-2.0-only
"""Rules on single ioctl commands: the nearest rule that speaks of a command decides it, in each layer."""

from __future__ import annotations

import dataclasses
import errno
from pathlib import Path

import operation
import pytest
import rule
from member import Member

from landlock_bpf import cli, controller, policy
from landlock_bpf.abi import Action

# include/uapi/asm-generic/ioctls.h and linux/fs.h: what any regular file answers.
UNREAD, BLOCK_SIZE = 0x541B, 0x2
IOCTL = Action.IOCTL


def outcomes(member: Member, path: Path) -> tuple[int, int]:
    """Give the errno of the one command and of the other."""
    return member.errno(operation.command, path, UNREAD), member.errno(operation.command, path, BLOCK_SIZE)


def allow(path: Path, *commands: int) -> policy.Rule:
    return dataclasses.replace(rule.allow(path, IOCTL), commands=commands)


@pytest.fixture
def file(tree: Path) -> Path:
    (tree / "inner").mkdir()
    made = tree / "inner" / "file"
    made.write_text("x")
    return made


def test_no_policy(file: Path, inside: Member) -> None:
    assert outcomes(inside, file) == (0, 0)


def test_one_is_denied(file: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rule.make(IOCTL, rule.deny(tree, IOCTL, commands=(UNREAD,)), default="allow"))
    assert outcomes(inside, file) == (errno.EACCES, 0)


def test_one_is_allowed(file: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rule.make(IOCTL, allow(tree, UNREAD)))
    assert outcomes(inside, file) == (0, errno.EACCES)


def test_the_nearest_rule_on_a_command(file: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rule.make(IOCTL, rule.deny(tree, IOCTL), allow(file.parent, UNREAD)))
    assert outcomes(inside, file) == (0, errno.EACCES)
    (tree / "other").write_text("x")
    assert outcomes(inside, tree / "other") == (errno.EACCES, errno.EACCES)


def test_all_where_one_was_allowed(file: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rule.make(IOCTL, allow(tree, UNREAD), rule.deny(file.parent, IOCTL)))
    assert outcomes(inside, file) == (errno.EACCES, errno.EACCES)


def test_layers(file: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """Each names other commands: all must allow."""
    attach(rule.make(IOCTL, allow(tree, UNREAD)), rule.make(IOCTL, rule.deny(tree, IOCTL, commands=(UNREAD,)), default="allow"))
    assert outcomes(inside, file) == (errno.EACCES, errno.EACCES)


def test_show_tells_the_commands(
    file: Path, tree: Path, attach: rule.Attach, live: controller.Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    pattern = rule.deny(tree, IOCTL, "*.pem", commands=(UNREAD,))
    missing = rule.deny(tree / "later", IOCTL, commands=(0x5412, 0x12345678))
    name = attach(rule.make(IOCTL, allow(file, UNREAD, BLOCK_SIZE), rule.deny(tree, IOCTL), pattern, missing))
    told = {each.path: each.commands for each in live.show(name).policies[0].rules if each.allowed | each.denied}
    assert told == {
        str(file): (UNREAD, BLOCK_SIZE), str(tree): (), f"{tree}/**/*.pem": (UNREAD,), missing.path: (0x5412, 0x12345678)
    }  # fmt: skip
    assert cli.main(["show", name]) == 0
    out = capsys.readouterr().out
    assert f"  {file}  allow ioctl (FIONREAD, FIGETBSZ)  (" in out and f"  {tree}  deny ioctl  (" in out
    assert f"{missing.path}  deny ioctl (TIOCSTI, 0x12345678)  (" in out
