# SPDX-License-Identifier: GPL-2.0-only
"""What an overlayfs does by itself, beneath itself, is not asked again; who has other credentials for a while is.

By attributes in its layers it knows what is beneath an object: nobody else sets these in a domain.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import filesystem
import pytest
import rule
from member import Member

from landlock_bpf import controller
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls, uring

NAME = "user.escape"


@pytest.fixture
def layers(tree: Path) -> Iterator[Path]:
    """A folder with an overlayfs on `merged`, and its layers."""
    for name in ("lower", "upper", "work", "merged"):
        (tree / name).mkdir()
    (tree / "lower" / "low").write_text("")
    options = f"lowerdir={tree}/lower,upperdir={tree}/upper,workdir={tree}/work"
    calls.mount("overlay", tree / "merged", "overlay", data=options)
    (tree / "merged" / "up").write_text("")
    yield tree
    calls.umount(tree / "merged")


def set_attribute(path: Path) -> None:
    os.setxattr(path, NAME, b"x")


def set_by_personality(path: Path) -> None:
    """Set it with credentials that we no longer have."""
    uring.setxattr(path, NAME, b"x", before=lambda: os.setgroups([4711]))


def ask_access(path: Path) -> None:
    """Have the kernel take other credentials to say what our real user may; the directories above are closed to that one."""
    folder = os.open(path.parent, os.O_PATH)
    os.setresuid(65534, 0, 0)
    if not os.access(path.name, os.R_OK, dir_fd=folder):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.mark.parametrize("name", ["up", "low"])
def test_what_it_does_by_itself(name: str, layers: Path, cgroup: Path, attach: rule.Attach) -> None:
    """The layers are seen in the same namespace and no rule allows anything there; a copy-up sets attributes as well."""
    attach(rule.make(Action.SETXATTR, rule.allow(layers / "merged", Action.SETXATTR)))
    with Member(cgroup) as bound:
        assert bound.errno(set_attribute, layers / "merged" / name) == 0
        assert bound.errno(set_attribute, layers / "upper" / name) == errno.EACCES


def test_personality_is_no_overlay(layers: Path, cgroup: Path, attach: rule.Attach) -> None:
    attach(rule.make(Action.SETXATTR, rule.allow(layers / "merged", Action.SETXATTR)))
    with Member(cgroup) as bound, Member() as free:
        assert bound.errno(set_attribute, layers / "merged" / "up") == 0  # its credentials are known
        assert bound.errno(set_by_personality, layers / "upper" / "up") == errno.EACCES
        assert free.errno(set_by_personality, layers / "upper" / "up") == 0


def test_access_is_no_overlay(layers: Path, cgroup: Path, attach: rule.Attach) -> None:
    attach(rule.make(Action.ACCESS, rule.deny(layers / "upper", Action.ACCESS), default="allow"))
    with Member(cgroup) as bound, Member() as free:
        assert bound.errno(ask_access, layers / "upper" / "up") == errno.EACCES
        assert free.errno(ask_access, layers / "upper" / "up") == 0


def test_credentials_are_forgotten(layers: Path, cgroup: Path, attach: rule.Attach) -> None:
    """Their address is used again once the overlayfs is gone."""
    from landlock_bpf import engine

    attach(rule.make(Action.SETXATTR, rule.allow(layers / "merged", Action.SETXATTR)))
    found = engine.find()
    assert found
    with Member(cgroup) as bound, found:
        assert bound.errno(set_attribute, layers / "merged" / "up") == 0
        known = len(list(found.creators.keys()))
        assert known
        calls.umount(layers / "merged")
        assert len(list(found.creators.keys())) == known - 1
    calls.mount("overlay", layers / "merged", "overlay", data=f"lowerdir={layers}/lower:{layers}/upper")


REDIRECT, METACOPY, ORIGIN = (f"trusted.overlay.{name}" for name in ("redirect", "metacopy", "origin"))
SECRET = "what is in it"


@pytest.fixture
def following(tree: Path) -> Iterator[Path]:
    """A folder with an overlayfs of two lower layers that keeps metadata alone in its upper one, where only that is changed."""
    for layer in ("top", "bottom"):
        for name in ("open", "secret"):
            (tree / layer / name).mkdir(parents=True)
        (tree / layer / "secret" / layer).write_text(SECRET)
    for name in ("upper", "work"):
        (tree / name).mkdir()
    data = f"lowerdir={tree}/top:{tree}/bottom,upperdir={tree}/upper,workdir={tree}/work,metacopy=on,redirect_dir=on"
    with filesystem.mounted("overlay", tree / "merged", "overlay", data=data):
        yield tree


def lead_file(path: Path) -> None:
    """Make a file in a layer that has the data of one beneath."""
    path.write_text(" " * len(SECRET))
    os.setxattr(path, REDIRECT, b"/secret/bottom")
    os.setxattr(path, METACOPY, b"")


def lead_folder(path: Path) -> None:
    """Have a folder of a layer go on in another one beneath."""
    path.mkdir(exist_ok=True)
    os.setxattr(path, REDIRECT, b"/open")


def test_another_name(following: Path, cgroup: Path, attach: rule.Attach) -> None:
    """A file that a folder's rule denies, by a name outside of that folder."""
    attach(rule.make(Action.READ_FILE, rule.deny(following / "merged/secret", Action.READ_FILE), default="allow"))
    with Member(cgroup) as bound, Member() as free:
        for layer in ("upper", "top"):
            filesystem.drop_caches()  # an overlay tells of one that it knows to be elsewhere that it is stale
            assert free.errno(lead_file, following / layer / f"by-others-in-{layer}") == 0
            assert bound.ask(Path.read_text, following / "merged" / f"by-others-in-{layer}") == SECRET
            assert bound.errno(lead_file, following / layer / f"own-in-{layer}") == errno.EPERM
            assert SECRET not in bound.ask(Path.read_text, following / "merged" / f"own-in-{layer}")
        filesystem.drop_caches()
        assert bound.errno(Path.read_text, following / "merged/secret/bottom") == errno.EACCES


