# SPDX-License-Identifier: GPL-2.0-only
"""README.md typed into a shell, with its policy and its rule: every command, and what it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import deadline
import pytest

from landlock_bpf import controller

README = (Path(__file__).parents[2] / "README.md").read_text()
# What differs from one run to the next: the time, process ids, and names of domains made of them.
CHANGING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}|(?<=pid=)\d+|(?<=run-)\d+")


def blocks(info: str) -> list[str]:
    return re.findall(rf"^```{info}\n(.*?)^```$", README, re.M | re.S)


SESSION = [step for block in blocks("console session") for step in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M)]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory that is also the working directory, with the policy and the rule in it, `landlock-bpf` on the PATH."""
    (policy,), (rule,) = blocks("toml policy"), blocks("c rule")
    (tmp_path / "work.toml").write_text(policy)
    (tmp_path / "rule.c").write_text(rule)
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "landlock-bpf"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m landlock_bpf "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def type_in(command: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=10 * deadline.SECONDS, check=False,
    )  # fmt: skip
    return done.stdout


def test_the_session(shell: Path, alone: controller.Controller) -> None:
    """`alone`, for `list` tells of all domains."""
    type_in("landlock-bpf events --no-follow")  # those of other tests
    assert len(SESSION) > 10
    told = []
    try:
        for command, _ in SESSION:
            told.append((command, CHANGING.sub("N", type_in(command).replace(str(shell), "/root"))))
    finally:
        type_in("landlock-bpf detach workshop; rmdir /sys/fs/cgroup/workshop")
    assert told == [(command, CHANGING.sub("N", output)) for command, output in SESSION]
