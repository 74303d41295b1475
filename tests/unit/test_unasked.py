# SPDX-License-Identifier: GPL-2.0-only
"""What `why` does not ask: the filesystems that the engine guards are those it has in its source."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from landlock_bpf import ascent, engine, hooks, unasked
from landlock_bpf.abi import Action

BPF = Path(__file__).parents[2] / "bpf"


def test_filesystems_are_the_engines() -> None:
    body = re.search(r"_Bool may_be_vital\(.*?\n}", (BPF / "remember.h").read_text(), re.S)
    assert body
    numbers = dict(re.findall(r"#define (\w+)\s+(0x[0-9a-f]+)", (BPF / "kernel.h").read_text()))
    assert {name: int(numbers[name], 16) for name in re.findall(r"case (\w+):", body[0])} == unasked.VITAL


@pytest.mark.parametrize(
    ("action", "path", "may_be"),
    [
        (Action.WRITE_FILE, "/proc/version", True), (Action.CHMOD, "/proc/version", True), (Action.MOUNT, "/", True),
        (Action.READ_FILE, "/proc/version", False), (Action.WRITE_FILE, "/dev/null", False), (Action.STAT, "/proc", False),
    ],
)  # fmt: skip
def test_what_may_lead_out_of_domains(action: Action, path: str, may_be: bool) -> None:
    with ascent.Ascent(path, follow=True) as places:
        assert unasked.domain(action, places) == may_be


@pytest.mark.parametrize("action", [Action.READ_FILE, Action.WRITE_FILE, Action.SET_ACL, Action.FILE_SETATTR, Action.STAT])
def test_records(action: Action, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "RUN", tmp_path / "run")
    (tmp_path / "run" / "rulesets").mkdir(parents=True)
    for path, is_record in (("run/rulesets", True), ("run", True), ("", False)):
        with ascent.Ascent(str(tmp_path / path), follow=True) as places:
            assert unasked.domain(action, places) == (is_record and action != Action.STAT)


def test_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with ascent.Ascent(str(tmp_path / "file"), follow=True) as places:
        assert not unasked.links(Action.ACCESS, places)
        os.link(tmp_path / "file", tmp_path / "other")
        assert unasked.links(Action.ACCESS, places) and not unasked.links(Action.STAT, places)
    with ascent.Ascent(str(tmp_path), follow=True) as places:
        assert not unasked.links(Action.ACCESS, places)


def test_hooks_that_are_told_no_mount() -> None:
    """Those of bpf/metadata.h that ask for a dentry or an inode, whatever mount shows it."""
    text = (BPF / "metadata.h").read_text()
    bodies = re.findall(r"int on_(\w+)\((?:(?!\n}).)*?\bask_(?:dentry|inode|attribute)\(", text, re.S)
    assert {row.name for row in hooks.MOUNTLESS} == set(bodies)