def test_another_object(following: Path, cgroup: Path, attach: rule.Attach) -> None:
    """The denied folder itself, made to be known by another one in the lowest layer."""
    denied = following / "merged/secret"
    attach(rule.make(Action.READ_FILE, rule.deny(denied, Action.READ_FILE), default="allow"))
    with Member(cgroup) as bound, Member() as free:
        assert bound.errno(lead_folder, following / "top/secret") == errno.EPERM
        filesystem.drop_caches()
        assert bound.errno(Path.read_text, denied / "top") == errno.EACCES
        assert free.errno(lead_folder, following / "top/secret") == 0
        filesystem.drop_caches()
        assert bound.ask(Path.read_text, denied / "top") == SECRET


def remove_attribute(path: Path, name: str) -> None:
    os.removexattr(path, name)


def set_named(path: Path, name: str) -> None:
    os.setxattr(path, name, b"x")


@pytest.mark.parametrize("name", [REDIRECT, ORIGIN, "user.overlay.redirect", "trusted.overlay.overlay.redirect"])
def test_attributes_of_overlays(name: str, file: Path, cgroup: Path, attach: rule.Attach) -> None:
    attach(rule.make(Action.MAKE_FIFO, default="allow"))
    with Member(cgroup) as bound, Member() as free:
        assert bound.errno(set_named, file, name) == errno.EPERM
        assert free.errno(set_named, file, name) == 0
        assert bound.errno(remove_attribute, file, name) == errno.EPERM
        assert free.errno(remove_attribute, file, name) == 0


@pytest.mark.parametrize("name", ["trusted.overlay", "trusted.other", "user.overlayfs", "user.overla", NAME])
def test_other_attributes(name: str, file: Path, cgroup: Path, attach: rule.Attach) -> None:
    attach(rule.make(Action.MAKE_FIFO, default="allow"))
    with Member(cgroup) as bound:
        assert bound.errno(set_named, file, name) == 0
        assert bound.errno(remove_attribute, file, name) == 0


def set_by_ring(path: Path) -> None:
    """Set it with credentials that we no longer have."""
    uring.setxattr(path, REDIRECT, b"x", before=lambda: os.setgroups([4711]))


def test_personality_sets_no_attribute_of_overlays(file: Path, cgroup: Path, attach: rule.Attach) -> None:
    attach(rule.make(Action.MAKE_FIFO, default="allow"))
    with Member(cgroup) as bound, Member() as free:
        assert bound.errno(set_by_ring, file) == errno.EPERM
        assert free.errno(set_by_ring, file) == 0


def make_file(merged: Path) -> None:
    (merged / "open/new").write_text("")


def make_folder(merged: Path) -> None:
    (merged / "open/new").mkdir()


def set_times(merged: Path) -> None:
    os.utime(merged / "open")


def rename(merged: Path) -> None:
    (merged / "open").rename(merged / "new")


@pytest.mark.parametrize("act", [make_file, make_folder, set_times, rename])
def test_overlay_that_nothing_was_asked_of(
    act: Callable[[Path], None], alone: controller.Controller, following: Path, cgroup: Path, attach: rule.Attach
) -> None:
    """What it does in its layers, before the engine has seen it: a copy-up sets its attributes."""
    attach(rule.make(Action.MAKE_FIFO, default="allow"))
    with Member(cgroup) as bound:
        assert bound.errno(act, following / "merged") == 0
    assert {ORIGIN, REDIRECT} & {name for made in (following / "upper").iterdir() for name in os.listxattr(made)}


def make_in_place(merged: Path) -> None:
    """Make a folder where one of a lower layer was, in a process that has used a ring."""
    os.close(uring.openat(Path("/dev/null")))
    (merged / "open").rmdir()
    (merged / "open").mkdir()


def test_folder_that_hides_another(following: Path, cgroup: Path, attach: rule.Attach) -> None:
    attach(rule.make(Action.MAKE_FIFO, default="allow"))
    with Member(cgroup) as bound:
        assert bound.errno(make_in_place, following / "merged") == 0
    assert os.getxattr(following / "upper/open", "trusted.overlay.opaque") == b"y"
