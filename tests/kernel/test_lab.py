# SPDX-License-Identifier: GPL-2.0-only
"""lab container-escape: a real container, into which the host's root leaks; what each guard stops, and that nothing is left."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from landlock_bpf import cgroup, controller
from landlock_bpf.lab import escape, report, step

DOCUMENT = Path(__file__).parents[2] / "docs" / "LAB.md"
# What the landlock system calls have no right for.
UNRULED = {"stat", "chdir", "chmod", "chown", "utime"}
HOST = {each.name for each in step.STEPS if each.files == step.HOST}


@pytest.fixture(scope="module")
def seen(live: controller.Controller) -> escape.Experiment:
    return escape.run()


def test_everything_comes_about_bare(seen: escape.Experiment) -> None:
    assert {name: each for name, each in seen.outcomes["bare"].items() if each.result != escape.ALLOWED} == {}


def test_the_engine_stops_every_step_on_the_host(seen: escape.Experiment) -> None:
    assert {each.name for each in seen.stopped("bpf")} == HOST
    assert {seen.outcomes["bpf"][name].errno for name in HOST} == {"EACCES"}


def test_the_system_calls_let_through_what_they_have_no_right_for(seen: escape.Experiment) -> None:
    assert {each.name for each in seen.let_through("landlock")} == UNRULED
    assert {each.name for each in seen.stopped("landlock")} == HOST - UNRULED


def test_its_own_files_stay_usable(seen: escape.Experiment) -> None:
    assert list(seen.problems()) == []


def test_nothing_is_left(seen: escape.Experiment, listed: Callable[[], list[str]]) -> None:
    assert listed() == []
    assert [path.name for path in cgroup.mount_point().iterdir() if "lab" in path.name] == []
    assert list(Path("/tmp").glob("landlock-bpf-lab-*")) == []


def test_the_document_has_what_is_seen(seen: escape.Experiment) -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| .* \| (\w+) \| (\w+) \| (\w+) \|$", DOCUMENT.read_text(), re.M)
    words = [(each.name, *(report.word(seen.outcomes[name][each.name]) for name in seen.outcomes)) for each in step.STEPS]
    assert rows == words
