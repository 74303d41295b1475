# SPDX-License-Identifier: GPL-2.0-only
"""Identity of objects on each filesystem: out of the cache and back, numbers used again, subvolumes, layers of overlayfs."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import deadline
import filesystem
import further
import operation
import pytest
import rule
from member import Member

from landlock_bpf import action_table, controller, engine
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

READ = Action.READ_FILE


def read(path: Path) -> None:
    operation.touch(path, os.O_RDONLY)


@pytest.fixture(scope="module")
def ext4(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with filesystem.image("ext4", tmp_path_factory.mktemp("ext4")) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def btrfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with filesystem.image("btrfs", tmp_path_factory.mktemp("btrfs")) as mounted:
        yield mounted


@pytest.fixture
def place(request: pytest.FixtureRequest, tree: Path) -> Iterator[Path]:
    """A folder of the test's own on the filesystem of that name."""
    kind = request.param
    with contextlib.ExitStack() as stack:
        if kind == "tmpfs":
            top = stack.enter_context(filesystem.mounted("none", tree / "tmpfs", "tmpfs"))
        elif kind == "overlay":
            top = stack.enter_context(overlay(request.getfixturevalue("ext4") / f"overlay-{tree.name}"))
        else:
            top = request.getfixturevalue(kind)
        folder = top / tree.name
        folder.mkdir()
        yield folder


@contextlib.contextmanager
def overlay(base: Path) -> Iterator[Path]:
    """Mount an overlay of base/lower and base/upper on base/merged."""
    for name in ("lower", "upper", "work"):
        (base / name).mkdir(parents=True, exist_ok=True)
    data = f"lowerdir={base / 'lower'},upperdir={base / 'upper'},workdir={base / 'work'}"
    with filesystem.mounted("none", base / "merged", "overlay", data=data) as merged:
        yield merged


ALL = ("tmpfs", "ext4", "btrfs", "overlay")


@pytest.mark.parametrize("place", ALL, indirect=True)
def test_denied_beneath_allowed(place: Path, inside: Member, attach: rule.Attach) -> None:
    for name in ("", "secret", "beside"):
        (place / name).mkdir(exist_ok=True)
        (place / name / "file").write_text("")
    (place / "denied").write_text("")
    attach(rule.make(READ, rule.allow(place, READ), *(rule.deny(place / name, READ) for name in ("secret", "denied"))))
    for name in ("secret", "beside"):
        (place / name / "later").write_text("")
    no = errno.EACCES
    expectations = {"file": 0, "beside/file": 0, "beside/later": 0, "secret/file": no, "secret/later": no, "denied": no}
    for _ in range(2):
        for name, expected in expectations.items():
            assert inside.errno(read, place / name) == expected
        filesystem.drop_caches()


@pytest.mark.parametrize("place", ALL, indirect=True)
def test_every_operation(place: Path, inside: Member, attach: rule.Attach) -> None:
    """Denied beneath an allowed tree, each by one action."""
    rows = [row for row in operation.OPERATIONS if row.run not in (operation.exchange_with_dir, operation.make_tmpfile)]
    folders = {row.name: row.populate(place / row.name) for row in rows}
    twin = {row.name: row.populate(place / "twin" / row.name) for row in rows}
    attach(
        rule.make(
            action_table.ALL,
            rule.allow("/", action_table.ALL),
            *(rule.deny(each, action_table.ALL) for each in folders.values()),
        )
    )
    filesystem.drop_caches()
    assert {row.name: inside.errno(row.run, folders[row.name]) for row in rows} == {row.name: errno.EACCES for row in rows}
    assert {row.name: inside.errno(row.run, twin[row.name]) for row in rows} == {row.name: 0 for row in rows}


def test_inode_number_used_again(ext4: Path, inside: Member, attach: rule.Attach) -> None:
    """Another file with the number of a denied one is another object: its generation differs."""
    path = ext4 / "reused"
    path.write_text("")
    number = path.stat().st_ino
    attach(rule.make(READ, rule.deny(path, READ), default="allow"))
    assert inside.errno(read, path) == errno.EACCES
    path.unlink()

    def again() -> bool:
        path.unlink(missing_ok=True)
        path.write_text("")
        return path.stat().st_ino == number

    deadline.until(again, f"inode {number} was used again")
    assert inside.errno(read, path) == 0


def test_subvolumes_and_snapshots(btrfs: Path, inside: Member, attach: rule.Attach) -> None:
    for name in ("one", "two"):
        subprocess.run(["btrfs", "-q", "subvolume", "create", btrfs / name], check=True)
        (btrfs / name / "file").write_text("")
        (btrfs / name / "folder").mkdir()
        (btrfs / name / "folder/file").write_text("")
    subprocess.run(["btrfs", "-q", "subvolume", "snapshot", btrfs / "one", btrfs / "copy"], check=True)
    files = [btrfs / name / "file" for name in ("one", "two", "copy")]
    assert len({path.stat().st_ino for path in files}) == 1
    attach(rule.make(READ, *(rule.deny(btrfs / "one" / name, READ) for name in ("file", "folder")), default="allow"))
    for _ in range(2):
        for name in ("file", "folder/file"):
            results = [inside.errno(read, btrfs / volume / name) for volume in ("one", "two", "copy")]
            assert results == [errno.EACCES, 0, 0]
        filesystem.drop_caches()


