# SPDX-License-Identifier: GPL-2.0-only
"""The course in rule programs, and the rule of README.md: they compile, and say of themselves what they should."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from landlock_bpf import course, loader, rule_program
from landlock_bpf.abi import Event

ROOT = Path(__file__).parents[2]
EVENTS = {
    "fsview.c": [Event.FS],
    "ioctl-list.c": [Event.FS_IOCTL],
    "lock-and-fcntl.c": [Event.FS_LOCK, Event.FS_FCNTL],
    "no-block-devices.c": [Event.FS],
    "no-open.c": [Event.FS],
    "read-only.c": [Event.FS],
}


def compiled(path: Path) -> rule_program.RuleLayer:
    return rule_program.compile((path,), loader.choose(loader.LIBBPF))


@pytest.mark.parametrize("path", course.sources(), ids=lambda path: path.name)
def test_lesson(path: Path) -> None:
    layer = compiled(path)
    assert [rule.event for rule in layer.rules] == EVENTS[path.name]
    assert [view.name for view in layer.views] == (["trees"] if path.name == "fsview.c" else [])
    # They are for readers who have no ability but to read.
    assert not any(rule.ability for rule in layer.rules)
    first = path.read_text().splitlines()[2]
    assert re.match(r" \* Lesson \d: ", first), first


def test_lessons_are_numbered() -> None:
    numbers = [int(match[1]) for path in course.sources() if (match := re.search(r"Lesson (\d):", path.read_text()))]
    assert sorted(numbers) == list(range(1, len(EVENTS) + 1))


def test_the_readme_rule(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```c rule\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    path = tmp_path / "rule.c"
    path.write_text(text)
    (rule,) = compiled(path).rules
    assert (rule.function, rule.event, rule.line) == ("no_write", Event.FS, 5)
