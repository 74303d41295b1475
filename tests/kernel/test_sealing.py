# SPDX-License-Identifier: GPL-2.0-only
"""What a denial is tied to cannot be removed, moved or replaced, nor can what is on the way to it; what lies beside can."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import operation
import pytest
import rule
from member import Member

from landlock_bpf.abi import Action


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()


def rename(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}-elsewhere"))


def move(path: Path) -> None:
    path.rename(path.parent / "else" / path.name)


def replace(path: Path) -> None:
    impostor = path.with_name(f"{path.name}-impostor")
    if path.is_dir() and not path.is_symlink():
        impostor.mkdir()
    else:
        impostor.write_text("")
    impostor.rename(path)


def swap(path: Path) -> None:
    other = path.with_name(f"{path.name}-other")
    other.write_text("")
    operation.swap(path, other)


def swap_back(path: Path) -> None:
    other = path.with_name(f"{path.name}-other")
    other.write_text("")
    operation.swap(other, path)


WAYS = (remove, rename, move, replace, swap, swap_back)


def lay_out(top: Path) -> None:
    """Make top/outer/inner/secret and a symbolic link top/alias to top/outer/inner; each with an empty twin beside."""
    (top / "outer" / "inner").mkdir(parents=True)
    (top / "outer" / "inner" / "secret").write_text("")
    (top / "outer" / "inner" / "secret-twin").write_text("")
    (top / "outer" / "inner-twin").mkdir()
    (top / "outer-twin").mkdir()
    (top / "alias").symlink_to("outer/inner")
    (top / "alias-twin").symlink_to("outer/inner")
    for each in (top, top / "outer", top / "outer" / "inner"):
        (each / "else").mkdir()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("place", ["outer/inner/secret", "outer/inner", "outer", "alias"])
def test_seal(way: Callable[[Path], None], place: str, tree: Path, inside: Member, attach: rule.Attach) -> None:
    lay_out(tree)
    attach(rule.make(Action.READ_FILE, rule.deny(tree / "alias" / "secret", Action.READ_FILE), default="allow"))
    path = tree / place
    assert inside.errno(way, path.with_name(f"{path.name}-twin")) == 0
    before = os.lstat(path).st_ino
    # Were it not sealed, a directory on the way could not be removed either: it is not empty.
    assert inside.errno(way, path) == errno.EACCES
    assert os.lstat(path).st_ino == before


def test_the_seal_ends_with_the_domain(tree: Path, inside: Member, attach: rule.Attach, live: object) -> None:
    lay_out(tree)
    name = attach(rule.make(Action.READ_FILE, rule.deny(tree / "outer/inner/secret", Action.READ_FILE), default="allow"))
    assert inside.errno(rename, tree / "outer") == errno.EACCES
    live.detach(name)
    assert inside.errno(rename, tree / "outer") == 0


def test_others_are_not_bound(tree: Path, inside: Member, attach: rule.Attach) -> None:
    lay_out(tree)
    attach(rule.make(Action.READ_FILE, rule.deny(tree / "outer/inner/secret", Action.READ_FILE), default="allow"))
    assert inside.errno(rename, tree / "outer") == errno.EACCES
    (tree / "outer").rename(tree / "moved")
    # It is the object that is denied, wherever it went.
    assert inside.errno(operation.touch, tree / "moved/inner/secret", os.O_RDONLY) == errno.EACCES


@pytest.mark.parametrize("order", [1, -1])
def test_beside_a_layer_that_merely_reports(order: int, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """What it says of a name, of an object or of the other name of a rename hides no seal of another layer."""
    read = Action.READ_FILE
    for name in ("a.pem", "b.pem", "source", "target", "else"):
        (tree / name).write_text(name)
    reports = rule.make(
        read, rule.deny(tree, read, "*.pem"), rule.deny(tree / "source", read), default="allow", permissive=True
    )
    denies = rule.make(read, rule.deny(tree / "a.pem", read), rule.deny(tree / "target", read), default="allow")
    attach(*(reports, denies)[::order])
    assert inside.errno(remove, tree / "a.pem") == errno.EACCES
    assert inside.errno(os.rename, tree / "source", tree / "target") == errno.EACCES
    assert inside.errno(operation.swap, tree / "b.pem", tree / "target") == errno.EACCES
    assert (tree / "target").read_text() == "target"
    assert inside.errno(remove, tree / "b.pem") == 0
    assert inside.errno(os.rename, tree / "source", tree / "else") == 0
