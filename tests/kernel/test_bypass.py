# SPDX-License-Identifier: GPL-2.0-only
"""Tricks of docs/BYPASS.md that have no test elsewhere: each works without a policy, and is refused under one."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import stat
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import filesystem
import operation
import pytest
import rule
import trick
from member import Member

from landlock_bpf import action_table, ioctl_commands
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls


def _open(path: Path | str, flags: int = os.O_RDONLY) -> None:
    os.close(os.open(path, flags))


@pytest.fixture
def top() -> Iterator[Path]:
    """Hold the two folders on a tmpfs of their own, at a path that every user reaches."""
    place = Path("/run/landlock-bpf-bypass")
    with filesystem.mounted("none", place, "tmpfs", data="mode=755"):
        yield trick.populate(place)
    place.rmdir()


def test_tricks(top: Path, cgroup: Path, attach: rule.Attach) -> None:
    """One member and one domain for all rows."""
    outcomes: dict[str, int] = {}
    with Member(cgroup) as free:
        for act, _ in trick.TRICKS:
            outcomes[act.__name__] = free.errno(act, top)
            trick.clear(top)
    assert outcomes == {act.__name__: 0 for act, _ in trick.TRICKS}
    # Links across directories are not denied as such: they must be refused for what the file would gain.
    denied = rule.deny(top / "secret", action_table.ALL & ~Action.REFER)
    attach(rule.make(action_table.ALL, rule.allow("/", action_table.ALL), denied))
    with Member(cgroup) as bound:
        outcomes = {act.__name__: bound.errno(act, top) for act, _ in trick.TRICKS}
        assert outcomes == {act.__name__: expected for act, expected in trick.TRICKS}
        assert bound.errno(_open, top / "open/script") == 0


def test_mounts_made_later(top: Path, inside: Member, attach: rule.Attach) -> None:
    """A bind mount that somebody outside makes after the policy, of the denied folder and of one beneath it."""
    attach(rule.make(Action.READ_FILE, rule.deny(top / "secret", Action.READ_FILE), default="allow"))
    for source, name in (("secret", "bound"), ("secret/inner", "bound-inner"), ("open", "bound-open")):
        (top / name).mkdir()
        calls.mount(top / source, top / name, flags=calls.MS_BIND)
    try:
        assert inside.errno(_open, top / "bound/file") == errno.EACCES
        assert inside.errno(_open, top / "bound-inner/file") == errno.EACCES
        assert inside.errno(_open, top / "bound-open/script") == 0
    finally:
        for name in ("bound", "bound-inner", "bound-open"):
            calls.umount(top / name)


def test_second_mount(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """The same filesystem mounted once more, from its device, before and after."""
    with filesystem.image("ext4", tree, megabytes=16) as first:
        for name in ("secret", "open"):
            (first / name).mkdir()
            (first / name / "file").write_text("text")
        device = subprocess.run(["findmnt", "-no", "SOURCE", first], check=True, capture_output=True, text=True).stdout.strip()
        with filesystem.mounted(device, tree / "before", "ext4") as before:
            attach(rule.make(Action.READ_FILE, rule.deny(first / "secret", Action.READ_FILE), default="allow"))
            with filesystem.mounted(device, tree / "after", "ext4") as after:
                for place in (first, before, after):
                    assert inside.errno(_open, place / "secret/file") == errno.EACCES
                    assert inside.errno(_open, place / "open/file") == 0


def test_caches_dropped(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """What left the cache of inodes and comes back is the same object."""
    with filesystem.image("ext4", tree, megabytes=16) as place:
        for name in ("secret/inner", "open"):
            (place / name).mkdir(parents=True)
            (place / name / "file").write_text("text")
        attach(rule.make(Action.READ_FILE, rule.deny(place / "secret", Action.READ_FILE), default="allow"))
        for _ in range(3):
            filesystem.drop_caches()
            assert inside.errno(_open, place / "secret/inner/file") == errno.EACCES
            assert inside.errno(_open, place / "open/file") == 0


_held: dict[str, int] = {}


def hold(path: Path) -> None:
    _held["file"] = os.open(path, os.O_RDONLY)


def fchmod() -> None:
    os.fchmod(_held["file"], 0o600)


def fchown() -> None:
    os.fchown(_held["file"], 0, 0)


def futimens() -> None:
    os.utime(_held["file"], (1, 1))


def fsetxattr() -> None:
    os.setxattr(_held["file"], "user.new", b"1")


def fgetxattr() -> None:
    os.getxattr(_held["file"], "user.here")


def flistxattr() -> None:
    os.listxattr(_held["file"])


def fremovexattr() -> None:
    os.removexattr(_held["file"], "user.new")


def chmod_by_proc() -> None:
    os.chmod(f"/proc/self/fd/{_held['file']}", 0o600)


def fstat() -> None:
    os.fstat(_held["file"])


def chdir_by_descriptor() -> None:
    os.fchdir(_held["folder"])
    os.chdir("/")


def hold_folder(path: Path) -> None:
    _held["folder"] = os.open(path, os.O_RDONLY)


BY_DESCRIPTOR = (
    fchmod, fchown, futimens, fsetxattr, fgetxattr, flistxattr, fremovexattr, chmod_by_proc, fstat, chdir_by_descriptor,
)  # fmt: skip


def test_metadata_by_descriptor(top: Path, inside: Member, attach: rule.Attach) -> None:
    """What is asked of metadata is asked at each call: a descriptor from before is no way round."""
    inside.ask(hold, top / "secret/file")
    inside.ask(hold_folder, top / "secret/inner")
    assert {act.__name__: inside.errno(act) for act in BY_DESCRIPTOR} == {act.__name__: 0 for act in BY_DESCRIPTOR}
    denied = Action(sum(row.action for row in action_table.ACTIONS if row.group in ("read_metadata", "write_metadata")))
    denied |= Action.CHDIR
    attach(rule.make(denied, rule.deny(top / "secret", denied), default="allow"))
    assert {act.__name__: inside.errno(act) for act in BY_DESCRIPTOR} == {act.__name__: errno.EACCES for act in BY_DESCRIPTOR}


WRITES = ("pwrite", "ftruncate", "fallocate", "copy_file_range", "sendfile")


def write_by(way: str, path: Path) -> None:
    """Write to a file that may be read only, each in its way."""
    with open(path, "rb", buffering=0) as target, open("/bin/busybox", "rb") as source:
        number = target.fileno()
        if way == "pwrite":
            os.pwrite(number, b"1", 0)
        elif way == "ftruncate":
            os.ftruncate(number, 0)
        elif way == "fallocate":
            os.posix_fallocate(number, 0, 1)
        elif way == "copy_file_range":
            os.copy_file_range(source.fileno(), number, 1)
        else:
            os.sendfile(number, source.fileno(), 0, 1)


def test_writing_needs_the_right_to_open(top: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rule.make(Action.WRITE_FILE, rule.deny(top / "secret", Action.WRITE_FILE), default="allow"))
    assert inside.errno(_open, top / "secret/file", os.O_RDWR) == errno.EACCES
    assert inside.errno(_open, top / "open/script", os.O_RDWR) == 0
    for way in WRITES:
        assert inside.errno(write_by, way, top / "secret/file") in (errno.EBADF, errno.EINVAL), way
    assert (top / "secret/file").read_text() == "text"


BLOCK = 4096


def clone(command: str, source: Path, target: Path, reading: int = os.O_RDONLY, writing: int = os.O_WRONLY) -> None:
    """Have a file share what is in another one."""
    given = os.open(source, reading)
    try:
        taken = os.open(target, writing)
        try:
            whole = struct.pack("=qQQQ", given, 0, 0, 0)
            fcntl.ioctl(taken, *ioctl_commands.COMMANDS[command], whole if command == "FICLONERANGE" else given)
        finally:
            os.close(taken)
    finally:
        os.close(given)


def test_clones(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """A clone takes the right to read the one file and to write the other, at open."""
    with filesystem.image("btrfs", tree) as place:
        unread, unwritten, other, copy = (place / name for name in ("unread", "unwritten", "other", "copy"))
        commands = ("FICLONE", "FICLONERANGE")

        def fill() -> None:
            for path in (unread, unwritten, other, copy):
                path.write_text(path.name.ljust(BLOCK))

        for command in commands:
            fill()
            assert inside.errno(clone, command, unread, copy) == 0
            assert inside.errno(clone, command, other, unwritten) == 0
            assert (copy.read_text().strip(), unwritten.read_text().strip()) == ("unread", "other")
        fill()
        denied = rule.deny(unread, Action.READ_FILE), rule.deny(unwritten, Action.WRITE_FILE)
        attach(rule.make(Action.READ_FILE | Action.WRITE_FILE, *denied, default="allow"))
        for command in commands:
            assert inside.errno(clone, command, unread, copy) == errno.EACCES
            assert inside.errno(clone, command, other, unwritten) == errno.EACCES
            assert inside.errno(clone, command, unread, copy, os.O_WRONLY) == errno.EBADF
            assert inside.errno(clone, command, other, unwritten, os.O_RDONLY, os.O_RDONLY) == errno.EBADF
            assert (copy.read_text().strip(), unwritten.read_text().strip()) == ("copy", "unwritten")
        for command in commands:
            assert inside.errno(clone, command, other, copy) == 0


def hold_mapping(path: Path) -> None:
    hold(path)
    _held["mapping"] = calls.map_file(_held["file"], mmap.PROT_READ)


def map_as_code() -> None:
    calls.map_file(_held["file"], mmap.PROT_READ | mmap.PROT_EXEC)


def protect_as_code() -> None:
    for protection in (mmap.PROT_READ | mmap.PROT_EXEC, mmap.PROT_READ):
        calls.check(calls.libc.mprotect(ctypes.c_void_p(_held["mapping"]), ctypes.c_size_t(mmap.PAGESIZE), protection))


AS_CODE = (map_as_code, protect_as_code)


def test_code_from_before(top: Path, inside: Member, attach: rule.Attach) -> None:
    """What was opened and mapped before is made code no more."""
    inside.ask(hold_mapping, top / "secret/file")
    assert [inside.errno(act) for act in AS_CODE] == [0, 0]
    attach(rule.make(Action.MAP_EXEC, rule.deny(top / "secret", Action.MAP_EXEC), default="allow"))
    assert [inside.errno(act) for act in AS_CODE] == [errno.EACCES] * 2
    inside.ask(hold_mapping, top / "open/script")
    assert [inside.errno(act) for act in AS_CODE] == [0, 0]


def test_names(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """A denial of what is not there yet holds once others make it, at any depth; who is bound cannot make it."""
    (tree / "there").mkdir()
    attach(rule.make(Action.READ_FILE, rule.deny(tree / "there/later/key", Action.READ_FILE), default="allow"))
    assert inside.errno(os.mkdir, tree / "there/later") == 0
    assert inside.errno(operation.touch, tree / "there/later/key", os.O_WRONLY | os.O_CREAT) == errno.EACCES
    (tree / "there/later/other").write_text("")
    assert inside.errno(os.rename, tree / "there/later/other", tree / "there/later/key") == errno.EACCES
    assert inside.errno(os.link, tree / "there/later/other", tree / "there/later/key") == errno.EACCES
    (tree / "there/later/key").write_text("")
    assert inside.errno(_open, tree / "there/later/key") == errno.EACCES
    assert inside.errno(_open, tree / "there/later/other") == 0
    for name in ("later/key", "later"):
        assert inside.errno(os.rename, tree / "there" / name, tree / "there/else") == errno.EACCES
    (tree / "there/later/key").unlink()
    (tree / "there/later/key").write_text("again")
    assert inside.errno(_open, tree / "there/later/key") == errno.EACCES


def test_patterns(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """Names beneath a tree, at any depth, whoever makes them; neither a rename nor a link makes another name of one."""
    (tree / "a/b").mkdir(parents=True)
    attach(rule.make(Action.READ_FILE, rule.deny(tree, Action.READ_FILE, "*.pem", ".env"), default="allow"))
    for name in ("a/b/key.pem", "a/.env", "a/b/pem", "a/b/.envrc"):
        (tree / name).write_text("")
        denied = name in ("a/b/key.pem", "a/.env")
        assert inside.errno(_open, tree / name) == (errno.EACCES if denied else 0), name
        assert inside.errno(os.link, tree / name, tree / "a/link") == (errno.EACCES if denied else 0), name
        (tree / "a/link").unlink(missing_ok=True)
        assert inside.errno(os.rename, tree / name, tree / "a/renamed") == (errno.EACCES if denied else 0), name
    assert inside.errno(operation.touch, tree / "a/new.pem", os.O_WRONLY | os.O_CREAT) == errno.EACCES


def test_a_directory_stays_in_the_tree_of_a_pattern(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """Elsewhere its files would have no pattern above them."""
    for name in ("tree/folder", "tree/inner", "else"):
        (tree / name).mkdir(parents=True)
    (tree / "tree/folder/key.pem").write_text("")
    attach(rule.make(Action.READ_FILE, rule.deny(tree / "tree", Action.READ_FILE, "*.pem"), default="allow"))
    assert inside.errno(os.rename, tree / "tree/folder", tree / "else/folder") == errno.EXDEV
    assert inside.errno(os.rename, tree / "tree/folder", tree / "tree/inner/folder") == 0
    assert inside.errno(_open, tree / "tree/inner/folder/key.pem") == errno.EACCES


def test_block_devices(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """What a filesystem denies is on its device as well; any device's node will do, wherever it is made."""
    with filesystem.image("ext4", tree, megabytes=16) as place:
        device = subprocess.run(["findmnt", "-no", "SOURCE", place], check=True, capture_output=True, text=True).stdout.strip()
        os.mknod(tree / "node", 0o600 | stat.S_IFBLK, os.stat(device).st_rdev)
        (place / "secret").write_text("text")
        assert inside.errno(_open, device) == 0
        attach(rule.make(Action.READ_FILE, rule.deny(place / "secret", Action.READ_FILE), default="allow"))
        assert inside.errno(_open, device) == errno.EACCES
        assert inside.errno(_open, tree / "node") == errno.EACCES


