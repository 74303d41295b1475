# SPDX-License-Identifier: GPL-2.0-only
"""Layers: all policies of a domain, of those around it, and of the task's own must allow."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import operation
import pytest
import rule
from member import Member

from landlock_bpf import abi, controller, engine, errors, policy
from landlock_bpf.abi import Action

PLACES = ("one", "two", "three")


@pytest.fixture
def places(tree: Path) -> Path:
    for name in PLACES:
        (tree / name).mkdir()
        (tree / name / "file").write_text("")
    return tree


def allow(places: Path, *names: str) -> policy.Policy:
    return rule.make(Action.READ_FILE, *(rule.allow(places / name, Action.READ_FILE) for name in names))


def readable(member: Member, places: Path) -> list[str]:
    """Try to read in each place; each refusal is EACCES."""
    results = {name: member.errno(operation.touch, places / name / "file", os.O_RDONLY) for name in PLACES}
    assert set(results.values()) <= {0, errno.EACCES}
    return [name for name, result in results.items() if not result]


def test_two_policies(places: Path, inside: Member, attach: rule.Attach) -> None:
    attach(allow(places, "one", "two"), allow(places, "two", "three"))
    assert readable(inside, places) == ["two"]


@pytest.mark.parametrize("first", ["outer", "inner"])
def test_nested_domains(first: str, places: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    inner = cgroup / "inner"
    inner.mkdir()
    order = [("outer", cgroup, allow(places, "one", "two")), ("inner", inner, allow(places, "two", "three"))]
    names = {kind: attach(each, cgroup=place) for kind, place, each in (order if first == "outer" else reversed(order))}
    with Member(cgroup) as out, Member(inner) as within:
        assert readable(out, places) == ["one", "two"]
        assert readable(within, places) == ["two"]
        live.update(names["outer"], [allow(places, "three")])
        assert readable(out, places) == ["three"]
        assert readable(within, places) == ["three"]
        live.update(names["inner"], [allow(places, "one")])
        assert readable(out, places) == ["three"]
        assert readable(within, places) == []
        live.detach(names["outer"])
        assert readable(out, places) == list(PLACES)
        assert readable(within, places) == ["one"]


def test_the_inner_domain_ends(places: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    inner = cgroup / "inner"
    inner.mkdir()
    attach(allow(places, "one", "two"))
    name = attach(allow(places, "two", "three"), cgroup=inner)
    with Member(inner) as within:
        assert readable(within, places) == ["two"]
        live.detach(name)
        assert readable(within, places) == ["one", "two"]


def test_process_and_cgroup(places: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """A process keeps its own domain in another control group, and is in that one's as well."""
    other = cgroup / "other"
    other.mkdir()
    attach(allow(places, "one", "two"), cgroup=other)
    with live.prepare([allow(places, "two", "three")], cgroup=cgroup) as confinement:
        with Member(before=confinement.enter) as confined:
            assert readable(confined, places) == ["two", "three"]
            (other / "cgroup.procs").write_text(str(confined.pid))
            assert readable(confined, places) == ["two"]
            (cgroup.parent / "cgroup.procs").write_text(str(confined.pid))
            assert readable(confined, places) == ["two", "three"]


def state(live: controller.Controller) -> tuple[object, ...]:
    """Tell all that a refused command must not have changed."""
    found = engine.find()
    assert found
    with found:
        keys = sorted(key for key, _ in found.fsview.items())
        cgroups = sorted((key.value, value.value) for key, value in found.cgroups.items())
        return live.list(), keys, cgroups, found.attached(), bytes(found.domains)


MOST = int(abi.Limit.LAYERS)


def test_as_many_layers_as_there_may_be(places: Path, inside: Member, attach: rule.Attach) -> None:
    attach(*[allow(places, "one", "two")] * (MOST - 1), allow(places, "two"))
    assert readable(inside, places) == ["two"]


def test_one_layer_too_many(places: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    attach(allow(places, "one"))
    (cgroup / "other").mkdir()
    before = state(live)
    with pytest.raises(errors.LimitError, match="17 layers"):
        attach(*[allow(places, "two")] * MOST, cgroup=cgroup / "other")
    assert state(live) == before


def test_layers_of_domains_inside_count(places: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    inner = cgroup / "inner"
    inner.mkdir()
    attach(*[allow(places, "one")] * 10, cgroup=inner)
    before = state(live)
    with pytest.raises(errors.LimitError, match="17 layers"):
        attach(*[allow(places, "one")] * 7)
    assert state(live) == before
    attach(*[allow(places, "one")] * 6)
    with Member(inner) as within:
        assert readable(within, places) == ["one"]


def test_layers_of_processes_count(places: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    attach(*[allow(places, "one")] * 10)
    before = state(live)
    with pytest.raises(errors.LimitError, match="17 layers"):
        live.prepare([allow(places, "one")] * 7, cgroup=cgroup)
    assert state(live) == before
