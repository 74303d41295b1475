# SPDX-License-Identifier: GPL-2.0-only
"""Events: each denial once, with who, what, where, and the rule that decided."""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import file_call
import operation
import pytest
import rule
from member import Member

from landlock_bpf import action_table, cli, controller, engine, events
from landlock_bpf.abi import Action


@pytest.fixture
def denials(live: controller.Controller) -> Callable[[], list[events.Denial]]:
    """Read the denials that wait; those of before the test are dropped."""
    for _ in events.read(follow=False):
        pass
    return lambda: list(events.read(follow=False))


@dataclasses.dataclass(frozen=True)
class Row:
    """An operation that is denied as a whole: the actions, paths and hook that are reported."""

    run: Callable[[Path], None]
    action: Action
    hook: str
    path: str
    path2: str = ""
    error: str = "EACCES"


ROWS = (
    Row(operation.read, Action.READ_FILE, "file_open", "file"),
    Row(operation.update, Action.READ_FILE | Action.WRITE_FILE, "file_open", "file"),
    Row(operation.execute, Action.EXECUTE, "file_open", "program"),
    Row(operation.read_dir, Action.READ_DIR, "file_open", ""),
    Row(operation.unlink, Action.REMOVE_FILE, "path_unlink", "file"),
    Row(operation.rmdir, Action.REMOVE_DIR, "path_rmdir", "folder"),
    Row(operation.make_dir, Action.MAKE_DIR, "path_mkdir", "new"),
    Row(operation.make_fifo, Action.MAKE_FIFO, "path_mknod", "new"),
    Row(operation.bind, Action.MAKE_SOCK, "path_mknod", "new"),
    Row(operation.make_sym, Action.MAKE_SYM, "path_symlink", "new"),
    Row(operation.truncate, Action.TRUNCATE, "path_truncate", "file"),
    Row(operation.link, Action.MAKE_REG, "path_link", "file", "new"),
    Row(operation.rename, Action.REMOVE_FILE | Action.MAKE_REG, "path_rename", "file", "new"),
    Row(operation.rename_across, Action.REFER, "path_rename", "file", "other/new", error="EXDEV"),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.run.__name__)
def test_denied_by_a_rule(
    row: Row, tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]]
) -> None:
    folder = operation.populate(tree / "folder", program=True)
    denial = rule.deny(folder, row.action)
    handled = row.action | Action.REFER
    refer = rule.allow(tree, Action.REFER)
    allowed = (rule.allow("/", row.action), *(() if row.action == Action.REFER else (refer,)))
    name = attach(rule.make(handled, *allowed, denial, name="of the test"))
    # execute(2) is done by a child.
    assert inside.errno(row.run, folder) == getattr(errno, row.error)
    (seen,) = [each for each in denials() if each.domain == name]
    assert abs(seen.time - time.time()) < 60
    assert seen == events.Denial(
        time=seen.time,
        domain=name,
        layer=0,
        policy_name="of the test",
        action=seen.action,
        hook=row.hook,
        error=row.error,
        pid=seen.pid if row.run is operation.execute else inside.pid,
        tid=seen.tid if row.run is operation.execute else inside.pid,
        uid=os.getuid(),
        comm=Path("/proc/self/comm").read_text().rstrip("\n"),
        path=str(folder / row.path),
        path2=str(folder / row.path2) if row.path2 else "",
        reason="rule",
        rule=denial.location,
        rule_path=str(folder),
    )
    assert seen.action & row.action
    assert not seen.action & ~row.action


def in_a_thread(path: Path) -> int:
    """Read in another thread, and give its id."""
    ids: list[int] = []

    def work() -> None:
        ids.append(threading.get_native_id())
        try:
            operation.touch(path, os.O_RDONLY)
        except PermissionError:
            ids.append(0)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ids.pop() == 0
    return ids[0]


def test_threads(tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]]) -> None:
    (tree / "file").write_text("")
    attach(rule.make(Action.READ_FILE))
    tid = inside.ask(in_a_thread, tree / "file")
    (seen,) = denials()
    assert (seen.pid, seen.tid) == (inside.pid, tid)
    assert tid != inside.pid
    assert (seen.reason, seen.rule, seen.policy_name) == ("no_rule", None, "test")