# The device mapper's control, a SCSI disk's other face, a raw device: include/uapi/linux/major.h, drivers/md/dm-ioctl.c.
REACH_DISKS = ((10, 236), (21, 0), (162, 0))


def test_character_devices_that_reach_disks(tree: Path, inside: Member, attach: rule.Attach) -> None:
    """They are refused before any driver is asked, whether there is one or not."""
    nodes = [tree / f"{major}-{minor}" for major, minor in (*REACH_DISKS, (1, 5))]
    for node in nodes:
        os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(*map(int, node.name.split("-"))))
    before = [inside.errno(_open, node) for node in nodes]
    assert errno.EACCES not in before
    attach(rule.make(Action.READ_FILE, rule.deny(tree / "secret", Action.READ_FILE), default="allow"))
    assert [inside.errno(_open, node) for node in nodes] == [errno.EACCES] * 3 + [0]


@pytest.mark.parametrize("denied", [Action.READ_FILE, Action.WRITE_FILE])
def test_opened_for_commands_alone(denied: Action, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """Access mode 3 gives neither to read nor to write, but the length, and commands of devices."""
    for name in ("denied", "other"):
        (tree / name).write_text("")
    attach(rule.make(denied, rule.deny(tree / "denied", denied), default="allow"))
    assert inside.errno(os.open, tree / "denied", os.O_ACCMODE) == errno.EACCES
    assert inside.errno(os.open, tree / "other", os.O_ACCMODE) == 0
