# SPDX-License-Identifier: GPL-2.0-only
"""Policies resolved over a real folder, whose objects a stand-in for the kernel names."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from landlock_bpf import errors, hooks, identity, policy, resolution, ruleset
from landlock_bpf.abi import Action

NONE = Action(0)
EXT4 = 0xEF53


def identify(fds: Iterable[int], magic: int = EXT4) -> dict[int, identity.Named]:
    """Name objects as the iterator does, by what stat(2) says."""
    named = {}
    for fd in fds:
        found = os.fstat(fd)
        name = identity.OBJECT.pack(found.st_ino, 0, found.st_dev & 0xFFFFFFFF, 7)
        named[fd] = identity.Named(fd, found.st_mode, name, identity.NOTHING, identity.NOTHING, magic, 1, 1)
    return named


def object_of(path: Path) -> bytes:
    found = path.stat(follow_symlinks=False)
    return identity.OBJECT.pack(found.st_ino, 0, found.st_dev & 0xFFFFFFFF, 7)


def make(*rules: tuple[Path, Action, Action], explicit: Action = NONE, default: str = "deny") -> policy.Policy:
    listed = tuple(
        policy.Rule(str(path), allowed, denied, policy.Location("p.toml", number), explicit)
        for number, (path, allowed, denied) in enumerate(rules, 1)
    )
    handled = Action(0)
    for rule in listed:
        handled |= rule.allowed | rule.denied
    return policy.Policy("p", handled or Action.EXECUTE, default, listed, "p.toml")


def resolve(*policies: policy.Policy) -> tuple[ruleset.Layer, ...]:
    with resolution.Filesystems() as filesystems:
        return resolution.resolve(policies, "d", 1, identify, filesystems)


def problems(*policies: policy.Policy) -> list[str]:
    with pytest.raises(errors.PolicyError) as caught:
        resolve(*policies)
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tmp_path = tmp_path.resolve()
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    (tmp_path / "link").symlink_to("a/b")
    (tmp_path / "chain").symlink_to("link")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


def test_a_permission_is_tied_to_its_object_alone(tree: Path) -> None:
    (layer,) = resolve(make((tree / "a" / "b", Action.READ_FILE, NONE)))
    (entry,) = layer.entries
    assert entry[:4] == (object_of(tree / "a" / "b"), Action.READ_FILE, 0, False)
    assert (entry.file, entry.line) == ("p.toml", 1)


def test_a_denial_seals_its_object_and_the_way_to_it(tree: Path) -> None:
    (layer,) = resolve(make((tree / "a" / "b" / "file", NONE, Action.READ_FILE)))
    sealed = {entry.object for entry in layer.entries if entry.sealed}
    assert sealed >= {object_of(each) for each in (tree / "a" / "b" / "file", tree / "a" / "b", tree / "a", tree)}
    assert object_of(Path("/")) not in sealed
    assert {entry.object for entry in layer.entries if entry.denied} == {object_of(tree / "a" / "b" / "file")}
    assert layer.denies


def test_links_on_the_way_are_followed_and_sealed(tree: Path) -> None:
    (layer,) = resolve(make((tree / "chain" / "file", NONE, Action.READ_FILE)))
    sealed = {entry.object for entry in layer.entries if entry.sealed}
    assert sealed >= {object_of(each) for each in (tree / "chain", tree / "link", tree / "a", tree / "a" / "b")}
    assert object_of(tree / "a" / "b" / "file") in {entry.object for entry in layer.entries if entry.denied}


def test_a_link_to_the_root_is_sealed_and_the_root_is_not(tree: Path) -> None:
    (tree / "root").symlink_to("/")
    (layer,) = resolve(make((tree / "root" / "etc", NONE, Action.READ_FILE)))
    sealed = {entry.object for entry in layer.entries if entry.sealed}
    assert object_of(tree / "root") in sealed and object_of(Path("/")) not in sealed


def test_a_link_at_the_end_stands_for_its_target(tree: Path) -> None:
    (layer,) = resolve(make((tree / "chain", Action.READ_DIR, NONE), (tree / "a" / ".." / "link", Action.READ_FILE, NONE)))
    assert [entry.object for entry in layer.entries] == [object_of(tree / "a" / "b")] * 2


def test_everything_wrong_is_told_at_once(tree: Path) -> None:
    told = problems(
        make(
            (tree / "none", Action.READ_FILE, NONE),
            (tree / "none", NONE, Action.READ_FILE),
            (tree / "loop", Action.READ_FILE, NONE),
            (tree / "a" / "b" / "file" / "x", Action.READ_FILE, NONE),
            (tree / "a", Action.READ_FILE, NONE),
        )
    )
    assert [line.split(":")[1] for line in told] == ["1", "2", "3", "4"]
    assert "only what exists can be allowed" in told[0] and "a denial holds only for what exists" in told[1]
    assert "Too many levels of symbolic links" in told[2]


def test_rights_of_directories_on_a_file(tree: Path) -> None:
    file = tree / "a" / "b" / "file"
    (layer,) = resolve(make((file, Action.READ_FILE | Action.READ_DIR, NONE)))
    assert layer.entries[0].allowed == Action.READ_FILE
    (told,) = problems(make((file, Action.READ_FILE | Action.READ_DIR, NONE), explicit=Action.READ_DIR))
    assert "read_dir is asked of directories" in told
    assert "name the directory" in problems(make((file, Action.READ_DIR, NONE)))[0]


def test_refer_is_handled_by_every_layer(tree: Path) -> None:
    (layer,) = resolve(make((tree, Action.READ_FILE, NONE)))
    assert layer.handled == Action.READ_FILE | Action.REFER | hooks.WITHHELD


def test_an_object_without_a_stable_name_is_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolution, "DROP_CACHES", "/dev/null")
    count = 0

    def unstable(fds: Iterable[int]) -> dict[int, identity.Named]:
        nonlocal count
        count += 1
        found = identify(fds, magic=0x6969)
        return {fd: each._replace(object=each.object[:-4] + struct.pack("=I", count)) for fd, each in found.items()}

    with resolution.Filesystems() as filesystems, pytest.raises(errors.PolicyError, match="0x6969"):
        resolution.resolve((make((tree, Action.READ_FILE, NONE)),), "d", 1, unstable, filesystems)


def test_an_object_whose_name_stays_is_taken(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolution, "DROP_CACHES", "/dev/null")
    with resolution.Filesystems() as filesystems:
        (layer,) = resolution.resolve(
            (make((tree, Action.READ_FILE, NONE)),), "d", 1, lambda fds: identify(fds, magic=0x6969), filesystems
        )
    assert layer.entries[0].object == object_of(tree)


def test_no_descriptor_stays_open(tree: Path) -> None:
    before = os.listdir("/proc/self/fd")
    resolve(make((tree / "chain" / "file", NONE, Action.READ_FILE)))
    problems(make((tree / "none", NONE, Action.READ_FILE)))
    assert len(os.listdir("/proc/self/fd")) == len(before)
