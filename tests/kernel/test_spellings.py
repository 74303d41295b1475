# SPDX-License-Identifier: GPL-2.0-only
"""Directories in which upper and lower case are the same: no rule on names there, and none is to be got round by them."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import rule
from member import Member

from landlock_bpf import errors
from landlock_bpf.abi import Action

READ = Action.READ_FILE


@pytest.fixture
def folding(tree: Path) -> Iterator[Path]:
    """A directory without regard to case, on a filesystem mounted in the tree."""
    disk, target = tree / "disk", tree / "mounted"
    with open(disk, "wb") as made:
        made.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "casefold", disk], check=True)
    target.mkdir()
    subprocess.run(["mount", "-o", "loop", disk, target], check=True)
    try:
        (target / "folding").mkdir()
        subprocess.run(["chattr", "+F", target / "folding"], check=True)
        yield target / "folding"
    finally:
        subprocess.run(["umount", target], check=True)


def read(path: Path) -> None:
    path.read_bytes()


@pytest.mark.parametrize("names", [("*.pem",), ()], ids=["pattern", "missing"])
def test_refused(names: tuple[str, ...], folding: Path, attach: rule.Attach) -> None:
    path = folding if names else folding / "missing"
    with pytest.raises(errors.PolicyError, match="case"):
        attach(rule.make(READ, rule.deny(path, READ, *names), default="allow"))


def test_every_name_may_be_a_match(folding: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """The tree of a pattern has it somewhere beneath: another spelling must not open what the pattern closes."""
    (folding / "key.pem").write_text("x")
    (tree / "key.PEM").write_text("x")
    assert inside.errno(read, folding / "KEY.PEM") == 0
    attach(rule.make(READ, rule.deny(tree, READ, "*.pem"), default="allow"))
    assert inside.errno(read, folding / "KEY.PEM") == errno.EACCES
    assert inside.errno(read, tree / "key.PEM") == 0
