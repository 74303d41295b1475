# SPDX-License-Identifier: GPL-2.0-only
"""Controllers at once: each command finds the state that the one before it left."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import operation
import rule
from member import Member

from landlock_bpf import controller, record
from landlock_bpf.abi import Action

PROCESSES, ROUNDS = 8, 1


def work(name: str, cgroup: Path, secret: Path, beside: Path) -> None:
    """Attach, update and detach a domain over and over, and leave it attached."""
    one = rule.make(Action.READ_FILE, rule.deny(secret, Action.READ_FILE), default="allow")
    two = rule.make(Action.READ_FILE, rule.deny(beside, Action.READ_FILE), default="allow")
    with controller.Controller.open() as live:
        for _ in range(ROUNDS):
            live.attach(name, [two], cgroup)
            live.update(name, [one])
            live.detach(name)
        live.attach(name, [two], cgroup)
        live.update(name, [one])


def test_controllers_at_once(tree: Path, cgroup: Path, live: controller.Controller, listed: Callable[[], list[str]]) -> None:
    """Every second domain lies inside another one, which comes and goes meanwhile."""
    places = []
    live.list()
    before = sorted(record.serials())
    for number in range(PROCESSES):
        place = cgroup / f"outer{number // 2}" / ("inner" if number % 2 else "")
        place.mkdir(parents=True, exist_ok=True)
        secret, beside = tree / f"secret{number}", tree / f"beside{number}"
        secret.write_text("")
        beside.write_text("")
        places.append((f"at-once{number}", place, secret, beside))
    with contextlib.ExitStack() as stack:
        controllers = [stack.enter_context(Member()) for _ in places]
        for each, arguments in zip(controllers, places):
            each.begin(work, *arguments)
        for each in controllers:
            each.end()
    assert listed() == [name for name, *_ in places]
    for number, (_, place, secret, beside) in enumerate(places):
        with Member(place) as inside:
            assert inside.errno(operation.touch, secret, os.O_RDONLY) == errno.EACCES
            assert inside.errno(operation.touch, beside, os.O_RDONLY) == 0
            around = inside.errno(operation.touch, places[number - number % 2][2], os.O_RDONLY)
            assert around == errno.EACCES
    for name, *_ in places:
        live.detach(name)
    assert sorted(record.serials()) == before
