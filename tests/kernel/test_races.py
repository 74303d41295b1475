# SPDX-License-Identifier: GPL-2.0-only
"""Walks up while directories are moved: no way up is found that never was one."""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import operation
import preemption
import pytest
import rule
import trial
from member import Member

from landlock_bpf.abi import Action

READ = Action.READ_FILE
LIST = Action.READ_DIR
DEPTH = 200
SECONDS = 2.0
# Seconds between two moves: some walks long.
PAUSE = 0.002


@contextlib.contextmanager
def folder(path: Path) -> Iterator[int]:
    opened = os.open(path, os.O_PATH)
    try:
        yield opened
    finally:
        os.close(opened)


def move(top: Path, bottom: Path, stop: Path) -> int:
    """Move `inner` from one denied tree into another, and then the first tree to where all is allowed; and back.

    Each time whoever runs is interrupted, wherever he is, and goes on where the trees have moved by then.
    """
    count = 0
    with preemption.urgent(), folder(bottom) as old, folder(top / "secret2") as new:
        while not stop.exists():
            time.sleep(PAUSE)
            os.rename("inner", "inner", src_dir_fd=old, dst_dir_fd=new)
            os.rename(top / "secret1/chain", top / "open/chain")
            time.sleep(PAUSE)
            os.rename(top / "open/chain", top / "secret1/chain")
            os.rename("inner", "inner", src_dir_fd=new, dst_dir_fd=old)
            count += 1
    return count


def hold(path: Path) -> int:
    return os.open(path, os.O_PATH)


def read_in(held: int) -> None:
    """Open a file in a folder, wherever that is now."""
    os.close(os.open("file", os.O_RDONLY, dir_fd=held))


def list_in(held: int) -> None:
    """Open the folder itself to be read: one walk decides, which for a file is made again where anything was renamed."""
    os.close(os.open(".", os.O_RDONLY, dir_fd=held))


def try_all_the_while(act: Callable[[int], None], held: int, seconds: float) -> dict[int, int]:
    """Count the errnos."""
    found: collections.Counter[int] = collections.Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found[trial.errno_of(act, held)] += 1
    return dict(found)


@pytest.mark.parametrize("act", [read_in, list_in], ids=["file", "folder"])
def test_always_in_one_denied_tree_or_another(
    act: Callable[[int], None], preempted: None, tree: Path, inside: Member, attach: rule.Attach
) -> None:
    """A walk that is interrupted at the bottom of a tree goes on up to where the tree is by then."""
    bottom = tree.joinpath("secret1/chain", *["d"] * DEPTH)
    for path in (bottom / "inner", tree / "secret2", tree / "open"):
        path.mkdir(parents=True)
    (bottom / "inner/file").write_text("")
    held = inside.ask(hold, bottom / "inner")
    assert inside.ask(try_all_the_while, act, held, 0.1).keys() == {0}
    denied = (rule.deny(tree / name, READ | LIST) for name in ("secret1", "secret2"))
    # A pattern that each name on the way must be compared with, for most of the time must be spent in walks.
    slow = rule.deny(tree, Action.MAKE_FIFO, "*xd")
    attach(rule.make(READ | LIST | Action.MAKE_FIFO, *denied, slow, default="allow"))
    with Member() as mover:
        mover.begin(move, tree, bottom, tree / "stop")
        try:
            found = inside.ask(try_all_the_while, act, held, SECONDS)
        finally:
            (tree / "stop").write_text("")
        assert mover.end() > 50
    assert found.keys() == {errno.EACCES} and found[errno.EACCES] > 50


def rename(folder: Path, stop: Path) -> int:
    """Rename a file there and back."""
    count = 0
    while not stop.exists():
        os.rename(folder / "one", folder / "two")
        os.rename(folder / "two", folder / "one")
        count += 1
    return count


def test_moves_of_files_disturb_nobody(preempted: None, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """The longest walk is made in peace, however many files are renamed meanwhile."""
    bottom = tree.joinpath("open", *["d"] * DEPTH)
    bottom.mkdir(parents=True)
    for path in (bottom / "file", tree / "one"):
        path.write_text("")
    held = inside.ask(hold, bottom)
    attach(rule.make(READ | Action.MAKE_FIFO, rule.deny(tree, Action.MAKE_FIFO, "*xd"), default="allow"))
    with Member() as mover:
        mover.begin(rename, tree, tree / "stop")
        try:
            found = inside.ask(try_all_the_while, read_in, held, SECONDS)
        finally:
            (tree / "stop").write_text("")
        assert mover.end() > 50
    assert found.keys() == {0} and found[0] > 50


def test_moved_into_a_denied_tree(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """A walk that is remembered ends where a directory is renamed."""
    for name in ("open/inner", "secret"):
        (tree / name).mkdir(parents=True)
    (tree / "open/inner/file").write_text("")
    held = inside.ask(hold, tree / "open/inner")
    attach(rule.make(READ, rule.deny(tree / "secret", READ), default="allow"))
    for place, expected in (("open", 0), ("secret", errno.EACCES)) * 2:
        for _ in range(3):
            assert inside.errno(read_in, held) == expected
        other = "secret" if place == "open" else "open"
        os.rename(tree / place / "inner", tree / other / "inner")


def test_exchanged_with_a_file_in_a_denied_tree(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """Renames of files end no walk that is remembered; where a file changes places with a directory, one is moved."""
    for name in ("open/inner", "secret"):
        (tree / name).mkdir(parents=True)
    for name in ("open/inner/file", "open/other", "secret/inner"):
        (tree / name).write_text("")
    held = inside.ask(hold, tree / "open/inner")
    attach(rule.make(READ, rule.deny(tree / "secret", READ), default="allow"))
    for expected in (0, errno.EACCES) * 2:
        for _ in range(3):
            os.rename(tree / "open/other", tree / "open/another")
            assert inside.errno(read_in, held) == expected
            os.rename(tree / "open/another", tree / "open/other")
            assert inside.errno(read_in, held) == expected
        # Where it comes into the denied tree, the file is what is moved and the directory what it changes places with.
        operation.swap(tree / "secret/inner", tree / "open/inner")
