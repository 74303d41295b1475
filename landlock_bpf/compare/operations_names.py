# SPDX-License-Identifier: GPL-2.0-only
"""Operations that take names away, and that move and double them."""

from __future__ import annotations

import os
from pathlib import Path

from landlock_bpf.compare import calls
from landlock_bpf.compare.operation import AROUND, WRITE, Table
from landlock_bpf.compare.scene import BENEATH, BESIDE, INSIDE, READ_ONLY, Scene

TABLE = Table("names")


@TABLE.at(
    INSIDE,
    BENEATH,
    BESIDE,
    READ_ONLY,
    need=WRITE,
    why="Removing is asked of the directory: all with paths know it, and Landlock cannot except one beneath another.",
)
def unlink(folder: Path, _scene: Scene) -> None:
    """unlink(2) a file."""
    (folder / "file").unlink()


@TABLE.at(INSIDE, BESIDE, READ_ONLY, need=WRITE, why="As for files; Landlock has a right of its own for directories.")
def rmdir(folder: Path, _scene: Scene) -> None:
    """rmdir(2) an empty directory."""
    (folder / "folder").rmdir()


@TABLE.at(
    INSIDE,
    BENEATH,
    BESIDE,
    READ_ONLY,
    need=WRITE,
    why="A rename takes a name away and makes one: both are asked, by whoever knows either.",
)
def rename(folder: Path, _scene: Scene) -> None:
    """rename(2) a file within its directory."""
    os.rename(folder / "file", folder / "new")


@TABLE.at(READ_ONLY, need=WRITE, why="What was there is gone, as if it had been removed.")
def rename_over(folder: Path, _scene: Scene) -> None:
    """rename(2) a file over another one."""
    os.rename(folder / "file", folder / "victim")


@TABLE.at(INSIDE, BESIDE, READ_ONLY, need=WRITE, why="Two renames in one, of a file and a directory: each is asked about.")
def exchange(folder: Path, _scene: Scene) -> None:
    """renameat2(2) with RENAME_EXCHANGE."""
    calls.swap(folder / "file", folder / "folder")


@TABLE.at(INSIDE, BESIDE, READ_ONLY, need=WRITE, why="A further name within a directory; nothing is opened, something is made.")
def link(folder: Path, _scene: Scene) -> None:
    """link(2) a file within its directory."""
    os.link(folder / "file", folder / "new")


@TABLE.at(
    INSIDE,
    READ_ONLY,
    need=WRITE,
    also=(BESIDE,),
    why="What is moved to where more is allowed gains rights: Landlock compares both places (EXDEV), mounts cannot be left.",
)
def move_out(folder: Path, scene: Scene) -> None:
    """rename(2) a file into the writable tree."""
    os.rename(folder / "file", scene.at(BESIDE) / "new")


@TABLE.at(
    INSIDE,
    READ_ONLY,
    need=AROUND,
    also=(BESIDE,),
    why="Under the other name more is allowed: Landlock compares both places (EXDEV), path-based mechanisms ask about pairs.",
)
def link_out(folder: Path, scene: Scene) -> None:
    """link(2) a file into the writable tree."""
    os.link(folder / "file", scene.at(BESIDE) / "new")


@TABLE.at(INSIDE, need=WRITE, also=(BESIDE,), why="To put something into a tree is to change it, be it by a rename.")
def move_in(folder: Path, scene: Scene) -> None:
    """rename(2) a file into the denied tree."""
    os.rename(scene.at(BESIDE) / "file", folder / "new")


@TABLE.at(
    INSIDE,
    need=AROUND,
    why="Path-based rules then speak of another directory; ours hold for the directory, and seal it against that.",
)
def rename_tree(_folder: Path, scene: Scene) -> None:
    """rename(2) the denied directory itself."""
    scene.secret.rename(scene.work / "renamed")


@TABLE.at(
    INSIDE,
    need=AROUND,
    also=(BESIDE,),
    why="Path-based rules then speak of the impostor, and of the secret no more; so would a sandbox that is set up anew.",
)
def exchange_tree(_folder: Path, scene: Scene) -> None:
    """renameat2(2): exchange the denied directory with another."""
    calls.swap(scene.secret, scene.at(BESIDE) / "full")
