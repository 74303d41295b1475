# SPDX-License-Identifier: GPL-2.0-only
"""kill -9 of a command with rule programs: as test_crash.py has it for policies."""

from __future__ import annotations

from pathlib import Path

import locking
import pytest
import rule
from locking import ENGINE, LSM_CGROUP, NO
from member import Member
from test_crash import each_step, state

from landlock_bpf import controller

pytestmark = pytest.mark.usefixtures("cleared")


@pytest.mark.parametrize("way", [ENGINE, LSM_CGROUP])
def test_killed_while_attaching(way: str, file: Path, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    request = rule.programs("shared", attach=way)
    live.attach("test", [], cgroup, rules=request)  # compiles what is not in the cache yet
    live.detach("test")
    before = state(live)
    for number in each_step(lambda: live.attach("test", [], cgroup, rules=request), every=4):
        now = locking.seen(inside, file)
        assert now in ((0, 0), (NO, 0)), number
        left = state(live)
        # A link is in force from its making on, the domain from its switch on: what stands between is taken back.
        assert locking.seen(inside, file) == ((NO, 0) if "test" in left[0] else (0, 0)), number
        assert way == LSM_CGROUP or locking.seen(inside, file) == now, number
        if "test" in left[0]:
            live.detach("test")
            left = state(live)
        assert left == before, number


def test_killed_while_updating(file: Path, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    old, new = rule.programs("shared"), rule.programs("exclusive")
    live.attach("test", [], cgroup, rules=new)
    live.update("test", [], rules=old)
    before = state(live)
    for number in each_step(lambda: live.update("test", [], rules=new), every=4):
        now = locking.seen(inside, file)
        assert now in ((NO, 0), (0, NO)), number
        left = state(live)
        assert locking.seen(inside, file) == now, number
        if now == (0, NO):
            live.update("test", [], rules=old)
            left = state(live)
        assert left == before, number
    assert now == (0, NO)


def test_killed_while_detaching(file: Path, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    request = rule.programs("shared")
    before = state(live)
    live.attach("test", [], cgroup, rules=request)
    for number in each_step(lambda: live.detach("test"), every=4):
        now = locking.seen(inside, file)
        left = state(live)
        assert locking.seen(inside, file) == now == ((NO, 0) if "test" in left[0] else (0, 0)), number
        if "test" not in left[0]:
            assert left == before, number
            live.attach("test", [], cgroup, rules=request)