# include/uapi/linux/btrfs.h
TREE_SEARCH, SNAP_CREATE_V2, SNAP_DESTROY = 0xD0009411, 0x50009417, 0x5000940F
EXTENT_DATA = 108


def search_tree(folder: Path, number: int) -> None:
    """Read what a small file has in it out of the filesystem's own tree, by its inode number."""
    arguments = bytearray(4096)
    most = (1 << 64) - 1
    struct.pack_into("=7Q3I", arguments, 0, 0, number, number, 0, most, 0, most, EXTENT_DATA, EXTENT_DATA, 9)
    with_folder(folder, lambda held: fcntl.ioctl(held, TREE_SEARCH, arguments))
    assert b"small secret" in arguments


def snapshot(volume: Path, target: Path) -> None:
    def make(source: int) -> None:
        arguments = bytearray(struct.pack("=qQQ32x4040s", source, 0, 0, os.fsencode(target.name)))
        with_folder(target.parent, lambda held: fcntl.ioctl(held, SNAP_CREATE_V2, arguments))

    with_folder(volume, make)


def destroy(volume: Path) -> None:
    arguments = bytearray(struct.pack("=q4088s", 0, os.fsencode(volume.name)))
    with_folder(volume.parent, lambda held: fcntl.ioctl(held, SNAP_DESTROY, arguments))


def with_folder(path: Path, use: Callable[[int], object]) -> None:
    operation.with_opened(path, os.O_RDONLY | os.O_DIRECTORY, use)


def test_ioctls_of_btrfs(btrfs: Path, inside: Member, attach: rule.Attach) -> None:
    """They go round all names and directories: where anything of the filesystem is denied, they are as the disk beneath it."""
    volume = btrfs / "for-ioctls"
    subprocess.run(["btrfs", "-q", "subvolume", "create", volume], check=True)
    (volume / "open").mkdir()
    (volume / "secret").write_text("small secret")
    os.sync()
    number = (volume / "secret").stat().st_ino
    rows = ((search_tree, volume / "open", number), (snapshot, volume, btrfs / "copied"), (destroy, btrfs / "copied"))
    assert [inside.errno(*row) for row in rows] == [0, 0, 0]
    attach(rule.make(READ, rule.deny(volume / "secret", READ), default="allow"))
    snapshot(volume, btrfs / "copied")
    refused = [inside.errno(*row) for row in (rows[0], (snapshot, volume, btrfs / "again"), rows[2])]
    assert refused == [errno.EACCES] * 3


def test_whole_subvolume(btrfs: Path, inside: Member, attach: rule.Attach) -> None:
    subprocess.run(["btrfs", "-q", "subvolume", "create", btrfs / "whole"], check=True)
    (btrfs / "whole/file").write_text("")
    attach(rule.make(READ, rule.deny(btrfs / "whole", READ), default="allow"))
    assert inside.errno(read, btrfs / "whole/file") == errno.EACCES


