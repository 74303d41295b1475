# SPDX-License-Identifier: GPL-2.0-only
"""Denials of names: of paths that do not exist yet, and of patterns at any depth beneath a tree.

What is denied is tried beside a twin of another name, which is not.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import filesystem
import operation
import pytest
import rule
from member import Member

from landlock_bpf import controller, events
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

DENIED = Action.READ_FILE | Action.STAT


def read(path: Path) -> None:
    operation.touch(path, os.O_RDONLY)


def create(path: Path) -> None:
    operation.touch(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def mkdir(path: Path) -> None:
    path.mkdir()


def symlink(path: Path) -> None:
    path.symlink_to("elsewhere")


def mkfifo(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    os.link(path.parent / "material", path)


def rename(path: Path) -> None:
    os.rename(path.parent / "material", path)


def rename_dir(path: Path) -> None:
    os.rename(path.parent / "folder", path)


def unlink(path: Path) -> None:
    path.unlink()


def rename_away(path: Path) -> None:
    os.rename(path, path.parent / "away")


def link_away(path: Path) -> None:
    os.link(path, path.parent / "away")


def exchange(path: Path) -> None:
    operation.swap(path, path.parent / "material")


def move(source: Path, target: Path) -> None:
    os.rename(source, target)


def leave(path: Path) -> None:
    os.rename(path, path.parents[1] / path.name)


MAKING = (create, mkdir, symlink, mkfifo, link, rename, rename_dir)
TAKING = (unlink, rename_away, link_away, exchange)


def material(folder: Path) -> Path:
    """Make a folder with a file and a folder that can be moved or linked to other names."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "material").write_text("")
    (folder / "folder").mkdir(exist_ok=True)
    return folder


def outcomes(inside: Member, tried: Callable[[Path], None], *paths: Path) -> list[int]:
    return [inside.errno(tried, path) for path in paths]


def only(*rules: object, denied: Action = DENIED) -> object:
    """Make a policy that leaves alone what its rules do not deny."""
    return rule.make(denied, *rules, default="allow")


REFUSED = [errno.EACCES, 0]


