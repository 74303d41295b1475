# SPDX-License-Identifier: GPL-2.0-only
"""Flocks of rules: the same comes of them as of each rule by itself."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from landlock_bpf import errors, flocks, identity, policy, resolution, route, ruleset, ways
from landlock_bpf.abi import Action

READ, WRITE, NONE = Action.READ_FILE, Action.WRITE_FILE, Action(0)
EXT4, BTRFS = 0xEF53, identity.BTRFS_SUPER_MAGIC


def identify(fds: Iterable[int]) -> identity.Names:
    """Name objects by what stat(2) says; the names of all that is open come, as from the kernel."""
    named = []
    for fd in sorted({*fds, *map(int, os.listdir("/proc/self/fd"))}):
        try:
            found = os.fstat(fd)
        except OSError:
            continue  # the listing's own
        object = identity.OBJECT.pack(found.st_ino, 0, found.st_dev & 0xFFFFFFFF, 7)
        named.append(identity.Named(fd, found.st_mode, object, identity.NOTHING, identity.NOTHING, EXT4, 1, 1))
    return identity.Names.of(named)


def rule(path: Path | str, allowed: Action = READ, denied: Action = NONE, line: int = 1, **more: Action) -> policy.Rule:
    return policy.Rule(str(path), allowed, denied, policy.Location("p.toml", line), **more)


def resolve(rules: Iterable[policy.Rule]) -> ruleset.Layer:
    listed = tuple(rules)
    made = policy.Policy("p", READ | WRITE | Action.READ_DIR | Action.MAKE_REG, "deny", listed, "p.toml")
    with ways.Filesystems() as filesystems:
        (layer,) = resolution.resolve((made,), "d", 1, identify, filesystems)
    return layer


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flocks, "_MANY", 2)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    for number in range(5):
        (tmp_path / "folder" / str(number)).touch()
    (tmp_path / "folder" / "link").symlink_to("0")
    return tmp_path.resolve()


def test_rules_that_say_the_same_in_one_folder_are_a_flock() -> None:
    said = [rule("/a/1"), rule("/a/2"), rule("/a/3", WRITE), rule("/b/3", WRITE), rule("/b/4", WRITE), rule("/b/c/d", WRITE)]
    split = flocks.split([*said, rule("/x"), rule("/y"), rule("/")])
    assert [(flock.folder, flock.names) for flock in split] == [
        ("/a/", ["1", "2"]),
        ("/a/", ["3"]),
        ("/b/", ["3", "4"]),
        ("/b/c/", ["d"]),
        ("/", ["x", "y", ""]),
    ]
    assert [each for flock in split for each in flock.rules][: len(said)] == said
    assert flocks.split([]) == []


def test_the_same_comes_of_a_flock_as_of_each_rule(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [*map(str, range(5)), "inner", "link", "0"]
    rules = [rule(tree / "folder" / name, line=number) for number, name in enumerate(names)]
    rules += [rule(tree / "folder" / "4", READ, WRITE), rule(tree, READ | Action.READ_DIR)]
    together = resolve(rules[:5]), resolve(rules)
    with monkeypatch.context() as patch:
        patch.setattr(flocks, "find", lambda *_: None)
        assert (resolve(rules[:5]), resolve(rules)) == together
    assert [entry.line for entry in together[0].entries] == [0, 1, 2, 3, 4]


def test_a_flock_of_files_takes_no_walk_of_its_own(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[str] = []
    real = route.Routes.find
    monkeypatch.setattr(route.Routes, "find", lambda routes, path: (walked.append(path), real(routes, path))[1])
    resolve(rule(tree / "folder" / str(number)) for number in range(5))
    assert walked == []


@pytest.mark.parametrize("last", ["link", "inner", "none"])
def test_what_is_not_alike_is_looked_at_by_itself(tree: Path, last: str) -> None:
    rules = [rule(tree / "folder" / name, line=7) for name in ("0", "1", last)]
    if last == "none":
        with pytest.raises(errors.PolicyError, match=r"none does not exist, and only what exists can be allowed"):
            resolve(rules)
    else:
        found = os.stat(tree / "folder" / last)
        assert identity.OBJECT.unpack(resolve(rules).entries[2].object)[0] == found.st_ino


def test_a_flock_of_files_with_actions_of_directories_is_told_rule_by_rule(tree: Path) -> None:
    rules = [rule(tree / "folder" / name, Action.MAKE_REG, line=7) for name in ("0", "1")]
    with pytest.raises(errors.PolicyError) as caught:
        resolve(rules)
    assert len(caught.value.problems) == 2 and "is not a directory" in str(caught.value)


def test_no_descriptor_stays_open_and_no_other_is_closed(tree: Path) -> None:
    holes = [os.open(tree, os.O_PATH) for _ in range(6)]
    for fd in holes[1::2]:
        os.close(fd)
    before = os.listdir("/proc/self/fd")
    resolve(rule(tree / "folder" / str(number)) for number in range(5))
    with pytest.raises(errors.PolicyError):
        resolve(rule(tree / "folder" / name) for name in ("0", "1", "none"))
    assert os.listdir("/proc/self/fd") == before
    for fd in holes[::2]:
        os.close(fd)


DEVICE = identity.OBJECT.pack(0, 0, 8, 0)[identity.DEVICE]


def named(fd: int, mode: int = 0o100644, magic: int = EXT4, known: int = 1, ino: int = 5) -> identity.Named:
    object = identity.OBJECT.pack(ino, 0, 8, 0) if ino else identity.NOTHING
    return identity.Named(fd, mode, object, identity.NOTHING, identity.NOTHING, magic, known, 1)


def test_names_are_alike_only_where_nothing_is_left_to_tell() -> None:
    plain = [named(3, ino=7), named(4, 0o100600, ino=8)]
    objects = identity.Objects.of(each.object for each in plain)
    assert identity.Names.of(plain).alike([3, 4]) == (0o100000, objects, {DEVICE})
    around = identity.Names.of([named(1), plain[0], plain[1], named(9, 0o040755)])
    assert around.alike([3, 4]) == (0o100000, objects, {DEVICE})
    assert identity.Names.of([plain[0], named(4, 0o120777), named(5)]).alike([3, 5]) == (
        0o100000,
        identity.Objects.of((objects[0], named(5).object)),
        {DEVICE},
    )
    for other in (
        named(4, 0o040755),
        named(4, magic=identity.OVERLAYFS_SUPER_MAGIC),
        named(4, magic=0x6969),
        named(4, magic=EXT4 | 1 << 32),
        named(4, magic=BTRFS, known=0),
        named(4, ino=0),
    ):
        assert identity.Names.of([plain[0], other]).alike([3, 4]) is None
    assert identity.Names.of([named(3, 0o120777), named(4, 0o120777)]).alike([3, 4]) is None
    assert identity.Names.of(plain).alike([4, 3]) is None
    assert identity.Names.of(plain).alike([3, 5]) is None