def test_filesystem_gone(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """The rules of a filesystem end with it: the next one may have its device number."""
    with filesystem.mounted("none", tree / "first", "tmpfs") as first:
        (first / "file").write_text("")
        device = os.stat(first).st_dev
        attach(rule.make(READ, rule.deny(first / "file", READ), rule.deny(first, READ), default="allow"))
        assert inside.errno(read, first / "file") == errno.EACCES
        assert _keys() > 0
        before = _keys()
    deadline.until(lambda: _keys() < before, "its rules are gone")
    with filesystem.mounted("none", tree / "first", "tmpfs") as second:
        (second / "file").write_text("")
        assert os.stat(second).st_dev == device
        assert inside.errno(read, second / "file") == 0


def _keys() -> int:
    found = engine.find()
    assert found
    with found:
        return len(list(found.fsview.items()))


@pytest.fixture
def layers(ext4: Path, tree: Path) -> Iterator[Path]:
    """An overlay with files that are in the lower layer, in the upper one, and in both."""
    base = ext4 / tree.name
    for layer, names in (("lower", ("low", "both", "folder/low")), ("upper", ("up", "both", "folder/up"))):
        for name in names:
            (base / layer / name).parent.mkdir(parents=True, exist_ok=True)
            (base / layer / name).write_text("")
    with overlay(base):
        yield base


@pytest.mark.parametrize("name", ["low", "up", "both", "folder/low", "folder/up"])
@pytest.mark.parametrize("denied", ["file", "folder"])
def test_overlay(name: str, denied: str, layers: Path, inside: Member, attach: rule.Attach) -> None:
    """What the merged tree denies stays denied when it was copied up, and when it left the cache."""
    merged = layers / "merged"
    target = merged / name if denied == "file" else (merged / name).parent
    attach(rule.make(READ, rule.deny(target, READ), default="allow"))
    assert inside.errno(read, merged / name) == errno.EACCES
    (merged / name).write_text("copied up")
    assert inside.errno(read, merged / name) == errno.EACCES
    filesystem.drop_caches()
    assert inside.errno(read, merged / name) == errno.EACCES


def test_overlay_allows(layers: Path, inside: Member, attach: rule.Attach) -> None:
    """One access to an overlay is asked once: what it does to its own layers needs no rule."""
    merged = layers / "merged"
    attach(rule.make(action_table.ALL, rule.allow(merged, action_table.ALL)))
    for name in ("low", "up", "both", "folder/low", "folder/up"):
        assert inside.errno(operation.touch, merged / name, os.O_RDWR) == 0
    # And what is allowed there is not allowed where it really lies.
    for name in ("lower/low", "lower/folder/low", "upper/up"):
        assert inside.errno(read, layers / name) == errno.EACCES


def test_overlay_behind_a_mapping(ext4: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """What is asked of a mapping is asked of the file that was mapped: what stands behind it in a layer is on no way."""
    base, execute = ext4 / tree.name, Action.MAP_EXEC
    for layer in ("lower", "upper"):
        for name in ("secret", "open"):
            (base / layer / f"{layer}-{name}").mkdir(parents=True)
            (base / layer / f"{layer}-{name}/file").write_text("")
    with overlay(base) as merged:
        denials = [rule.deny(merged / f"{layer}-secret", execute) for layer in ("lower", "upper")]
        attach(rule.make(execute, *denials, default="allow"))
        for layer in ("lower", "upper"):
            assert inside.errno(further.mprotect_exec, merged / f"{layer}-secret") == errno.EACCES
            assert inside.errno(further.mprotect_exec, merged / f"{layer}-open") == 0


def test_denied_in_the_layer_itself(layers: Path, inside: Member, attach: rule.Attach) -> None:
    """A denied file of an overlay is denied where it really lies, too."""
    attach(rule.make(READ, *(rule.deny(layers / "merged" / name, READ) for name in ("low", "up")), default="allow"))
    assert inside.errno(read, layers / "lower/low") == errno.EACCES
    assert inside.errno(read, layers / "upper/up") == errno.EACCES
    assert inside.errno(read, layers / "lower/both") == 0


def test_directory_made_anew_elsewhere(layers: Path, inside: Member, attach: rule.Attach) -> None:
    """One may have the number, and the place in memory, of one that was removed: no remembered walk is taken for its."""
    merged = layers / "merged"
    for name in ("secret", "public"):
        (merged / name).mkdir()
    attach(rule.make(READ, rule.deny(merged / "secret", READ), default="allow"))
    for _ in range(10):
        for name, expected in (("public", 0), ("secret", errno.EACCES)):
            (merged / name / "made").mkdir()
            (merged / name / "made/file").write_text("")
            assert inside.errno(read, merged / name / "made/file") == expected
            (merged / name / "made/file").unlink()
            (merged / name / "made").rmdir()


def test_overlay_of_data_only_layers(ext4: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """As image stores make them: metadata in one layer, the data elsewhere and looked up late."""
    base = ext4 / tree.name
    for name in ("lower", "upper", "work", "merged", "data"):
        (base / name).mkdir(parents=True)
    (base / "lower/file").write_text("text")
    data = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work,metacopy=on,redirect_dir=on"
    with filesystem.mounted("none", base / "merged", "overlay", data=data) as merged:
        (merged / "file").chmod(0o600)
        (merged / "folder").mkdir()
        (merged / "file").rename(merged / "folder/secret")
    (base / "lower/file").rename(base / "data/file")
    data = f"lowerdir={base}/upper::{base}/data,metacopy=on,redirect_dir=on"
    with filesystem.mounted("none", base / "merged", "overlay", data=data) as merged:
        assert (merged / "folder/secret").read_text() == "text"
        attach(rule.make(READ, rule.deny(merged / "folder/secret", READ), default="allow"))
        for _ in range(2):
            assert inside.errno(read, merged / "folder/secret") == errno.EACCES
            filesystem.drop_caches()


def open_handle(mount: Path, handle: bytes) -> None:
    held = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.close(calls.open_by_handle_at(held, handle, os.O_RDONLY))
    finally:
        os.close(held)


def test_disconnected(ext4: Path, inside: Member, attach: rule.Attach, live: controller.Controller) -> None:
    """A file opened by handle has no known path once it has left the cache: denied, whatever is allowed."""
    path = ext4 / "handle" / "file"
    path.parent.mkdir()
    (ext4 / "elsewhere").mkdir()
    path.write_text("")
    handle = calls.name_to_handle_at(path)
    name = attach(rule.make(READ, rule.deny(ext4 / "elsewhere", READ), default="allow"))
    # The walk by name gives it a place.
    assert inside.errno(read, path) == 0
    assert inside.errno(open_handle, ext4, handle) == 0
    for _ in range(4):  # what was used a moment ago stays for a round
        filesystem.drop_caches()
    assert inside.errno(open_handle, ext4, handle) == errno.EACCES
    filesystem.drop_caches()
    live.detach(name)
    assert inside.errno(open_handle, ext4, handle) == 0
