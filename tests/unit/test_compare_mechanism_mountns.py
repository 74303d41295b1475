# SPDX-License-Identifier: GPL-2.0-only
"""bubblewrap's command line for the statements of a policy, and what it does where it is installed and we are root."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from landlock_bpf import bubblewrap
from landlock_bpf.compare import mechanism_mountns as mountns
from landlock_bpf.compare import scene as scenes

WORK = scenes.Statement(scenes.WORK, read=True, write=True, metadata=True)
SECRET = scenes.Statement(scenes.SECRET, read=False, write=False, metadata=False)
RO = scenes.Statement(scenes.RO, read=True, write=False, metadata=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (scenes.SECRET, scenes.RO):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("text")
    return tmp_path


def options(root: Path, *statements: scenes.Statement) -> tuple[str, ...]:
    return mountns.options((root / each.path, each) for each in statements)


def test_what_may_be_written_is_bound_and_what_may_not_read_only(root: Path) -> None:
    found = " ".join(options(root, WORK, RO))
    assert f" --bind {root}/work {root}/work" in found
    assert f" --ro-bind {root}/ro {root}/ro" in found


def test_what_is_denied_is_masked(root: Path) -> None:
    found = " ".join(options(root, SECRET))
    assert found.endswith(f" --perms 0000 --tmpfs {root}/work/secret --remount-ro {root}/work/secret")


def test_a_mask_comes_after_the_bind_of_what_it_is_in(root: Path) -> None:
    assert options(root, SECRET, WORK) == options(root, WORK, SECRET)
    found = options(root, SECRET, WORK)
    assert found.index("--tmpfs") > found.index("--bind")


def test_masks_cannot_be_taken_off(root: Path) -> None:
    assert "--cap-drop CAP_SYS_ADMIN" in " ".join(options(root, WORK))


TRIES = (
    (f"cat {scenes.SECRET}/file", "No such file or directory"),
    (f"touch {scenes.SECRET}/new", "Read-only file system"),
    (f"touch {scenes.RO}/new", "Read-only file system"),
    (f"chmod 600 {scenes.RO}/file", "Read-only file system"),
    (f"cat {scenes.RO}/file", ""),
    (f"touch {scenes.WORK}/new", ""),
    (f"mv {scenes.WORK}/secret {scenes.WORK}/elsewhere", "Device or resource busy"),
)


@pytest.mark.parametrize(("command", "refusal"), TRIES)
def test_what_is_refused(command: str, refusal: str, root: Path) -> None:
    if os.geteuid() or shutil.which(bubblewrap.PROGRAM) is None:
        pytest.skip("root and bubblewrap: in vm/test, compare tries it")
    environment = {**os.environ, "LC_ALL": "C"}
    bare = subprocess.run(["sh", "-c", command], cwd=root, capture_output=True, text=True, env=environment, check=False)
    assert bare.returncode == 0, bare.stderr
    for name in (scenes.SECRET, scenes.RO):  # as before that
        (root / name).mkdir(exist_ok=True)
    launcher = (bubblewrap.PROGRAM, *options(root, WORK, SECRET, RO), "--chdir", str(root), "--", "sh", "-c", command)
    done = subprocess.run(launcher, capture_output=True, text=True, env=environment, check=False)
    assert (refusal in done.stderr, done.returncode == 0) == (True, not refusal), done.stderr
