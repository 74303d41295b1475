# SPDX-License-Identifier: GPL-2.0-only
"""Domains: slots in memory, makers, and control groups as a folder."""

from __future__ import annotations

import ctypes
import os
import types
from pathlib import Path
from typing import cast

import pytest

from landlock_bpf import abi, cgroup, domain, engine, errors, statfs


@pytest.fixture
def live() -> engine.Engine:
    """An engine of which only the memory of its domains is there, and what would count their denials."""
    memory = memoryview(bytearray(ctypes.sizeof(abi.Domain) * (abi.Limit.DOMAINS + 1)))
    return cast(
        engine.Engine, types.SimpleNamespace(domains=memory, rates=types.SimpleNamespace(update=lambda index, rate: None))
    )


def test_slots_read_as_written(live: engine.Engine) -> None:
    slot = domain.Slot(3, 9, abi.Kind.PROCESS, "name", 2**40, maker=5, maker_start=6, parent=1)
    domain.write(live, slot)
    assert domain.slots(live) == [slot]
    domain.switch(live, 3, 10)
    domain.set_parent(live, 3, 0)
    (found,) = domain.slots(live)
    assert (found.ruleset, found.parent, found.name) == (10, 0, "name")
    domain.clear(live, 3)
    assert domain.slots(live) == []


def test_a_slot_without_a_ruleset_is_there(live: engine.Engine) -> None:
    domain.write(live, domain.Slot(1, 0, abi.Kind.CGROUP, "half", 1))
    assert [slot.name for slot in domain.slots(live)] == ["half"]


@pytest.mark.parametrize("slot", [0, 3])
def test_who_forks_while_tasks_are_listed_may_be_held(slot: int, live: engine.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of a chain of children may have been gone before it was looked at."""
    live.state = cast(abi.State, types.SimpleNamespace(escaped=1))
    monkeypatch.setattr(domain, "_sees_all", lambda: True)
    monkeypatch.setattr(domain, "_holds", lambda live, group: False)
    assert not domain.holds(live, 9)

    def fork_on(live: engine.Engine, group: int) -> bool:
        live.domains[slot * ctypes.sizeof(abi.Domain) + abi.Domain.forks.offset] += 1
        return False

    monkeypatch.setattr(domain, "_holds", fork_on)
    assert domain.holds(live, 9)


def test_free_indices_begin_at_one_and_end_at_the_limit() -> None:
    assert domain.free_ruleset([0]) == 1
    assert domain.free_ruleset([1, 2, 4]) == 3
    used = [domain.Slot(index, 1, abi.Kind.CGROUP, "x", 1) for index in range(1, abi.Limit.DOMAINS + 1)]
    with pytest.raises(errors.LimitError, match="1000 domains are in use"):
        domain.free_slot(used)
    assert domain.free_slot(used[:-1]) == abi.Limit.DOMAINS


def test_the_start_of_a_process() -> None:
    assert domain.start_of(os.getpid()) > 0
    assert domain.start_of(2**22 + 1) == 0


def test_cgroups_beneath_come_after_their_parents(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    (tmp_path / "cgroup.procs").touch()
    found = [path for _number, path in cgroup.beneath(tmp_path)]
    assert sorted(found) == [str(tmp_path / each) for each in ("a", "a/b", "c")]
    assert found.index(str(tmp_path / "a")) < found.index(str(tmp_path / "a" / "b"))
    assert dict(map(reversed, cgroup.beneath(tmp_path)))[str(tmp_path / "c")] == (tmp_path / "c").stat().st_ino
    assert list(cgroup.beneath(tmp_path / "gone")) == []


def test_cgroups_may_be_nested_deeper_than_python_recurses(tmp_path: Path) -> None:
    deep = str(tmp_path)
    for _ in range(1200):
        deep += "/a"
        os.mkdir(deep)
    assert len(list(cgroup.beneath(tmp_path))) == 1200
    assert cgroup.remove(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_one_that_cannot_be_removed_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    assert not cgroup.remove(tmp_path / "a")


def test_a_folder_is_no_cgroup(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="is no cgroup2 directory"):
        cgroup.check(tmp_path)
    with pytest.raises(errors.NotFoundError, match="does not exist"):
        cgroup.check(tmp_path / "gone")
    with pytest.raises(errors.NotFoundError, match="does not exist"):
        cgroup.check(tmp_path / "go\0ne")


def test_nor_is_one_with_files_of_the_same_names(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    with pytest.raises(errors.NotFoundError, match="is no cgroup2 directory; make it with mkdir beneath"):
        cgroup.check(tmp_path)


@pytest.mark.parametrize("found", [pytest.param(True, id="a directory"), pytest.param(False, id="a file")])
def test_a_directory_of_cgroup2_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: bool) -> None:
    monkeypatch.setattr(statfs, "magic", lambda path: 0x63677270)
    if found:
        assert cgroup.check(tmp_path) == tmp_path.resolve()
    else:
        (tmp_path / "cgroup.procs").touch()
        with pytest.raises(errors.NotFoundError, match="is no cgroup2 directory"):
            cgroup.check(tmp_path / "cgroup.procs")


def test_the_type_of_a_filesystem(tmp_path: Path) -> None:
    assert statfs.magic("/proc") == 0x9FA0  # PROC_SUPER_MAGIC
    assert statfs.magic(tmp_path) not in (0x9FA0, None)
    assert statfs.magic(tmp_path / "gone") is None
