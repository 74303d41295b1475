# SPDX-License-Identifier: GPL-2.0-only
"""`compare`, with mechanisms really in force; and that nothing of it is left, however it ends."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deadline
import pytest

from landlock_bpf.compare import member

COMMAND = (sys.executable, "-m", "landlock_bpf", "compare")
MECHANISMS = ("landlock", "landlock+seccomp", "seccomp", "rule", "bpf")
# For an operation: the errno under each of these, "" where it is done.
EXPECTED = {
    "read-inside": ("", "", "", "EPERM", "EACCES"),
    "read-beneath": ("", "", "", "EPERM", "EACCES"),
    "read-beside": ("", "", "", "", ""),
    "read-ro": ("", "", "", "", ""),
    "write-ro": ("EACCES", "EACCES", "", "EPERM", "EACCES"),
    "create-beside": ("", "", "", "", ""),
    "chmod-inside": ("", "EPERM", "EPERM", "EPERM", "EACCES"),
    "chmod-beside": ("", "EPERM", "EPERM", "", ""),
    "chmod-ro": ("", "EPERM", "EPERM", "EPERM", "EACCES"),
    "by-ring-inside": ("", "EPERM", "EPERM", "EPERM", "EACCES"),
    "open-at-inherited-inside": ("", "", "", "EPERM", "EACCES"),
    "receive-inside": ("", "", "", "EACCES", "EACCES"),
    "signal-outsider": ("EPERM", "EPERM", "", "", ""),
}


@pytest.fixture
def nothing_left(listed: Callable[[], list[str]]) -> Callable[[], None]:
    """Tell mounts, control groups, domains and processes of before from those of after."""
    before = _there(listed)

    def check() -> None:
        deadline.until(functools.partial(_same, listed, before), "what was there before is all there is")

    return check


def _there(listed: Callable[[], list[str]]) -> tuple[Any, ...]:
    mounts = Path("/proc/self/mountinfo").read_text()
    groups = {path for path, _folders, _files in os.walk("/sys/fs/cgroup")}
    return mounts, groups, listed(), sorted(_members()), {name for name in os.listdir("/tmp") if "landlock-bpf" in name}


def _same(listed: Callable[[], list[str]], before: tuple[Any, ...]) -> bool:
    return _there(listed) == before


def _members() -> list[int]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended
        if member.__name__.encode() in words:
            found.append(int(pid))
    return found


def test_under_each_mechanism(tmp_path: Path, nothing_left: Callable[[], None]) -> None:
    out = tmp_path / "out.json"
    words = (*COMMAND, "--with", ",".join(MECHANISMS), "--only", ",".join(EXPECTED), "--json", out)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    nothing_left()
    found = {row["name"]: row["cells"] for row in json.loads(out.read_text())["operations"]}
    for name, expected in EXPECTED.items():
        assert found[name]["none"]["result"] == "allowed", name
        assert tuple(found[name][each]["errno"] or "" for each in MECHANISMS) == expected, name
    assert "chmod-ro" in done.stdout.split("on which they agree")[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number: int, nothing_left: Callable[[], None], listed: Callable[[], list[str]]) -> None:
    words = (*COMMAND, "--with", "bpf", "--only", "make-")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        deadline.until(lambda: bool(listed()) and len(_members()) > 0, "a member is in a domain", seconds=120)
        running.send_signal(number)
        output, errors = running.communicate(timeout=60)
    assert (running.returncode, output, errors) == (128 + signal.SIGINT, b"", b"")
    nothing_left()