def become(uid: int) -> None:
    os.setresuid(uid, uid, uid)


def test_who_and_which_layer(
    tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]]
) -> None:
    """Names that are odd, a user that is not root, and the second of two policies."""
    path = tree / "file\n\x1b[31m \N{SNOWMAN}"
    path.write_text("")
    path.chmod(0o644)
    for folder in (tree, *tree.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    denial = rule.deny(path, Action.READ_FILE)
    name = attach(
        rule.make(Action.READ_FILE, default="allow", name="first"),
        rule.make(Action.READ_FILE, denial, default="allow", name="second"),
    )
    inside.ask(become, 1000)
    assert inside.errno(operation.touch, path, os.O_RDONLY) == errno.EACCES
    (seen,) = [each for each in denials() if each.domain == name]
    assert (seen.uid, seen.layer, seen.policy_name, seen.rule) == (1000, 1, "second", denial.location)
    assert seen.path == str(tree) + "/" + r"file\n\x1b[31m " + "\N{SNOWMAN}"
    assert events.format_text(seen).isprintable()
    told = json.loads(events.format_json(seen))
    assert (told["path"], told["action"], told["error"]) == (seen.path, ["read_file"], "EACCES")
    assert told["rule"] == dataclasses.asdict(denial.location)


def test_sealed_and_mounts(tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]]) -> None:
    (tree / "outer").mkdir()
    (tree / "outer/secret").write_text("")
    denial = rule.deny(tree / "outer/secret", Action.READ_FILE)
    attach(rule.make(Action.READ_FILE, denial, default="allow"))
    assert inside.errno(os.rename, tree / "outer", tree / "moved") == errno.EACCES
    assert inside.errno(os.unlink, tree / "outer/secret") == errno.EACCES
    renamed, removed = denials()
    for seen, hook in ((renamed, "path_rename"), (removed, "path_unlink")):
        assert (seen.reason, seen.hook, seen.rule, seen.rule_path) == ("sealed", hook, denial.location, denial.path)
    assert (renamed.path, renamed.path2) == (str(tree / "outer"), str(tree / "moved"))


def test_refused_at_open(tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]]) -> None:
    """What was refused when a file was opened is reported when it is done, with the rule of the layer that refused it."""
    folder = operation.populate(tree / "folder")
    denial = rule.deny(folder, Action.TRUNCATE)
    attach(
        rule.make(Action.TRUNCATE, rule.allow("/", Action.TRUNCATE), name="first"),
        rule.make(Action.TRUNCATE, denial, default="allow", name="second"),
    )
    assert inside.errno(operation.truncate_opened, folder) == errno.EACCES
    (seen,) = denials()
    assert (seen.hook, seen.reason, seen.action) == ("file_truncate", "opened", Action.TRUNCATE)
    assert (seen.layer, seen.policy_name, seen.rule) == (1, "second", denial.location)
    assert seen.path == str(folder / "file")


def command_ia32(path: Path, number: int) -> None:
    operation.with_opened(path, os.O_RDONLY, lambda fd: file_call.ioctl_ia32(fd, number))


# include/uapi/asm-generic/ioctls.h and linux/fs.h
FIONREAD, FIGETBSZ, TIOCSTI = 0x541B, 0x2, 0x5412


