# SPDX-License-Identifier: GPL-2.0-only
"""Policies resolved over a real folder, whose objects a stand-in for the kernel names."""

from __future__ import annotations

import dataclasses
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from landlock_bpf import action_table, errors, identity, names, policy, resolution, ruleset, spellings, ways
from landlock_bpf.abi import Action

NONE = Action(0)
EXT4 = 0xEF53


def identify(fds: Iterable[int], magic: int = EXT4) -> identity.Names:
    """Name objects as the iterator does, by what stat(2) says."""
    named = []
    for fd in fds:
        found = os.fstat(fd)
        name = identity.OBJECT.pack(found.st_ino, 0, found.st_dev & 0xFFFFFFFF, 7)
        named.append(identity.Named(fd, found.st_mode, name, identity.NOTHING, identity.NOTHING, magic, 1, 1))
    return identity.Names.of(named)


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
    with ways.Filesystems() as filesystems:
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
            (tree / "a" / "b" / "file" / "x", NONE, Action.READ_FILE),
            (tree / "loop", Action.READ_FILE, NONE),
            (tree / "a" / "b" / "file" / "x", Action.READ_FILE, NONE),
            (tree / "a", Action.READ_FILE, NONE),
        )
    )
    assert [line.split(":")[1] for line in told] == ["1", "2", "3", "4"]
    assert "only what exists can be allowed" in told[0] and "a part of it is no directory" in told[1]
    assert "Too many levels of symbolic links" in told[2]


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("p.toml", "[[path_beneath]]\nallowed_access = ['read']\nparent = [\n'%s']", "4: path_beneath[0].parent[0]"),
        ("p.json", '{"pathBeneath": [{"allowedAccess": ["read"],\n"parent": ["%s"]}]}', "2: pathBeneath[0].parent[0]"),
        (
            "config.json",
            '{"landlock": {"handledAccess": {"handledAccessFS": ["execute"]},\n'
            '"rules": {"pathBeneath": [{"allowedAccess": ["execute"], "paths": ["%s"]}]}}}',
            "2: landlock.rules.pathBeneath[0].paths[0]",
        ),
        ("landrun", "--unrestricted-network\n--ro %s", "2: --ro"),
        ("setpriv", "--landlock-access fs\n--landlock-rule path-beneath::%s", "2: --landlock-rule"),
        ("sandboxer", "LL_FS_RO=%s\nLL_FS_RW=", "1: LL_FS_RO"),
    ],
)
def test_what_is_wrong_with_an_object_is_told_with_its_key(tree: Path, name: str, text: str, place: str) -> None:
    (tree / name).write_text(text % (tree / "none"))
    (told,) = problems(*policy.load(tree / name, {}))
    assert told.startswith(f"{tree / name}:{place}: {tree / 'none'} does not exist")


def test_what_is_wrong_with_an_object_is_told_with_its_option(tree: Path) -> None:
    (told,) = problems(policy.from_words(rw=[str(tree / "none")]))
    assert told.startswith(f"command line:1: --rw: {tree / 'none'} does not exist")


def test_rights_of_directories_on_a_file(tree: Path) -> None:
    file = tree / "a" / "b" / "file"
    (layer,) = resolve(make((file, Action.READ_FILE | Action.READ_DIR, NONE)))
    assert layer.entries[0].allowed == Action.READ_FILE
    (told,) = problems(make((file, Action.READ_FILE | Action.READ_DIR, NONE), explicit=Action.READ_DIR))
    assert "read_dir is asked of directories" in told
    assert "name the directory" in problems(make((file, Action.READ_DIR, NONE)))[0]


def test_refer_is_handled_by_every_layer(tree: Path) -> None:
    (layer,) = resolve(make((tree, Action.READ_FILE, NONE)))
    assert layer.handled == Action.READ_FILE | Action.REFER | action_table.WITHHELD


def test_an_object_without_a_stable_name_is_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "DROP_CACHES", "/dev/null")
    count = 0

    def unstable(fds: Iterable[int]) -> identity.Names:
        nonlocal count
        count += 1
        found = identify(fds, magic=0x6969).values()
        return identity.Names.of(each._replace(object=each.object[:-4] + struct.pack("=I", count)) for each in found)

    with ways.Filesystems() as filesystems, pytest.raises(errors.PolicyError, match="0x6969"):
        resolution.resolve((make((tree, Action.READ_FILE, NONE)),), "d", 1, unstable, filesystems)


def test_an_object_whose_name_stays_is_taken(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "DROP_CACHES", "/dev/null")
    with ways.Filesystems() as filesystems:
        (layer,) = resolution.resolve(
            (make((tree, Action.READ_FILE, NONE)),), "d", 1, lambda fds: identify(fds, magic=0x6969), filesystems
        )
    assert layer.entries[0].object == object_of(tree)


def test_no_descriptor_stays_open(tree: Path) -> None:
    before = os.listdir("/proc/self/fd")
    resolve(make((tree / "chain" / "file", NONE, Action.READ_FILE)))
    resolve(make((tree / "none" / "x", NONE, Action.READ_FILE)))
    problems(make((tree / "none", Action.READ_FILE, NONE)))
    assert len(os.listdir("/proc/self/fd")) == len(before)


def names_of(layer: ruleset.Layer) -> dict[int, tuple[bytes, int, int]]:
    return {name.hash: (name.parent, name.length, name.denied) for name in layer.names}


def test_a_denial_of_what_is_missing_is_on_its_names(tree: Path) -> None:
    (layer,) = resolve(make((tree / "a" / "x" / "yy", NONE, Action.READ_FILE)))
    way, whole = [made for made, _name, _whole in names.prefixes([b"x", b"yy"])]
    here = object_of(tree / "a")
    assert names_of(layer) == {way: (here, 1, 0), whole: (here, 2, Action.READ_FILE)}
    sealed = {entry.object for entry in layer.entries if entry.sealed}
    assert {here, object_of(tree)} <= sealed and layer.denies
    assert not any(entry.denied or entry.allowed for entry in layer.entries)


