# SPDX-License-Identifier: GPL-2.0-only
"""The files that things are done to: a fresh tmpfs, with one tree for each depth and files beside for further rules.

A file at depth N has N directories above it, the filesystem's root not counted; the topmost carries the rule, so that a
walk passes them all. Its last directory has siblings: the file of the first is opened again and again (warm), or those of all
in turn (cold), more than a processor under the engine remembers. Depth 1 has no siblings: they would need a rule each.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from landlock_bpf import abi, errors, libc

SIBLINGS = 2 * abi.Limit.WALKED
MNT_DETACH = 2
PROGRAM = "program"  # in the first of the siblings
PAGE = bytes(4096)


def top(depth: int) -> str:
    return f"t{depth}"


def folder(depth: int, sibling: int) -> str:
    """Give the last directory of a tree, or one of its siblings."""
    middle = ["d"] * (depth - 2)
    last = [f"s{sibling}"] if depth > 1 else []
    return "/".join([top(depth), *middle, *last])


def warm_paths(depth: int) -> list[str]:
    return [f"{folder(depth, 0)}/f"]


def cold_paths(depth: int) -> list[str]:
    return [f"{folder(depth, sibling)}/f" for sibling in range(SIBLINGS)] if depth > 1 else []


def beside_path(number: int) -> str:
    return f"beside/{number}"


@contextlib.contextmanager
def make_tree(depths: Iterable[int], *, beside: int, program: Path, pages: Collection[str] = ()) -> Iterator[Path]:
    """Mount a tmpfs with the trees, be in it, and give its path; unmounted at the end. `program` is what is executed.

    `pages` are files of 4 KiB in the first of the siblings.
    """
    home = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, home)
        point = Path(tempfile.mkdtemp(prefix="landlock-bpf-bench."))
        undo.callback(point.rmdir)
        functions = libc.library()
        if functions.mount(b"none", os.fsencode(point), b"tmpfs", 0, b"nr_inodes=0") != 0:
            raise errors.KernelError("mount a tmpfs on", str(point), ctypes.get_errno(), "run it as root")
        undo.callback(functions.umount2, os.fsencode(point), MNT_DETACH)
        # Relative paths: what lies above the mount point, and on what filesystem, does not count.
        os.chdir(point)
        undo.callback(os.fchdir, home)
        for depth in depths:
            fill(depth, program, pages)
        Path("beside").mkdir()
        for number in range(beside):
            os.close(os.open(beside_path(number), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        yield point


def fill(depth: int, program: Path, pages: Iterable[str]) -> None:
    """Make the tree of a depth in the working directory."""
    for path in {*warm_paths(depth), *cold_paths(depth)}:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    for name in pages:
        Path(folder(depth, 0), name).write_bytes(PAGE)
    shutil.copy(program, Path(folder(depth, 0), PROGRAM))