def test_the_command_of_an_ioctl(
    tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]]
) -> None:
    """Which one it was, and the rule on that one; of 32-bit programs and of files that were opened before, too."""
    (tree / "file").write_text("")
    device = tree / "random"
    os.mknod(device, 0o600 | 0o020000, os.makedev(1, 8))
    unread = rule.deny(tree, Action.IOCTL, commands=(FIONREAD,))
    size = rule.deny(tree, Action.IOCTL, commands=(FIGETBSZ,))
    at_open = rule.deny(device, Action.IOCTL_DEV)
    attach(rule.make(Action.IOCTL | Action.IOCTL_DEV, size, unread, at_open, default="allow"))
    command, entropy = operation.command, operation.RNDGETENTCNT
    tries = (
        (command, "file", FIONREAD, unread.location, "file_ioctl", "ioctl(FIONREAD)"),
        (command, "file", FIGETBSZ, size.location, "file_ioctl", "ioctl(FIGETBSZ)"),
        (command_ia32, "file", FIONREAD, unread.location, "file_ioctl_compat", "ioctl(FIONREAD)"),
        (command, "random", entropy, at_open.location, "file_ioctl", f"ioctl_dev({entropy:#x})"),
    )
    for act, name, number, where, hook, what in tries:
        assert inside.errno(act, tree / name, number) == errno.EACCES
        (seen,) = denials()
        assert (seen.command, seen.rule, seen.hook) == (number, where, hook)
        assert f" DENIED EACCES {what} {tree / name} " in events.format_text(seen)
        assert json.loads(events.format_json(seen))["command"] == number
    # What every domain refuses.
    assert inside.errno(command, tree / "file", TIOCSTI) == errno.EPERM
    (seen,) = denials()
    assert (seen.command, seen.reason) == (TIOCSTI, "domain")
    assert " DENIED EPERM file_ioctl(TIOCSTI) " in events.format_text(seen)


@pytest.mark.parametrize("name", ["key.pem", "later", "in\n\x1b", "\udcff.raw"], ids=["pattern", "missing", "control", "raw"])
def test_the_rule_on_the_second_name(
    name: str, tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]]
) -> None:
    """Nothing may get a denied name, and which rule denies it is told, though that is the second path."""
    (tree / "a.txt").write_text("")
    read = Action.READ_FILE
    pattern = rule.deny(tree, read, "*.pem")
    missing = [rule.deny(tree / each, read) for each in ("later", "in\n\x1b", "\udcff.raw")]
    attach(rule.make(read, pattern, *missing, default="allow"))
    (denial,) = [each for each in (pattern, *missing) if each.path == str(tree / name)] or [pattern]
    for act in (os.rename, os.link):
        assert inside.errno(act, tree / "a.txt", tree / name) == errno.EACCES
        (seen,) = denials()
        assert (seen.reason, seen.rule) == ("sealed", denial.location)
        assert seen.rule_path == (f"{tree}/**/*.pem" if denial is pattern else denial.path)
    os.rename(tree / "a.txt", tree / name)
    assert inside.errno(operation.touch, tree / name, os.O_RDONLY) == errno.EACCES
    (seen,) = denials()
    assert (seen.reason, seen.rule) == ("named", denial.location)


