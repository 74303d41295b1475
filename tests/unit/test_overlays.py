# SPDX-License-Identifier: GPL-2.0-only
"""Layers of overlays: how they are read of mountinfo, and where a denial comes to be on them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from landlock_bpf import mountinfo, overlays, policy
from landlock_bpf.abi import Action
from landlock_bpf.realpaths import Realpaths

NONE = Action(0)


@pytest.mark.parametrize(
    ("options", "lower", "upper"),
    [
        ("rw,lowerdir=/l1:/l2,upperdir=/u,workdir=/w", ["/l1", "/l2"], "/u"),
        ("ro,lowerdir=/l1::/data1::/data2", ["/l1", "/data1", "/data2"], ""),
        (r"rw,lowerdir=/a\134:b:/c\134\134d,upperdir=/u\040\134,v", ["/a:b", r"/c\d"], "/u ,v"),
        ("rw,lowerdir+=/l:1,lowerdir+=/l2,datadir+=/d,upperdir=/u", ["/l:1", "/l2", "/d"], "/u"),
        ("rw,xino=off", [], ""),
    ],
)
def test_options(options: str, lower: list[str], upper: str) -> None:
    if upper == "/u ,v":  # a comma inside is octal, too
        options = options.replace(r"\134,v", r"\134\054v")
    assert overlays.layers(options) == (lower, upper)


def rule(path: Path, *names: str) -> policy.Rule:
    return policy.Rule(str(path), NONE, Action.READ_FILE, policy.Location("p", 1), names=names)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """What an overlay shows, and its layers, as plain directories: nothing is mounted."""
    for name in ("merged/a/b", "l1/a", "l2/a/b", "u"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("merged/a/b/file", "l2/a/b/file"):
        (tmp_path / name).write_text("")
    return tmp_path.resolve()


def mounts(top: Path, root: str = "/") -> list[mountinfo.Mount]:
    options = f"rw,lowerdir={top}/l1:{top}/l2,upperdir={top}/u,workdir={top}/w"
    return [mountinfo.Mount("ext4", "8:1", "/", "/"), mountinfo.Mount("overlay", "0:9", root, f"{top}/merged", options)]


def found(top: Path, *rules: policy.Rule, root: str = "/") -> list[str]:
    twins = overlays.twins(rules, mounts(top, root), Realpaths())
    assert not twins.notes
    return [os.path.relpath(each.path, top) for each in twins.rules]


def test_layers_that_have_the_path_and_the_upper_one(top: Path) -> None:
    assert found(top, rule(top / "merged" / "a" / "b")) == ["l2/a/b", "u/a/b"]
    assert found(top, rule(top / "merged" / "a")) == ["l1/a", "l2/a", "u/a"]
    assert found(top, rule(top / "merged" / "a" / "new")) == ["u/a/new"]
    assert found(top, rule(top / "merged")) == ["l1", "l2", "u"]
    assert found(top, rule(top / "l1" / "a")) == []


def test_what_is_denied_is_the_same_and_nothing_is_allowed(top: Path) -> None:
    given = policy.Rule(str(top / "merged/a"), Action.READ_DIR, Action.READ_FILE, policy.Location("p", 7), names=())
    for twin in overlays.twins([given], mounts(top), Realpaths()).rules:
        assert (twin.allowed, twin.denied, twin.location) == (NONE, Action.READ_FILE, given.location)
    allowing = policy.Rule(str(top / "merged/a"), Action.READ_DIR, NONE, policy.Location("p", 7))
    assert overlays.twins([allowing], mounts(top), Realpaths()).rules == ()
    assert [twin.names for twin in overlays.twins([rule(top / "merged", "*.pem")], mounts(top), Realpaths()).rules] == [
        ("*.pem",)
    ] * 3


def test_a_mount_of_a_part_of_the_overlay(top: Path) -> None:
    assert found(top, rule(top / "merged" / "b"), root="/a") == ["l2/a/b", "u/a/b"]


def test_links_in_layers_are_not_followed(top: Path) -> None:
    (top / "l1" / "a").rmdir()
    (top / "l1" / "a").symlink_to("/etc")
    assert found(top, rule(top / "merged" / "a" / "b")) == ["l2/a/b", "u/a/b"]


def test_what_hides_it_in_the_upper_layer_is_told(top: Path) -> None:
    (top / "u" / "a").write_text("")
    twins = overlays.twins([rule(top / "merged" / "a" / "b")], mounts(top), Realpaths())
    assert [os.path.relpath(each.path, top) for each in twins.rules] == ["l2/a/b"]
    assert "is hidden by" in twins.notes[0]


def test_layers_that_cannot_be_found_are_told(top: Path) -> None:
    relative = [mountinfo.Mount("overlay", "0:9", "/", f"{top}/merged", "rw,lowerdir=l1:/no-such-layer")]
    twins = overlays.twins([rule(top / "merged" / "a")], relative, Realpaths())
    assert twins.rules == () and len(twins.notes) == 2
    assert "layer l1 cannot be found" in twins.notes[0] and "not to be seen" in twins.notes[1]


def test_an_overlay_over_an_overlay(top: Path) -> None:
    (top / "second" / "a").mkdir(parents=True)
    options = f"ro,lowerdir={top}/merged"
    both = [*mounts(top), mountinfo.Mount("overlay", "0:10", "/", f"{top}/second", options)]
    twins = overlays.twins([rule(top / "second" / "a")], both, Realpaths())
    assert [os.path.relpath(each.path, top) for each in twins.rules] == ["merged/a", "l1/a", "l2/a", "u/a"]


def test_whiteouts(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.lstat
    gone = str(top / "u" / "a")
    (top / "u" / "a").write_text("")

    def lstat(path: str) -> os.stat_result:
        found = real(path)
        return os.stat_result((stat.S_IFCHR, *found[1:])) if str(path) == gone else found

    monkeypatch.setattr(overlays.os, "lstat", lstat)
    assert overlays.twins([rule(top / "merged" / "a")], mounts(top), Realpaths()).notes