def test_it_holds_from_the_moment_it_is_made(tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(only(rule.deny(tree / "secret", DENIED)))
    assert outcomes(inside, read, tree / "secret") == [errno.ENOENT]
    for name in ("secret", "secrets", "secre"):
        (tree / name).write_text("")
    assert outcomes(inside, read, tree / "secret", tree / "secrets", tree / "secre") == [errno.EACCES, 0, 0]
    assert outcomes(inside, os.stat, tree / "secret", tree / "secrets") == REFUSED
    # Another object of that name is denied, too; the same under another name is not.
    (tree / "secret").rename(tree / "before")
    (tree / "secret").mkdir()
    (tree / "secret" / "file").write_text("")
    assert outcomes(inside, read, tree / "secret" / "file", tree / "before") == REFUSED


def test_put_there_by_whatever_way(tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(only(rule.deny(tree / "secret", DENIED)))
    material(tree)
    for put in (create, link, rename):
        put(tree / "secret")
        assert inside.errno(read, tree / "secret") == errno.EACCES
        (tree / "secret").unlink()
    material(tree / "made")
    (tree / "made").rename(tree / "secret")
    assert inside.errno(read, tree / "secret" / "material") == errno.EACCES


@pytest.mark.parametrize("make", MAKING)
def test_a_member_cannot_make_it(make: Callable[[Path], None], tree: Path, inside: Member, attach: rule.Attach) -> None:
    material(tree)
    attach(only(rule.deny(tree / "secret", DENIED)))
    assert inside.errno(make, tree / "secret") == errno.EACCES
    assert not os.path.lexists(tree / "secret")
    assert inside.errno(make, tree / "secrets") == 0


@pytest.mark.parametrize("take", TAKING)
def test_a_member_cannot_take_it_away(take: Callable[[Path], None], tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(only(rule.deny(tree / "secret", DENIED)))
    for name in ("secret", "secrets", "material"):
        (tree / name).write_text(name)
    assert inside.errno(take, tree / "secret") == errno.EACCES
    assert (tree / "secret").read_text() == "secret"
    assert inside.errno(take, tree / "secrets") == 0


def test_several_missing_names(tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(only(rule.deny(tree / "a" / "b" / "c", DENIED)))
    # The way there can be made, of directories, and not be taken away again.
    assert outcomes(inside, create, tree / "a", tree / "aa") == REFUSED
    assert inside.errno(mkdir, tree / "a") == 0
    material(tree / "a")
    assert outcomes(inside, symlink, tree / "a" / "b", tree / "a" / "bb") == REFUSED
    assert inside.errno(rename_dir, tree / "a" / "b") == errno.EACCES
    assert inside.errno(mkdir, tree / "a" / "b") == 0
    assert inside.errno(move, tree / "a", tree / "x") == errno.EACCES
    assert inside.errno(move, tree / "a" / "b", tree / "a" / "x") == errno.EACCES
    assert inside.errno(os.rmdir, tree / "a" / "b") == errno.EACCES
    assert outcomes(inside, create, tree / "a" / "b" / "c", tree / "a" / "b" / "d") == REFUSED
    (tree / "a" / "b" / "c").mkdir()
    for place in (tree / "a" / "b" / "c" / "file", tree / "a" / "c"):
        place.write_text("")
    assert outcomes(inside, read, tree / "a" / "b" / "c" / "file", tree / "a" / "c") == REFUSED


def test_a_tree_moved_into_place(tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(only(rule.deny(tree / "a" / "b", DENIED)))
    material(tree / "elsewhere" / "b")
    assert inside.errno(read, tree / "elsewhere" / "b" / "material") == 0
    assert inside.errno(move, tree / "elsewhere", tree / "a") == errno.EACCES
    (tree / "elsewhere").rename(tree / "a")
    assert inside.errno(read, tree / "a" / "b" / "material") == errno.EACCES


def test_the_way_is_sealed(tree: Path, inside: Member, attach: rule.Attach) -> None:
    for name in ("here", "beside"):
        (tree / name).mkdir()
    attach(only(rule.deny(tree / "here" / "secret", DENIED)))
    assert outcomes(inside, rename_away, tree / "here", tree / "beside") == REFUSED


def test_an_update_lifts_it(tree: Path, inside: Member, attach: rule.Attach, live: controller.Controller) -> None:
    name = attach(only(rule.deny(tree / "secret", DENIED)))
    (tree / "secret").write_text("")
    assert inside.errno(read, tree / "secret") == errno.EACCES
    live.update(name, [only(rule.deny(tree / "other", DENIED))])
    assert inside.errno(read, tree / "secret") == 0
    assert inside.errno(create, tree / "other") == errno.EACCES
    live.detach(name)
    assert inside.errno(create, tree / "other") == 0


def test_through_a_mount(tree: Path, inside: Member, attach: rule.Attach) -> None:
    (tree / "here").mkdir()
    attach(only(rule.deny(tree / "here" / "secret", DENIED), rule.deny(tree, DENIED, "*.pem")))
    for name in ("secret", "x.pem", "open"):
        (tree / "here" / name).write_text("")
    with filesystem.mounted(tree / "here", tree / "bound", flags=calls.MS_BIND) as bound:
        assert outcomes(inside, read, bound / "secret", bound / "open") == REFUSED
        assert outcomes(inside, read, bound / "x.pem", bound / "open") == REFUSED
        assert inside.errno(unlink, bound / "secret") == errno.EACCES


@pytest.mark.parametrize("made", ["a", "a/b"])
def test_through_a_mount_of_what_was_missing(made: str, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """Some of the names of a denied path are those of the mount's root and of directories above it."""
    attach(only(rule.deny(tree / "a" / "b" / "c", DENIED)))
    (tree / made).mkdir(parents=True)
    with filesystem.mounted(tree / made, tree / "bound", flags=calls.MS_BIND) as bound:
        folder = bound
        if made == "a":
            folder = bound / "b"
            assert outcomes(inside, create, folder, bound / "bb") == REFUSED
            assert inside.errno(mkdir, folder) == 0
            assert inside.errno(rename_away, folder) == errno.EACCES
        assert outcomes(inside, create, folder / "c", folder / "d") == REFUSED
        (folder / "c").mkdir()
        (folder / "c" / "file").write_text("")
        assert outcomes(inside, read, folder / "c" / "file", folder / "d") == REFUSED
        assert outcomes(inside, rename_away, folder / "c", folder / "d") == REFUSED


def test_layers_each_have_their_names(tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(only(rule.deny(tree / "one", DENIED)), only(rule.deny(tree / "two", DENIED), rule.deny(tree, DENIED, "*.x")))
    for name in ("one", "two", "a.x", "three"):
        (tree / name).write_text("")
    assert outcomes(inside, read, *(tree / name for name in ("one", "two", "a.x", "three"))) == [errno.EACCES] * 3 + [0]


def test_ten_thousand_names(tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(only(*(rule.deny(tree / f"name{number}", DENIED) for number in range(10_000))))
    for name in ("name0", "name9999", "name10000"):
        (tree / name).write_text("")
    assert outcomes(inside, read, *(tree / name for name in ("name0", "name9999", "name10000"))) == [errno.EACCES] * 2 + [0]


PATTERNS = ("*.pem", ".env", "id_*", "a*z")
MATCHES = ("x.pem", ".pem", ".env", "id_", "id_rsa", "az", "abz")
OTHERS = ("x.pem2", "xpem", ".envs", "x.env", "id", "my_id_", "ab", "z", "bz", "a")


@pytest.fixture
def denied(tree: Path, attach: rule.Attach) -> Path:
    """A tree in which names are denied."""
    top = tree / "top"
    (top / "deep" / "deeper").mkdir(parents=True)
    attach(only(rule.deny(top, DENIED, *PATTERNS)))
    return top


@pytest.mark.parametrize("where", ["", "deep/deeper"])
def test_patterns(where: str, denied: Path, tree: Path, inside: Member) -> None:
    for name in (*MATCHES, *OTHERS):
        (denied / where / name).write_text("")
        (tree / name).write_text("")
    assert outcomes(inside, read, *(denied / where / name for name in MATCHES)) == [errno.EACCES] * len(MATCHES)
    assert outcomes(inside, read, *(denied / where / name for name in OTHERS)) == [0] * len(OTHERS)
    # The tree ends where it ends.
    assert outcomes(inside, read, *(tree / name for name in MATCHES)) == [0] * len(MATCHES)


def test_what_is_beneath_a_directory_that_matches(denied: Path, inside: Member) -> None:
    for name in ("keys.pem", "keys"):
        material(denied / "deep" / name)
    assert outcomes(inside, read, *(denied / "deep" / name / "material" for name in ("keys.pem", "keys"))) == REFUSED


def test_the_tree_itself_is_not_beneath_it(tree: Path, inside: Member, attach: rule.Attach) -> None:
    material(tree / "x.pem" / "y.pem")
    material(tree / "x.pem")
    attach(only(rule.deny(tree / "x.pem", DENIED, "*.pem")))
    assert outcomes(inside, read, tree / "x.pem" / "y.pem" / "material", tree / "x.pem" / "material") == REFUSED


@pytest.mark.parametrize("make", MAKING)
def test_a_member_cannot_make_a_match(make: Callable[[Path], None], denied: Path, inside: Member) -> None:
    place = material(denied / "deep" / "deeper")
    assert outcomes(inside, make, place / "new.pem", place / "new.txt") == REFUSED


@pytest.mark.parametrize("take", TAKING)
def test_a_member_cannot_take_a_match_away(take: Callable[[Path], None], denied: Path, inside: Member) -> None:
    place = denied / "deep"
    for name in ("x.pem", "x.txt", "material"):
        (place / name).write_text("")
    assert outcomes(inside, take, place / "x.pem", place / "x.txt") == REFUSED


def test_a_removed_pattern_seals_nothing(tree: Path, inside: Member, attach: rule.Attach, live: controller.Controller) -> None:
    """One of two that is removed denies no more; with the other, the rule and what it sealed are gone."""
    top = tree / "top"
    for name in ("x.pem", "x.key"):
        material(top).joinpath(name).write_text("")
    name = attach(only(rule.deny(top, DENIED, "*.pem", "*.key")))
    live.remove_rule(name, f"{top}/**/*.pem")
    assert outcomes(inside, read, top / "x.pem", top / "x.key") == [0, errno.EACCES]
    assert inside.errno(move, top, tree / "moved") == errno.EACCES
    assert [each.path for each in live.show(name).policies[0].rules] == [f"{top}/**/*.key"]
    live.remove_rule(name, f"{top}/**/*.key")
    assert outcomes(inside, read, top / "x.pem", top / "x.key") == [0, 0]
    assert inside.errno(move, top, tree / "moved") == 0
    assert not live.show(name).policies[0].rules


def test_no_directory_leaves_the_tree(denied: Path, tree: Path, inside: Member) -> None:
    material(denied / "deep")
    assert inside.errno(move, denied / "deep", tree / "out") == errno.EXDEV
    assert inside.errno(move, denied / "deep" / "folder", denied / "here") == 0
    assert inside.errno(move, denied / "deep" / "material", tree / "out") == 0
    (tree / "in").mkdir()
    assert inside.errno(move, tree / "in", denied / "in") == 0
    assert inside.errno(operation.swap, denied / "deep", tree / "out") == errno.EXDEV


def test_a_tree_that_is_left_where_that_is_merely_reported(tree: Path, inside: Member, attach: rule.Attach) -> None:
    for name in ("reported", "denied"):
        (tree / name / "one").mkdir(parents=True)
        (tree / name / "two").mkdir()
    reports = rule.make(DENIED, rule.deny(tree / "reported", DENIED, "*.pem"), default="allow", permissive=True)
    attach(reports, only(rule.deny(tree / "denied", DENIED, "*.env")))
    for _ in events.read(follow=False):
        pass
    assert outcomes(inside, leave, tree / "denied" / "one", tree / "reported" / "one") == [errno.EXDEV, 0]
    reported = [(denial.verdict, denial.reason, denial.layer) for denial in events.read(follow=False)]
    assert reported == [(events.DENIED, "refer", 1), (events.WOULD_BE_DENIED, "refer", 0)]
    assert inside.errno(operation.swap, tree / "denied" / "one", tree / "reported" / "two") == errno.EXDEV
    assert inside.errno(operation.swap, tree / "reported" / "two", tree / "denied" / "one") == errno.EXDEV


def test_trees_in_trees(tree: Path, inside: Member, attach: rule.Attach) -> None:
    (tree / "a" / "b").mkdir(parents=True)
    attach(only(rule.deny(tree / "a", DENIED, "*.one"), rule.deny(tree / "a" / "b", DENIED, "*.two")))
    for folder in ("a", "a/b"):
        for name in ("x.one", "x.two"):
            (tree / folder / name).write_text("")
    tried = [tree / folder / name for folder in ("a", "a/b") for name in ("x.one", "x.two")]
    assert outcomes(inside, read, *tried) == [errno.EACCES, 0, errno.EACCES, errno.EACCES]


def test_no_directory_leaves_the_inner_tree(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """Not even where the rule on the outer one denies the same names."""
    (tree / "a" / "b" / "c").mkdir(parents=True)
    attach(only(rule.deny(tree / "a", DENIED, "*.pem"), rule.deny(tree / "a" / "b", DENIED, "*.pem")))
    assert inside.errno(leave, tree / "a" / "b" / "c") == errno.EXDEV


def test_one_pattern_in_trees_in_trees(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """The names between the inner tree and the outer one are looked at as well."""
    (tree / "a" / "x.pem" / "b").mkdir(parents=True)
    attach(only(rule.deny(tree / "a", DENIED, "*.pem"), rule.deny(tree / "a" / "x.pem" / "b", DENIED, "*.pem")))
    (tree / "a" / "x.pem" / "b" / "file").write_text("")
    (tree / "a" / "file").write_text("")
    assert outcomes(inside, read, tree / "a" / "x.pem" / "b" / "file", tree / "a" / "file") == REFUSED


def test_a_tree_mounted_on_a_match(denied: Path, tree: Path, inside: Member) -> None:
    """Its patterns count for names on the way across mounts as well, which are not beneath the tree."""
    (denied / "deep" / "file").write_text("")
    for name, expected in (("x.pem", errno.EACCES), ("x", 0)):
        with filesystem.mounted(denied / "deep", tree / name, flags=calls.MS_BIND) as bound:
            assert inside.errno(read, bound / "file") == expected


def test_a_mount_beneath_a_match(tree: Path, inside: Member, attach: rule.Attach) -> None:
    (tree / "x.pem").mkdir()
    with filesystem.mounted("none", tree / "x.pem" / "m", "tmpfs") as mount:
        attach(only(rule.deny(tree, DENIED, "*.pem")))
        (mount / "file").write_text("")
        assert inside.errno(read, mount / "file") == errno.EACCES


def test_a_permission_beneath_a_match_is_nearer(tree: Path, inside: Member, attach: rule.Attach) -> None:
    material(tree / "x.pem")
    attach(only(rule.deny(tree, DENIED, "*.pem"), rule.allow(tree / "x.pem" / "material", DENIED)))
    (tree / "x.pem" / "other").write_text("")
    assert outcomes(inside, read, tree / "x.pem" / "other", tree / "x.pem" / "material") == REFUSED


def test_under_a_default_of_denial(tree: Path, inside: Member, attach: rule.Attach) -> None:
    (tree / "a").mkdir()
    reading = Action.READ_FILE
    attach(
        rule.make(reading, rule.allow(tree, reading), rule.deny(tree / "a", reading, "*.pem"), rule.deny(tree / "b", reading))
    )
    for name in ("a/x.pem", "a/x", "b"):
        (tree / name).write_text("")
    assert outcomes(inside, read, tree / "a" / "x.pem", tree / "a" / "x") == REFUSED
    assert inside.errno(read, tree / "b") == errno.EACCES


def test_long_names(tree: Path, inside: Member, attach: rule.Attach) -> None:
    longest = "x" * 255
    attach(only(rule.deny(tree / longest, DENIED), rule.deny(tree, DENIED, f"{'y' * 120}*{'z' * 120}")))
    names = (longest, longest[1:], "y" * 120 + "-" + "z" * 120, "y" * 120 + "-" + "z" * 119)
    for name in names:
        (tree / name).write_text("")
    assert outcomes(inside, read, *(tree / name for name in names)) == [errno.EACCES, 0, errno.EACCES, 0]


def test_devices(denied: Path, inside: Member) -> None:
    def node(path: Path) -> None:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))

    node(denied / "x.pem")
    assert inside.errno(os.stat, denied / "x.pem") == errno.EACCES
