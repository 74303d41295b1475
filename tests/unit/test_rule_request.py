# SPDX-License-Identifier: GPL-2.0-only
"""Which way rule programs are asked, and what is refused before anything is loaded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from landlock_bpf import abi, errors, features, rule_program, rule_request
from landlock_bpf.abi import Event, Kind
from landlock_bpf.cli import layers
from landlock_bpf.loader import NAMES

ENGINE, LSM_CGROUP, AUTO = rule_request.ATTACH


def request(*events: Event, attach: str = ENGINE, views: int = 0, ability: int = 0) -> rule_request.Request:
    rules = tuple(rule_program.RuleProgram("r.c", 1, "decide", event, ability, "x") for event in events)
    shown = tuple(rule_program.View(f"v{number}", 4) for number in range(views))
    return rule_request.Request(rule_program.RuleLayer(("",), rules, shown, ()), "libbpf", attach)


FEW = (Event.FS_IOCTL, Event.FS_LOCK, Event.FS_FCNTL)


def test_the_engine_unless_asked() -> None:
    assert rule_request.decide(request(*FEW), Kind.CGROUP).attach == ENGINE


@pytest.mark.parametrize("attach", [LSM_CGROUP, AUTO])
def test_linked_where_it_can_be(attach: str) -> None:
    assert rule_request.decide(request(*FEW, attach=attach), Kind.CGROUP).attach == LSM_CGROUP


OBSTACLES = {
    "processes": (request(*FEW), Kind.PROCESS, "it binds control groups, not process trees"),
    "views": (request(*FEW, views=2), Kind.CGROUP, "it cannot ask views (v0, v1)"),
    "hooks": (request(Event.FS), Kind.CGROUP, "hooks ask them, and it has room for 10 in the whole system"),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_obstacles_are_told(name: str) -> None:
    made, kind, words = OBSTACLES[name]
    with pytest.raises(errors.LimitError) as caught:
        rule_request.decide(dataclasses.replace(made, attach=LSM_CGROUP), kind)
    assert words in str(caught.value) and "use --attach engine" in str(caught.value)
    decided = rule_request.decide(dataclasses.replace(made, attach=AUTO), kind)
    assert decided.attach == ENGINE and words in decided.why


def test_too_many() -> None:
    assert rule_request.decide(request(*[Event.FS] * abi.Limit.SOURCES), Kind.CGROUP)
    with pytest.raises(errors.LimitError, match="65 rule programs were given; a domain can have 64"):
        rule_request.decide(request(*[Event.FS] * (abi.Limit.SOURCES + 1)), Kind.CGROUP)


def test_debugging_needs_a_capability(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tmp_path / "status"
    monkeypatch.setattr(features, "STATUS", status)
    status.write_text("Name:\tx\nCapEff:\t0000000000200000\n")
    rule_request.check_abilities(request(Event.FS, ability=1))
    status.write_text("Name:\tx\nCapEff:\t000001ffffdfffff\n")
    rule_request.check_abilities(request(Event.FS))
    with pytest.raises(
        errors.PrivilegeError, match="r.c:1: decide has LANDLOCK_SUBTYPE_ABILITY_DEBUG, which needs CAP_SYS_ADMIN"
    ):
        rule_request.check_abilities(request(Event.FS, ability=1))


def test_the_command_line_knows_the_words() -> None:
    # Written there a second time, as reading them here takes longer than a start may.
    assert layers.LOADERS == NAMES and layers.ATTACH == rule_request.ATTACH
