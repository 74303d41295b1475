# SPDX-License-Identifier: GPL-2.0-only
"""Hard links that were there before a rule: what is denied is denied by its other names as well."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import filesystem
import operation
import pytest
import rule
from member import Member
from test_run import run

from landlock_bpf import controller
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

DENIED = Action.READ_FILE | Action.WRITE_FILE


@pytest.fixture
def linked(tree: Path) -> Path:
    """A folder of secrets with names outside."""
    (tree / "secret" / "deep" / "open").mkdir(parents=True)
    (tree / "out").mkdir()
    for name in ("secret/file", "secret/deep/file", "secret/deep/open/file", "secret/deep/key.pem", "out/own"):
        (tree / name).write_text("")
        os.link(tree / name, tree / "out" / name.replace("/", "-"))
    return tree


def outcomes(inside: Member, top: Path, *names: str, flags: int = os.O_RDONLY) -> list[int]:
    return [inside.errno(operation.touch, top / "out" / name, flags) for name in names]


NAMES = ("secret-file", "secret-deep-file", "secret-deep-open-file", "secret-deep-key.pem", "out-own")


def test_no_policy(linked: Path, inside: Member) -> None:
    assert outcomes(inside, linked, *NAMES) == [0] * 5


@pytest.mark.parametrize("default", ["allow", "deny"])
def test_by_their_other_names(default: str, linked: Path, inside: Member, attach: rule.Attach) -> None:
    allowed = [rule.allow(linked, DENIED)] if default == "deny" else []
    attach(rule.make(DENIED, *allowed, rule.deny(linked / "secret", DENIED), default=default))
    assert outcomes(inside, linked, *NAMES) == [errno.EACCES] * 4 + [0]
    # Names that somebody outside makes of them now are of the same file.
    os.link(linked / "secret" / "file", linked / "out" / "later")
    assert outcomes(inside, linked, "later") == [errno.EACCES]


def test_nested_permissions_stay(linked: Path, inside: Member, attach: rule.Attach) -> None:
    opened = rule.allow(linked / "secret" / "deep" / "open", Action.READ_FILE)
    attach(rule.make(DENIED, rule.deny(linked / "secret", DENIED), opened, default="allow"))
    assert outcomes(inside, linked, *NAMES) == [errno.EACCES] * 2 + [0, errno.EACCES, 0]
    assert outcomes(inside, linked, *NAMES, flags=os.O_WRONLY) == [errno.EACCES] * 4 + [0]
    assert inside.errno(operation.touch, linked / "secret/deep/open/file", os.O_RDONLY) == 0


def test_rules_that_come_and_go(linked: Path, inside: Member, attach: rule.Attach, live: controller.Controller) -> None:
    """All of them have a say in what is denied by other names, whenever they came."""
    secret, opened = linked / "secret", linked / "secret/deep/open"
    name = attach(rule.make(DENIED, rule.allow(opened, DENIED), default="allow"))
    live.add_rules(name, rule.make(DENIED, rule.deny(secret, DENIED), default="allow"))
    assert outcomes(inside, linked, *NAMES) == [errno.EACCES] * 2 + [0, errno.EACCES, 0]
    live.remove_rule(name, str(opened))
    assert outcomes(inside, linked, *NAMES) == [errno.EACCES] * 4 + [0]
    live.add_rules(name, rule.make(DENIED, rule.allow(opened, DENIED)))
    assert outcomes(inside, linked, *NAMES) == [errno.EACCES] * 2 + [0, errno.EACCES, 0]
    live.remove_rule(name, str(secret))
    assert outcomes(inside, linked, *NAMES) == [0] * 5


def test_what_is_not_covered_by_an_added_rule(linked: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """It is told, and no more once the rule is gone."""
    secret = linked / "secret"
    name = attach(rule.make(DENIED, default="allow"))
    told = f"{secret}/deep/open is a mount of a part of a filesystem: links from elsewhere to its files are not denied"
    with filesystem.mounted(linked / "out", secret / "deep/open", flags=calls.MS_BIND):
        status, _, err = run("rule", "add", name, "--deny", secret)
        assert (status, err) == (0, f"landlock-bpf: {told}\n")
        assert live.show(name).policies[0].notes == (told,)
        status, _, err = run("rule", "remove", name, secret)
        assert (status, err, live.show(name).policies[0].notes) == (0, "", ())


def test_of_names_that_match(linked: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rule.make(DENIED, rule.deny(linked / "secret", DENIED, "*.pem"), default="allow"))
    assert outcomes(inside, linked, *NAMES) == [0, 0, 0, errno.EACCES, 0]
    # A file is not sealed by its other names.
    assert inside.errno(os.unlink, linked / "out" / "secret-deep-key.pem") == 0
    assert inside.errno(os.unlink, linked / "secret" / "deep" / "key.pem") == errno.EACCES


def test_a_new_link_gains_nothing(linked: Path, inside: Member, attach: rule.Attach) -> None:
    (linked / "secret" / "alone").write_text("")
    attach(rule.make(DENIED, rule.deny(linked / "secret", DENIED), default="allow"))
    assert inside.errno(os.link, linked / "secret" / "alone", linked / "out" / "alone") in (errno.EACCES, errno.EXDEV)
