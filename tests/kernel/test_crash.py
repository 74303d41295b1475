# SPDX-License-Identifier: GPL-2.0-only
"""kill -9 of a command before each of its changes: the old or the new state is in force, and the next command clears up."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import operation
import pytest
import rule
import tracer
from member import Member

from landlock_bpf import controller, engine, policy, record
from landlock_bpf.abi import Action

READ, WRITE = Action.READ_FILE, Action.WRITE_FILE
MOST = 200  # changes of one command: a bound for the test's own loop


@pytest.fixture(autouse=True)
def clear(live: controller.Controller, listed: Callable[[], list[str]]) -> Iterator[None]:
    """End what a failed test left."""
    yield
    for name in listed():
        live.detach(name)


class Files:
    """Two pairs of files: each policy denies to read the first of its pair and to write the second, so that halves show."""

    def __init__(self, tree: Path) -> None:
        self.paths = {name: tree / name for name in ("a", "b", "c", "d")}
        for path in self.paths.values():
            path.write_text("")

    def policy(self, pair: str) -> policy.Policy:
        first, second = (self.paths[name] for name in pair)
        return rule.make(READ | WRITE, rule.deny(first, READ), rule.deny(second, WRITE), default="allow")

    def seen(self, member: Member) -> str:
        """Name the files that a member is denied in some way: a pair, or nothing, if no half of a policy is in force."""
        flags = dict(zip("abcd", (os.O_RDONLY, os.O_WRONLY) * 2))
        results = {name: member.errno(operation.touch, path, flags[name]) for name, path in self.paths.items()}
        assert set(results.values()) <= {0, errno.EACCES}
        return "".join(name for name, result in results.items() if result)


@pytest.fixture
def files(tree: Path) -> Files:
    return Files(tree)


def state(live: controller.Controller) -> tuple[Any, ...]:
    """Tell all that a command may leave behind, after what the next one clears up."""
    names = [info.name for info in live.list()]
    found = engine.find()
    assert found
    with found:
        keys = sorted(key[:-8] for key, _ in [*found.fsview.items(), *found.views.items()])
        cgroups = len(list(found.cgroups.items()))
        processes = found.state.process_domains
        pins = sorted(os.listdir(engine.BPFFS)), [path.name for path in (found.pins / "lsm_cgroup").glob("*")]
        return names, keys, cgroups, processes, found.attached(), len(record.serials()), rule_programs(found), pins


def rule_programs(found: engine.Engine) -> list[int]:
    """Tell which slots have rule programs."""
    if not (found.pins / "maps" / "rules_file_lock").exists():
        return []
    return [slot for slot in range(1, 9) if found.rules("file_lock").lookup(slot) is not None]


def each_step(command: Callable[[], object], every: int = 1) -> Iterator[int]:
    """Run a command to be killed at its first change, then its second (or so), till it comes to its end."""
    for number in range(1, MOST, every):
        done = tracer.run(command, number)
        yield number
        if done:
            assert number > 5, "it made hardly any change, so this tested nothing"
            return
    raise AssertionError(f"it was not done after {MOST} changes")


def test_attach(files: Files, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    before = state(live)
    seen = set()
    for number in each_step(lambda: live.attach("test", [files.policy("ab")], cgroup)):
        now = files.seen(inside)
        assert now in ("", "ab"), number
        left = state(live)
        assert files.seen(inside) == now, f"clearing up after {number} changed what is in force"
        assert ("test" in left[0]) == (now == "ab"), number
        if "test" in left[0]:
            live.detach("test")
            left = state(live)
        assert left == before, number
        seen.add(now)
    assert seen == {"", "ab"}


def test_update(files: Files, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    policies = {pair: files.policy(pair) for pair in ("ab", "cd")}
    live.attach("test", [policies["ab"]], cgroup)
    before, old = state(live), "ab"
    for number in each_step(lambda: live.update("test", [policies["cd"]])):
        now = files.seen(inside)
        assert now in (old, "cd"), number
        left = state(live)
        assert files.seen(inside) == now, number
        if now != old:
            live.update("test", [policies["ab"]])
            left = state(live)
        assert left == before, number
    assert now == "cd"


def test_update_around_others(files: Files, cgroup: Path, live: controller.Controller) -> None:
    """Those inside follow at the latest with the next command, and are never without both layers."""
    inner = cgroup / "inner"
    inner.mkdir()
    live.attach("test", [files.policy("ab")], cgroup)
    live.attach("within", [rule.make(READ, rule.deny(files.paths["d"], READ), default="allow")], inner)
    before = state(live)
    with Member(cgroup) as outside, Member(inner) as inside:
        for number in each_step(lambda: live.update("test", [files.policy("cd")]), every=3):
            now = files.seen(outside)
            assert files.seen(inside) in ("ab", "cd"), number
            assert inside.errno(operation.touch, files.paths["d"], os.O_RDONLY) == errno.EACCES
            left = state(live)
            assert files.seen(inside) == files.seen(outside) == now, number
            if now != "ab":
                live.update("test", [files.policy("ab")])
                left = state(live)
            assert left == before, number


def test_detach(files: Files, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    before = state(live)
    live.attach("test", [files.policy("ab")], cgroup)
    seen = set()
    for number in each_step(lambda: live.detach("test")):
        now = files.seen(inside)
        assert now in ("", "ab"), number
        left = state(live)
        assert files.seen(inside) == now, number
        assert ("test" in left[0]) == (now == "ab"), number
        if "test" in left[0]:
            continue
        assert left == before, number
        live.attach("test", [files.policy("ab")], cgroup)
        seen.add(now)
    assert seen == {""}


def test_prepare(files: Files, cgroup: Path, live: controller.Controller) -> None:
    """The domain of a killed runner in which nobody is goes with the next command, its control group as well."""
    before, folders = state(live), sorted(cgroup.iterdir())
    for number in each_step(lambda: live.prepare([files.policy("ab")], cgroup=cgroup)):
        assert state(live) == before, number
        assert sorted(cgroup.iterdir()) == folders, number


def test_first_and_last(files: Files, cgroup: Path, inside: Member, alone: controller.Controller) -> None:
    """The first domain attaches the hooks, the last one takes them with it: killed in the middle of either."""
    before = state(alone)
    assert not before[4], "hooks are attached, though no domain is left"
    for number in (12, 16, 25):
        assert not tracer.run(lambda: alone.attach("test", [files.policy("ab")], cgroup), number)
        assert files.seen(inside) == ""
        assert state(alone) == before, number
    alone.attach("test", [files.policy("ab")], cgroup)
    assert files.seen(inside) == "ab"
    number = 0
    while files.seen(inside):
        number += 2
        tracer.run(lambda: alone.detach("test"), number)
        assert ("test" in [info.name for info in alone.list()]) == (files.seen(inside) == "ab")
    assert state(alone) == before