def test_the_rule_on_a_path_that_is_cut(
    tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]]
) -> None:
    (tree / "later").mkdir()
    denial = rule.deny(tree, Action.READ_FILE, "*.pem")
    long = tree
    attach(rule.make(Action.READ_FILE, denial, default="allow"))
    deep = os.open(tree, os.O_RDONLY)
    for _ in range(20):  # no system call takes the whole path
        os.mkdir("d" * 250, dir_fd=deep)
        inner = os.open("d" * 250, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep, long = inner, long / ("d" * 250)
    os.close(os.open("key.pem", os.O_WRONLY | os.O_CREAT, dir_fd=deep))
    os.close(deep)
    assert len(bytes(long)) > 4096
    assert inside.errno(read_down, tree, 20) == errno.EACCES
    (seen,) = denials()
    assert seen.path.startswith("...") and seen.path.endswith("/key.pem")
    assert (seen.reason, seen.rule) == ("named", denial.location)


def read_down(top: Path, depth: int) -> None:
    """Open a file so deep that its path is longer than a system call takes."""
    os.chdir(top)
    for _ in range(depth):
        os.chdir("d" * 250)
    os.close(os.open("key.pem", os.O_RDONLY))


def test_of_one_domain(
    tree: Path,
    inside: Member,
    attach: rule.Attach,
    denials: Callable[[], list[events.Denial]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A name that no domain has is refused, and nothing is read; one that ended has its denials yet."""
    (tree / "file").write_text("")
    name = attach(rule.make(Action.READ_FILE))
    assert inside.errno(operation.touch, tree / "file", os.O_RDONLY) == errno.EACCES
    assert cli.main(["events", f"{name}-not", "--no-follow"]) == 1
    told = capsys.readouterr()
    assert (told.out, f"there is no domain {name}-not" in told.err) == ("", True)
    with controller.Controller.open() as live:
        live.detach(name)
    assert cli.main(["events", name, "--no-follow"]) == 0
    assert f" domain={name} layer=0 " in capsys.readouterr().out


def _lost() -> int:
    found = engine.find()
    assert found
    with found:
        return int(found.state.lost)


def many(path: Path, count: int) -> int:
    """Be denied so many times."""
    denied = 0
    for _ in range(count):
        try:
            os.open(path, os.O_RDONLY)
        except PermissionError:
            denied += 1
    return denied


def test_lost_ones_are_counted(
    tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]], live: controller.Controller
) -> None:
    """Nobody waits for a reader: what finds no room is denied all the same, and counted."""
    (tree / "file").write_text("")
    name = attach(rule.make(action_table.ALL))
    before, tried = _lost(), 0
    while _lost() == before:
        assert inside.ask(many, tree / "file", 250) == 250
        tried += 250
        assert tried < 20_000
    seen = denials()
    assert len(seen) + _lost() - before == tried
    assert live.show(name).lost == _lost() - before
    # There is room again.
    assert inside.ask(many, tree / "file", 1) == 1
    assert len(denials()) == 1


def test_permissive(
    tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]], live: controller.Controller
) -> None:
    """What would be denied is done and reported; a layer that denies does so all the same."""
    folder = operation.populate(tree / "folder")
    read = Action.READ_FILE
    soft = rule.deny(folder / "file", read)
    name = attach(rule.make(read, soft, default="allow", permissive=True), rule.make(read, rule.allow("/", read)))
    assert inside.errno(operation.read, folder) == 0
    (seen,) = denials()
    assert (seen.verdict, seen.error, seen.rule, seen.layer) == ("would be denied", "EACCES", soft.location, 0)
    assert " WOULD BE DENIED EACCES read_file " in events.format_text(seen)
    assert json.loads(events.format_json(seen))["verdict"] == "would be denied"
    hard = rule.make(read, rule.deny(folder, read), default="allow")
    live.update(name, [rule.make(read, soft, default="allow", permissive=True), hard])
    assert inside.errno(operation.read, folder) == errno.EACCES
    assert [each.verdict for each in denials() if each.rule == hard.rules[0].location] == ["denied"]
    assert [layer.permissive for layer in live.show(name).policies] == [True, False]


def mount(folder: Path) -> None:
    """Mount and unmount something."""
    libc = ctypes.CDLL(None, use_errno=True)
    operation.check(libc.mount(b"none", bytes(folder / "folder"), b"tmpfs", 0, None))
    operation.check(libc.umount(bytes(folder / "folder")))


PERMITTED = (operation.unlink, operation.rename_across, operation.truncate_opened, operation.create, mount)


@pytest.mark.parametrize("tried", PERMITTED, ids=lambda tried: tried.__name__)
def test_permissive_lets_everything_pass(
    tried: Callable[[Path], None], tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]]
) -> None:
    folder = operation.populate(tree / "folder")
    attach(rule.make(action_table.ALL | action_table.WITHHELD, permissive=True))
    assert inside.errno(tried, folder) == 0
    seen = denials()
    assert seen and {each.verdict for each in seen} == {"would be denied"}


def test_no_more_than_the_rate(
    tree: Path, inside: Member, attach: rule.Attach, denials: Callable[[], list[events.Denial]], live: controller.Controller
) -> None:
    """What comes too often is denied all the same, and counted; the next one that is reported tells."""
    (tree / "file").write_text("")
    name = attach(rule.make(Action.READ_FILE))
    live.limit_events(5)
    try:
        assert inside.ask(many, tree / "file", 50) == 50
        seen = denials()
        assert 5 <= len(seen) < 50
        assert sum(each.dropped for each in seen) + live.dropped()[name] == 50 - len(seen)
        assert live.show(name).lost == 50 - len(seen)
        live.limit_events(0)
        assert inside.ask(many, tree / "file", 2) == 2
        first, second = denials()
        assert (first.dropped > 0, second.dropped, live.dropped()) == (True, 0, {})
    finally:
        live.limit_events(0)
