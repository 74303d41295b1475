# SPDX-License-Identifier: GPL-2.0-only
"""Which tasks a domain on a control group binds: those in it and in all beneath it, from the moment they enter."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import filesystem
import operation
import pytest
import rule
from member import Member

from landlock_bpf import abi, controller, domain, engine, errors
from landlock_bpf.abi import Action


@pytest.fixture
def secret(tree: Path) -> Path:
    path = tree / "secret"
    path.write_text("")
    return path


def deny(secret: Path) -> object:
    return rule.make(Action.READ_FILE, rule.deny(secret, Action.READ_FILE), default="allow")


def read(path: Path) -> None:
    operation.touch(path, os.O_RDONLY)


@pytest.mark.parametrize("made", ["before", "after"])
def test_nested(made: str, secret: Path, cgroup: Path, attach: rule.Attach) -> None:
    inner = cgroup / "inner" / "most"
    if made == "before":
        inner.mkdir(parents=True)
    attach(deny(secret))
    inner.mkdir(parents=True, exist_ok=True)
    with Member(inner) as nested:
        assert nested.errno(read, secret) == errno.EACCES


def test_beside(secret: Path, cgroup: Path, attach: rule.Attach) -> None:
    (cgroup / "one").mkdir()
    (cgroup / "two").mkdir()
    attach(deny(secret), cgroup=cgroup / "one")
    with Member(cgroup / "one") as one, Member(cgroup / "two") as two, Member(cgroup) as above:
        assert one.errno(read, secret) == errno.EACCES
        assert two.errno(read, secret) == 0
        assert above.errno(read, secret) == 0


def test_moved_in_and_out(secret: Path, cgroup: Path, attach: rule.Attach) -> None:
    (cgroup / "one").mkdir()
    (cgroup / "two").mkdir()
    attach(deny(secret), cgroup=cgroup / "one")
    with Member(cgroup / "two") as moving:
        for place, expected in (("one", errno.EACCES), ("two", 0), ("one", errno.EACCES)):
            (cgroup / place / "cgroup.procs").write_text(str(moving.pid))
            assert moving.errno(read, secret) == expected


def test_made_while_it_is_attached(secret: Path, cgroup: Path, attach: rule.Attach) -> None:
    """No control group slips through between the pass that records them and the ruleset's coming into force."""
    with Member() as maker:
        maker.begin(make_many, cgroup, 150)
        attach(deny(secret))
        maker.end()
    live = engine.find()
    assert live
    with live:
        found = [domain.of_cgroup(live, each.stat().st_ino) for each in cgroup.rglob("made*")]
    assert len(found) == 150
    assert 0 not in found


def make_many(cgroup: Path, count: int) -> None:
    for number in range(count):
        (cgroup / f"made{number}").mkdir()


def take_mark(number: int) -> None:
    """Have what is recorded of a control group count, as where its mark is another one's."""
    live = engine.find()
    assert live
    with live:
        live.marks[number % abi.Limit.MARKS] = (1 << 64) - 1


def test_those_of_version_1(secret: Path, tree: Path, cgroup: Path, attach: rule.Attach) -> None:
    """They have ids of their own: one takes nothing with it from the control group that has the same id."""
    inner = [cgroup / f"inner{number}" for number in range(20)]
    for each in inner:
        each.mkdir()
    attach(deny(secret))
    by_id = {each.stat().st_ino: each for each in inner}
    for number in by_id:
        take_mark(number)
    with filesystem.mounted("none", tree / "v1", "cgroup", data="none,name=landlock-bpf-ids") as hierarchy:
        found = None
        while not found:
            (hierarchy / "made").mkdir()
            number = (hierarchy / "made").stat().st_ino
            (hierarchy / "made").rmdir()
            assert number < max(by_id), "ids go up by a few each time"
            found = by_id.get(number)
    with Member(found) as bound:
        assert bound.errno(read, secret) == errno.EACCES


def test_removed(secret: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """The domain of a control group ends with it, at the next command."""
    inner = cgroup / "inner"
    inner.mkdir()
    name = attach(deny(secret), cgroup=inner)
    assert name in [info.name for info in live.list()]
    inner.rmdir()
    assert name not in [info.name for info in live.list()]


def test_made_again_meanwhile(
    secret: Path,
    cgroup: Path,
    live: controller.Controller,
    listed: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another control group is at its path by the time that it gets the domain: that is told, and nothing is left."""
    before, write = listed(), domain.write

    def write_and_make(found: engine.Engine, slot: domain.Slot) -> None:
        write(found, slot)
        cgroup.rmdir()
        cgroup.mkdir()

    monkeypatch.setattr(domain, "write", write_and_make)
    with pytest.raises(errors.NotFoundError, match=f"{cgroup} was removed and made again meanwhile"):
        live.attach("again", [deny(secret)], cgroup)
    assert listed() == before
