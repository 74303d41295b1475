# SPDX-License-Identifier: GPL-2.0-only
"""Policies replaced and ended while processes hammer the files: each access is decided by one of them, whole."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import deadline
import operation
import preemption
import pytest
import rule
import trial
from member import Member

from landlock_bpf import abi, controller, errors, policy
from landlock_bpf.abi import Action

ROUNDS = 6
DEPTH = 200


class Hammer:
    """Processes in a control group that open a file over and over; seen[errno] counts what came of it, once stopped."""

    def __init__(self, cgroup: Path, path: Path, flags: int, processes: int = 3) -> None:
        self.seen: Counter[int] = Counter()
        self._stack = contextlib.ExitStack()
        self._shared = shared = mmap.mmap(-1, mmap.PAGESIZE)  # [0]: stop, [8 * n]: count of attempts
        self._members = [self._stack.enter_context(Member(cgroup, before=lambda: _share(shared))) for _ in range(processes)]
        for number, each in enumerate(self._members, 1):
            each.begin(hammer, path, flags, number)

    def __enter__(self) -> Hammer:
        self.strike()
        return self

    def __exit__(self, *exc: object) -> None:
        self._shared[0] = 1
        with self._stack:
            for each in self._members:
                self.seen.update(each.end())

    def strike(self, times: int = 20) -> None:
        """Wait till each process has tried so many times more."""
        counts = memoryview(self._shared).cast("Q")
        goals = [counts[number] + times for number in range(1, len(self._members) + 1)]
        deadline.until(lambda: all(counts[number] >= goal for number, goal in enumerate(goals, 1)), f"{times} more attempts")


_shared: list[mmap.mmap] = []


def _share(shared: mmap.mmap) -> None:
    _shared.append(shared)


def hammer(path: Path, flags: int, number: int) -> Counter[int]:
    """Open a file until told to stop; counts by errno."""
    (shared,) = _shared
    counts = memoryview(shared).cast("Q")
    seen: Counter[int] = Counter()
    while not shared[0]:
        try:
            os.close(os.open(path, flags))
            seen[0] += 1
        except OSError as error:
            seen[error.errno or -1] += 1
        counts[number] += 1
    return seen


@pytest.fixture
def file(tree: Path) -> Path:
    (tree / "folder").mkdir()
    path = tree / "folder" / "file"
    path.write_text("")
    return path


def policies(file: Path) -> Iterator[policy.Policy]:
    """Give policies by turns that deny the same in different ways."""
    read = Action.READ_FILE
    while True:
        yield rule.make(read, rule.deny(file, read), default="allow")
        yield rule.make(read | Action.WRITE_FILE, rule.allow("/", Action.WRITE_FILE))
        yield rule.make(read, rule.allow("/", read), rule.deny(file.parent, read))


def test_no_moment_without_a_policy(file: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    turns = policies(file)
    name = attach(next(turns))
    with Hammer(cgroup, file, os.O_RDONLY) as hammering:
        for each, _ in zip(turns, range(ROUNDS)):
            live.update(name, [each])
            hammering.strike(5)
    assert set(hammering.seen) == {errno.EACCES}


def list_anew(folder: Path, turning: Path) -> None:
    """Open a folder to be read, after a directory was renamed: what was found on earlier walks is not remembered then."""
    turned = turning.with_name("turned")
    os.rename(turning, turned)
    os.rename(turned, turning)
    os.close(os.open(folder, os.O_RDONLY))


def list_all_the_while(folder: Path, turning: Path) -> Counter[int]:
    """Count the errnos till told to stop."""
    (shared,) = _shared
    counts = memoryview(shared).cast("Q")
    seen: Counter[int] = Counter()
    while not shared[0]:
        seen[trial.errno_of(list_anew, folder, turning)] += 1
        counts[1] += 1
    return seen


@pytest.mark.parametrize("expected", [0, errno.EACCES], ids=["allowed", "denied"])
def test_no_walk_outlives_its_policy(
    expected: int, preempted: None, tree: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller
) -> None:
    """A walk that is interrupted while the policy is replaced goes on in rules that are still there."""
    folder = tree.joinpath("secret", *["d"] * DEPTH)
    turning = tree / "turning"
    for path in (folder, turning):
        path.mkdir(parents=True)
    told, default = (rule.deny, "allow") if expected else (rule.allow, "deny")
    top = told(tree / "secret", Action.READ_DIR)
    # A pattern that each name on the way must be compared with, for most of the time must be spent in walks.
    slow = rule.deny(tree, Action.MAKE_FIFO, "*xd")
    handled = Action.READ_DIR | Action.MAKE_FIFO
    sides = [rule.make(each, top, slow, default=default) for each in (handled | Action.MAKE_SOCK, handled)]
    name = attach(sides[0])
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    counts = memoryview(shared).cast("Q")
    with Member(cgroup, before=lambda: _share(shared)) as inside:
        inside.begin(list_all_the_while, folder, turning)
        try:
            for number in range(2 * ROUNDS):
                goal = counts[1] + 2
                deadline.until(lambda goal=goal: counts[1] >= goal, "two more walks")  # type: ignore[misc]
                with preemption.urgent():
                    live.update(name, [sides[(number + 1) % 2]])
        finally:
            shared[0] = 1
        assert set(inside.end()) == {expected}


def test_no_mixture(file: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """One policy allows to read, the other to write: a file that both ruled on could be opened for both."""
    both = Action.READ_FILE | Action.WRITE_FILE
    sides = [rule.make(both, rule.allow(file, each)) for each in (Action.READ_FILE, Action.WRITE_FILE)]
    name = attach(sides[0])
    with Hammer(cgroup, file, os.O_RDWR) as hammering:
        for number in range(ROUNDS):
            live.update(name, [sides[number % 2]])
            hammering.strike(5)
    assert set(hammering.seen) == {errno.EACCES}


def test_what_both_allow_is_never_denied(file: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    read = Action.READ_FILE
    sides = [rule.make(read, rule.allow(path, read)) for path in (file, file.parent)]
    name = attach(sides[0])
    with Hammer(cgroup, file, os.O_RDONLY) as hammering:
        for number in range(ROUNDS):
            live.update(name, [sides[number % 2]])
            hammering.strike(5)
    assert set(hammering.seen) == {0}


def test_domains_around_come_and_go(file: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """The outer domain denies all the while; the inner one is attached and detached, and so is one around both."""
    inner = cgroup / "inner" / "most"
    inner.mkdir(parents=True)
    deny = rule.make(Action.READ_FILE, rule.deny(file, Action.READ_FILE), default="allow")
    other = rule.make(Action.WRITE_FILE, rule.allow("/", Action.WRITE_FILE))
    attach(deny, cgroup=cgroup / "inner")
    with Hammer(inner, file, os.O_RDONLY) as hammering:
        for _ in range(ROUNDS // 3):
            for place in (inner, cgroup):
                name = attach(other, cgroup=place)
                hammering.strike(5)
                live.detach(name)
                hammering.strike(5)
    assert set(hammering.seen) == {errno.EACCES}


def test_detach(file: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """The end of a domain is one moment as well: what was allowed stays so, what was denied is allowed at the end."""
    name = attach(rule.make(Action.READ_FILE, rule.allow(file, Action.READ_FILE)))
    with Hammer(cgroup, file, os.O_RDONLY) as allowed:
        live.detach(name)
        allowed.strike()
    assert set(allowed.seen) == {0}
    name = attach(rule.make(Action.READ_FILE))
    with Hammer(cgroup, file, os.O_RDONLY) as denied:
        live.detach(name)
        denied.strike()
    assert denied.seen[errno.EACCES] > 0
    assert denied.seen[0] > 0
    assert set(denied.seen) == {0, errno.EACCES}


def test_many_rules(tree: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """As many rules as there may be replace a single one: what both deny is denied all the while, and all hold then."""
    read = Action.READ_FILE
    paths = [tree / str(number) for number in range(int(abi.Limit.RULES))]
    for path in paths:
        path.mkdir()
    samples = [paths[number] / "file" for number in (0, len(paths) // 2, -1)]
    for path in samples:
        path.write_text("")
    denials = tuple(rule.deny(path, read) for path in paths)
    name = attach(rule.make(read, rule.deny(samples[1], read), default="allow"))
    with Hammer(cgroup, samples[1], os.O_RDONLY, processes=1) as hammering:
        live.update(name, [rule.make(read, *denials, default="allow")])
        hammering.strike()
        live.remove_rule(name, str(paths[1]))
        hammering.strike()
        live.add_rules(name, rule.make(read, rule.deny(paths[1], read)))
        hammering.strike()
    assert set(hammering.seen) == {errno.EACCES}
    with Member(cgroup) as inside:
        assert [inside.errno(os.open, path, os.O_RDONLY) for path in samples] == [errno.EACCES] * 3
        assert inside.errno(os.listdir, paths[0]) == 0


def test_one_rule_more_and_one_less(
    file: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller, inside: Member
) -> None:
    """Of a policy with many rules: what the others decide stays so all the while, and the one holds or does not."""
    read = Action.READ_FILE
    other, open_ = file.with_name("other"), file.with_name("open")
    for path in (other, open_):
        path.write_text("")
    name = attach(rule.make(read, rule.deny(file, read), default="allow"))
    seal = rule.make(read, rule.deny(other, read))
    with Hammer(cgroup, file, os.O_RDONLY, processes=1) as denied, Hammer(cgroup, open_, os.O_RDONLY, processes=1) as allowed:
        for _ in range(ROUNDS // 2):
            live.add_rules(name, seal)
            assert inside.errno(os.open, other, os.O_RDONLY) == errno.EACCES
            assert inside.errno(os.rename, other, other.with_name("moved")) == errno.EACCES
            live.remove_rule(name, str(other))
            assert inside.errno(operation.touch, other, os.O_RDONLY) == 0
            assert inside.errno(os.rename, other, other) == 0
    assert (set(denied.seen), set(allowed.seen)) == ({errno.EACCES}, {0})
    assert [each.path for each in live.show(name).policies[0].rules] == [str(file)]


def test_rules_of_other_kinds(file: Path, attach: rule.Attach, live: controller.Controller, inside: Member) -> None:
    """A permission under a denial of all, an action that was not handled, a path that is not there yet."""
    read, later = Action.READ_FILE, file.with_name("later")
    name = attach(rule.make(read))
    assert inside.errno(operation.touch, file, os.O_RDONLY) == errno.EACCES
    live.add_rules(name, rule.make(read | Action.CHMOD, rule.allow(file, read), rule.deny(file, Action.CHMOD)))
    assert inside.errno(operation.touch, file, os.O_RDONLY) == 0
    assert inside.errno(os.chmod, file, 0o600) == errno.EACCES
    assert inside.errno(os.chmod, file.parent, 0o700) == 0
    live.add_rules(name, rule.make(read, rule.allow(file.parent, read), rule.deny(later, read)))
    later.write_text("")
    assert inside.errno(operation.touch, later, os.O_RDONLY) == errno.EACCES
    live.remove_rule(name, str(later))
    assert inside.errno(operation.touch, later, os.O_RDONLY) == 0
    with pytest.raises(errors.NotFoundError, match="no rule on /nowhere"):
        live.remove_rule(name, "/nowhere")