def test_a_pattern_for_a_path_is_told(tree: Path) -> None:
    """It is the path of something that may be there later, and denies nothing else."""
    (layer,) = resolve(make((tree / "*" / ".ssh", NONE, Action.READ_FILE)))
    assert layer.notes == (
        f"{tree}/*/.ssh is not there, and in a path each character stands for itself: `name` takes patterns, of names "
        "beneath a directory",
    )
    (tree / "*" / ".ssh").mkdir(parents=True)
    (layer,) = resolve(make((tree / "*" / ".ssh", NONE, Action.READ_FILE)))
    assert not layer.notes


def test_a_link_to_what_is_missing_leads_on(tree: Path) -> None:
    (tree / "dangling").symlink_to("a/none")
    (layer,) = resolve(make((tree / "dangling", NONE, Action.READ_FILE)))
    ((parent, length, denied),) = names_of(layer).values()
    assert (parent, length, denied) == (object_of(tree / "a"), 4, Action.READ_FILE)
    assert object_of(tree / "dangling") in {entry.object for entry in layer.entries if entry.sealed}


def test_what_is_missing_under_the_root() -> None:
    (layer,) = resolve(make((Path("/no-such-thing"), NONE, Action.READ_FILE)))
    assert [name.parent for name in layer.names] == [object_of(Path("/"))]


def test_what_cannot_be_denied_by_name(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tree.joinpath(*"abcdefghi")
    told = problems(make((tree / "n" / deep.relative_to(tree), NONE, Action.READ_FILE)))
    assert "at most 8 names" in told[0]
    assert "255 bytes" in problems(make((tree / "n" / ("x" * 256), NONE, Action.READ_FILE)))[0]
    assert "cannot as long as" in problems(make((Path(f"{tree}/none/../x"), NONE, Action.READ_FILE)))[0]
    monkeypatch.setattr(spellings, "why", lambda fd, magic: "is odd")
    assert "cannot be ruled on by name: is odd" in problems(make((tree / "none", NONE, Action.READ_FILE)))[0]
    resolve(make((tree / "a", NONE, Action.READ_FILE)))


def patterned(path: Path, *texts: str, denied: Action = Action.READ_FILE) -> policy.Policy:
    rule = policy.Rule(str(path), NONE, denied, policy.Location("p.toml", 1), names=texts)
    return policy.Policy("p", denied, "allow", (rule,), "p.toml")


def test_patterns_hold_beneath_their_trees(tree: Path) -> None:
    policies = patterned(tree / "a", "*.pem", ".env"), patterned(tree / "a" / "b", ".env")
    joined = policy.Policy("p", Action.READ_FILE, "allow", policies[0].rules + policies[1].rules, "p.toml")
    (layer,) = resolve(joined)
    # The engine lets go of a number at the first tree that it meets: trees in trees have numbers of their own.
    assert [pattern.text for pattern in layer.patterns] == ["*.pem", ".env", ".env"]
    assert [(tree_.object, tree_.pattern) for tree_ in layer.trees] == [
        (object_of(tree / "a"), 0),
        (object_of(tree / "a"), 1),
        (object_of(tree / "a" / "b"), 2),
    ]
    sealed = {entry.object for entry in layer.entries if entry.sealed}
    assert {object_of(tree), object_of(tree / "a"), object_of(tree / "a" / "b")} <= sealed
    assert "has no names beneath" in problems(patterned(tree / "a" / "b" / "file", "x"))[0]
    assert "does not exist, and names" in problems(patterned(tree / "none", "x"))[0]


def test_who_may_read_or_write_a_block_device_may_open_it(tree: Path) -> None:
    def as_block(fds: Iterable[int]) -> identity.Names:
        found = identify(fds).values()
        return identity.Names.of(each._replace(mode=stat.S_IFBLK) if stat.S_ISREG(each.mode) else each for each in found)

    file = tree / "a" / "b" / "file"
    for actions, bit in ((Action.READ_FILE, Action.OPEN_BLOCK), (Action.IOCTL_DEV, NONE)):
        with ways.Filesystems() as filesystems:
            (layer,) = resolution.resolve((make((file, actions, NONE)),), "d", 1, as_block, filesystems)
        assert layer.entries[0].allowed == actions | bit


def test_links_from_elsewhere_are_denied_too(tree: Path) -> None:
    outside = tree / "outside"
    os.link(tree / "a" / "b" / "file", outside)
    (layer,) = resolve(make((tree / "a", NONE, Action.READ_FILE | Action.READ_DIR)))
    entries = {entry.object: entry for entry in layer.entries if entry.denied}
    covered = entries[object_of(outside)]
    assert (covered.denied, covered.sealed, covered.path) == (Action.READ_FILE, False, str(tree / "a"))
    # Who allows the file itself, by whichever name, allows it.
    allowing = make((tree / "a", NONE, Action.READ_FILE | Action.WRITE_FILE), (outside, Action.READ_FILE, NONE))
    (layer,) = resolve(allowing)
    (own, covered) = [entry for entry in layer.entries if entry.object == object_of(outside)]
    assert (own.allowed, covered.denied) == (Action.READ_FILE, Action.WRITE_FILE)


def test_a_permissive_policy_is_a_permissive_layer(tree: Path) -> None:
    made = dataclasses.replace(make((tree, Action.READ_FILE, NONE)), permissive=True)
    assert [layer.permissive for layer in resolve(made)] == [True]
