# SPDX-License-Identifier: GPL-2.0-only
"""Descriptors that members of a cgroup hold into what is denied; the member is this process."""

from __future__ import annotations

import dataclasses
import errno
import os
import re
from pathlib import Path

import pytest

from landlock_bpf import cgroup, descriptors, hooks, identity, ruleset
from landlock_bpf.abi import Action

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroup, "processes", lambda path: iter([os.getpid()]))
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    return tmp_path


def layer(*rules: tuple[Path, int, int]) -> ruleset.Layer:
    entries = tuple(
        ruleset.Entry(identity.NOTHING, allowed, denied, bool(denied), str(path), "p", 1) for path, allowed, denied in rules
    )
    return ruleset.Layer("d", 1, "p", "p", 4, True, len(rules), any(denied for _, _, denied in rules), (), entries)


def held(tree: Path, *layers: ruleset.Layer) -> list[str]:
    with open(tree / "a" / "b" / "file"):
        return [each.path for each in descriptors.held(Path("/cgroup"), layers)]


def test_a_file_beneath_a_denial_is_listed(tree: Path) -> None:
    assert held(tree, layer((tree / "a", 0, 4))) == [str(tree / "a" / "b" / "file")]
    assert held(tree, layer((tree / "a" / "b" / "file", 0, 4))) == [str(tree / "a" / "b" / "file")]


def test_a_nearer_permission_speaks_for_it(tree: Path) -> None:
    assert held(tree, layer((tree / "a", 0, 4), (tree / "a" / "b", 4, 0))) == []


def test_one_layer_that_denies_is_enough(tree: Path) -> None:
    assert held(tree, layer((tree, 4, 0)), layer((tree / "a", 0, 4))) == [str(tree / "a" / "b" / "file")]


def test_nothing_is_listed_where_nothing_is_denied(tree: Path) -> None:
    assert held(tree, layer((tree, 4, 0))) == []
    assert held(tree, layer((tree / "gone", 0, 4))) == []


def patterns(tree: Path, text: str, denied: Action, *rules: tuple[Path, int, int]) -> ruleset.Layer:
    made = layer(*rules)
    pattern, beneath = ruleset.Pattern(text, int(denied), "p", 1), ruleset.Tree(identity.NOTHING, 0, str(tree))
    return dataclasses.replace(made, denies=True, patterns=(pattern,), trees=(beneath,))


def test_what_has_a_denied_name_is_listed(tree: Path) -> None:
    """Its own name or that of a directory on the way to it, beneath the tree; a nearer permission beats that of a directory."""
    file = str(tree / "a" / "b" / "file")
    read = Action.READ_FILE
    for place, text in ((tree, "file"), (tree / "a" / "b", "fi*"), (tree, "b"), (tree, "*a")):
        assert held(tree, patterns(place, text, read)) == [file], text
    for place, text in ((tree, "*.pem"), (tree / "a", "a"), (tree / "a" / "b" / "file", "file"), (tree / "gone", "file")):
        assert held(tree, patterns(place, text, read)) == [], text
    assert held(tree, patterns(tree, "b", Action.WRITE_FILE)) == []
    assert held(tree, patterns(tree, "a", read, (tree / "a" / "b", 4, 0))) == []
    assert held(tree, patterns(tree, "b", read, (tree / "a" / "b", 4, 0))) == [file]
    assert held(tree, patterns(tree, "file", read, (tree / "a" / "b", 4, 0))) == [file]


def test_a_file_without_its_name_is_listed_by_it(tree: Path) -> None:
    with open(tree / "a" / "b" / "file"):
        (tree / "a" / "b" / "file").unlink()
        listed = [each.path for each in descriptors.held(Path("/cgroup"), [patterns(tree, "file", Action.READ_FILE)])]
    assert listed == [f"{tree}/a/b/file (deleted)"]


def test_what_came_to_be_meanwhile_is_listed(tree: Path) -> None:
    file = str(tree / "a" / "b" / "file")
    for denied, expected in ((int(Action.READ_FILE), [file]), (0, [])):
        name = ruleset.Name(identity.NOTHING, 1, 4, denied, file, "p", 1)
        assert held(tree, dataclasses.replace(layer(), denies=True, names=(name,))) == expected


@pytest.mark.parametrize(
    ("path", "flags", "given"),
    [
        ("a/b/file", os.O_RDONLY, Action.READ_FILE),
        ("a/b/file", os.O_WRONLY, Action.WRITE_FILE | Action.TRUNCATE),
        ("a/b/file", os.O_RDWR, Action.READ_FILE | Action.WRITE_FILE | Action.TRUNCATE),
        ("a/b/file", os.O_PATH, Action(0)),
        ("a/b", os.O_RDONLY, Action.READ_DIR),
        ("a/b", os.O_PATH, Action(0)),
    ],
)
def test_what_counts_is_what_a_descriptor_gives(path: str, flags: int, given: Action, tree: Path) -> None:
    """All else is asked when it is done, and to execute a file it is opened again."""
    fd = os.open(tree / path, flags)
    try:
        for row in hooks.ACTIONS:
            listed = descriptors.held(Path("/cgroup"), [layer((tree / "a", 0, int(row.action)))])
            assert [each.fd for each in listed] == ([fd] if row.action & given else []), row.name
    finally:
        os.close(fd)


def test_a_device_gives_its_ioctl_commands(tree: Path) -> None:
    with open("/dev/null") as null:
        for action, listed in ((Action.READ_FILE, True), (Action.IOCTL_DEV, True), (Action.OPEN_BLOCK, False)):
            denying = layer((Path("/dev/null"), 0, int(action)))
            assert (null.fileno() in [each.fd for each in descriptors.of_process(os.getpid(), [denying])]) == listed


def test_rules_on_other_actions_are_not_nearer(tree: Path) -> None:
    """Of each right, the nearest rule that speaks of it decides; one that only reports decides nothing."""
    file, chmod = str(tree / "a" / "b" / "file"), int(Action.CHMOD)
    assert held(tree, layer((tree / "a", 0, 4), (tree / "a" / "b", chmod, 0))) == [file]
    assert held(tree, layer((tree / "a", 4, 0), (tree / "a" / "b", 0, chmod))) == []
    assert held(tree, dataclasses.replace(layer((tree / "a", 0, 4)), permissive=True)) == []


def test_what_cannot_be_looked_at_counts_as_held(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat

    def refuse(path: str | Path, **more: bool) -> os.stat_result:
        if str(path).startswith("/proc/") and os.path.realpath(path) == str(tree / "a" / "b" / "file"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path, **more)

    monkeypatch.setattr(os, "stat", refuse)
    assert held(tree, layer((tree / "a", 0, 4))) == ["something that cannot be looked at (Permission denied)"]


def test_a_process_that_cannot_be_looked_at_is_an_error(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied", args[0])

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(PermissionError):
        held(tree, layer((tree / "a", 0, 4)))


def test_what_it_says(tree: Path) -> None:
    assert str(descriptors.Held(7, 3, "/x")) == "process 7 has /x open (descriptor 3)"


def test_devices_that_reach_disks_are_the_engines() -> None:
    body = re.search(r"_Bool reaches_disks\(.*?\n}", (ROOT / "bpf/vital.h").read_text(), re.S)
    assert body
    assert tuple(map(int, re.findall(r"case (\d+):", body[0]))) == descriptors._DISK_MAJORS
    assert re.findall(r"(\d+) << 20 \| (\d+)", body[0]) == [tuple(map(str, descriptors._DEVICE_MAPPER))]
