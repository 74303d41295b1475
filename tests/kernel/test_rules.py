# SPDX-License-Identifier: GPL-2.0-only
"""The course in rule programs: each rule is put in force with `landlock-bpf`, and does what its head says."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import json
import mmap
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import lesson
import pytest
from member import Member

ROOT = Path(__file__).parents[2]
RULES = ROOT / "policies" / "rules"
COMMAND = (sys.executable, "-m", "landlock_bpf")
# Without the packages of this checkout, which a rule may hide.
PYTHON = ("/usr/bin/python3", "-I", "-S", "-B", "-c", Path(lesson.__file__).read_text())
NO = errno.EPERM
F_NOTIFY_CREATE = 4

TIMEOUT = 300.0  # a first `run` compiles and loads much, on a slow emulated processor
LOADERS = pytest.mark.parametrize("loader", ["libbpf", "bcc"])


@dataclasses.dataclass(frozen=True)
class Try:
    """What is tried, with TREE for the folder of the trial; `errno` under the rule, 0 for what stays allowed.

    Without the rule all succeeds, or gives `otherwise`.
    """

    verb: str
    arguments: tuple[object, ...] = ()
    errno: int = 0
    otherwise: int = 0

    def words(self, tree: Path) -> list[object]:
        return [self.verb, *(each.replace("TREE", str(tree)) if isinstance(each, str) else each for each in self.arguments)]


def allowed(verb: str, *arguments: object) -> Try:
    return Try(verb, arguments)


def denied(verb: str, *arguments: object, otherwise: int = 0) -> Try:
    return Try(verb, arguments, NO, otherwise)


READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE
TRIES: dict[str, tuple[Try, ...]] = {
    "read-only": (
        allowed("read", "TREE/file"),
        allowed("listdir", "TREE"),
        allowed("chdir", "TREE/folder"),
        allowed("stat", "TREE/file"),
        allowed("readlink", "TREE/link"),
        allowed("statvfs", "TREE"),
        allowed("execute", "/usr/bin/true"),
        allowed("map_shared", "TREE/file", mmap.PROT_READ),
        allowed("write", "/dev/null"),
        allowed("write", "TREE/fifo"),
        allowed("chmod", "TREE/fifo"),
        allowed("write_pipe"),
        allowed("send"),
        allowed("lock", "TREE/file", fcntl.LOCK_EX),
        allowed("command", "TREE/file", lesson.FIGETBSZ),
        allowed("control", "TREE/file", fcntl.F_GETFL, 0),
        allowed("read_stdin"),
        denied("write_stdin"),
        denied("write_socket"),
        denied("write", "TREE/file"),
        denied("create", "TREE/new"),
        denied("mkdir", "TREE/new1"),
        denied("mkfifo", "TREE/new2"),
        denied("symlink", "file", "TREE/new3"),
        denied("link", "TREE/file", "TREE/new4"),
        denied("chmod", "TREE/file"),
        denied("utime", "TREE/file"),
        denied("truncate", "TREE/file", 1),
        denied("map_shared", "TREE/file", READ_WRITE),
        denied("rename", "TREE/file", "TREE/folder/file"),
        denied("unlink", "TREE/other"),
        denied("rmdir", "TREE/empty"),
    ),
    "no-block-devices": (
        denied("stat", "TREE/disk"),
        denied("read", "TREE/disk", otherwise=errno.ENXIO),
        denied("chmod", "TREE/disk"),
        denied("rename", "TREE/disk", "TREE/disk2"),
        denied("unlink", "TREE/disk", otherwise=errno.ENOENT),
        allowed("make_block", "TREE/new"),
        allowed("stat", "/dev/null"),
        allowed("write", "/dev/null"),
        allowed("create", "TREE/new2"),
        allowed("write", "TREE/file"),
        allowed("unlink", "TREE/file"),
    ),
    "ioctl-list": (
        denied("command", "TREE/file", lesson.FIGETBSZ),
        denied("command", "TREE", lesson.FIGETBSZ),
        Try("command", ("/dev/null", 0x5401), errno.ENOTTY, errno.ENOTTY),  # TCGETS: on the list
        Try("command", ("/dev/null", 0x5412), NO, errno.ENOTTY),  # TIOCSTI
        allowed("write", "TREE/file"),
        allowed("lock", "TREE/file", fcntl.LOCK_EX),
        allowed("control", "TREE/file", fcntl.F_GETFL, 0),
    ),
    "lock-and-fcntl": (
        allowed("lock", "TREE/file", fcntl.LOCK_SH),
        denied("lock", "TREE/other", fcntl.LOCK_EX),
        allowed("lock", "TREE/other", fcntl.LOCK_UN),
        allowed("lock_range", "TREE/file", fcntl.F_RDLCK),
        denied("lock_range", "TREE/file", fcntl.F_WRLCK),
        allowed("lock_range", "TREE/file", fcntl.F_UNLCK),
        allowed("control", "TREE/file", fcntl.F_GETFL, 0),
        allowed("control", "TREE/file", fcntl.F_SETFL, os.O_NONBLOCK),
        allowed("control", "TREE/other", fcntl.F_DUPFD, 0),
        denied("control", "TREE/empty", fcntl.F_NOTIFY, F_NOTIFY_CREATE),
        denied("control", "TREE/other", fcntl.F_SETOWN, 1),
        denied("control", "TREE/home/notes", fcntl.F_SETLEASE, fcntl.F_RDLCK),
        allowed("command", "TREE/file", lesson.FIGETBSZ),
        allowed("write", "TREE/file"),
    ),
    "fsview": (
        # TREE is on the way to both trees, and neither it nor what lies in it beside them is marked.
        allowed("chdir", "TREE"),
        allowed("stat", "TREE"),
        denied("listdir", "TREE"),
        denied("listdir", "/"),
        denied("read", "TREE/file"),
        denied("stat", "TREE/file"),
        denied("write", "TREE/file"),
        denied("chdir", "TREE/folder"),
        denied("create", "TREE/new"),
        denied("read", "/etc/passwd"),
        # home is read-only, home/Pictures is not.
        allowed("listdir", "TREE/home"),
        allowed("chdir", "TREE/home"),
        allowed("read", "TREE/home/notes"),
        allowed("stat", "TREE/home/notes"),
        allowed("execute", "/usr/bin/true"),
        denied("write", "TREE/home/notes"),
        denied("chmod", "TREE/home/notes"),
        denied("create", "TREE/home/new"),
        denied("rmdir", "TREE/home/empty"),
        denied("link", "TREE/home/notes", "TREE/home/Pictures/linked"),
        denied("rename", "TREE/home/notes", "TREE/home/Pictures/notes"),
        denied("unlink", "TREE/home/notes", otherwise=errno.ENOENT),
        allowed("listdir", "TREE/home/Pictures"),
        allowed("create", "TREE/home/Pictures/new"),
        allowed("write", "TREE/home/Pictures/new"),
        allowed("chmod", "TREE/home/Pictures/new"),
        allowed("mkdir", "TREE/home/Pictures/folder"),
        allowed("copy", "TREE/home/Pictures/holiday", "TREE/home/Pictures/folder/copy"),
        allowed("rename", "TREE/home/Pictures/holiday", "TREE/home/Pictures/folder/holiday"),
        allowed("link", "TREE/home/Pictures/folder/holiday", "TREE/home/Pictures/again"),
        allowed("unlink", "TREE/home/Pictures/folder/holiday"),
        denied("rename", "TREE/home/Pictures/new", "TREE/home/new2"),
        allowed("write", "/dev/null"),
        denied("read", "/dev/zero"),
        # What has no place in a tree, and what was opened before.
        allowed("write_pipe"),
        allowed("write_memory"),
        allowed("write_socket"),
        allowed("send"),
        denied("write_stdin"),
        denied("read_stdin"),
    ),
}  # fmt: skip


def populate(folder: Path) -> Path:
    """Make a folder with all that is tried."""
    for name in ("folder", "empty", "home/Pictures", "home/empty"):
        (folder / name).mkdir(parents=True)
    for name in ("file", "other", "third", "home/notes", "home/Pictures/holiday"):
        (folder / name).write_text("text\n")
    (folder / "link").symlink_to("file")
    os.mkfifo(folder / "fifo")
    lesson.make_block(str(folder / "disk"))
    return folder


def view_of(folder: Path) -> tuple[str, str]:
    """Give the trees of fsview.c: the two variables' values."""
    return f"{folder}/home:/usr:/lib:/lib64", f"{folder}/home/Pictures:/dev/null"


def attempt(words: Sequence[object], tries: Sequence[Try], folder: Path, environ: dict[str, str] | None = None) -> list[int]:
    """Have a program try all in a folder of its own; the errno of each. A FIFO is held open, or to open it would wait."""
    populate(folder)
    held = os.open(folder / "fifo", os.O_RDWR)
    told = json.dumps([each.words(folder) for each in tries])
    with (folder / "third").open("r+") as stdin:
        done = subprocess.run(
            [*map(str, words), *PYTHON, told], stdin=stdin, capture_output=True, text=True, timeout=TIMEOUT,
            check=False, cwd="/", env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
        )  # fmt: skip
    os.close(held)
    assert done.returncode == 0, done.stderr
    result: list[int] = json.loads(done.stdout)
    return result


def told(tries: Sequence[Try], errnos: Sequence[int]) -> list[tuple[str, tuple[object, ...], str]]:
    return [(each.verb, each.arguments, errno.errorcode.get(no, "0")) for each, no in zip(tries, errnos, strict=True)]


def test_none_is_left_out() -> None:
    assert sorted([*TRIES, "no-open"]) == sorted(path.stem for path in RULES.glob("*.c"))


@pytest.mark.parametrize("name", TRIES)
def test_without_a_rule_all_is_allowed(name: str, tree: Path) -> None:
    tries = TRIES[name]
    assert told(tries, attempt((), tries, tree / "free")) == told(tries, [each.otherwise for each in tries])


@LOADERS
@pytest.mark.parametrize("name", TRIES)
def test_rule(name: str, loader: str, tree: Path) -> None:
    tries, folder = TRIES[name], tree / "confined"
    only_read, written = view_of(folder)
    view = ("--view", f"trees=ro:{only_read},rw:{written}") if name == "fsview" else ()
    words = (*COMMAND, "run", "-r", RULES / f"{name}.c", *view, "--loader", loader, "--")
    assert told(tries, attempt(words, tries, folder)) == told(tries, [each.errno for each in tries])


@LOADERS
def test_fsview_by_the_variables_of_2017(loader: str, tree: Path) -> None:
    tries, folder = TRIES["fsview"], tree / "confined"
    only_read, written = view_of(folder)
    words = (*COMMAND, "run", "-r", RULES / "fsview.c", "--loader", loader, "--")
    # Standard output is a pipe here; marked, it is known by itself.
    environ = {"LL_PATH_RO": only_read, "LL_PATH_RW": f"{written}:/proc/self/fd/1"}
    assert told(tries, attempt(words, tries, folder, environ)) == told(tries, [each.errno for each in tries])


@LOADERS
def test_no_open_with_run_executes_nothing(loader: str) -> None:
    words = [*COMMAND, "run", "-r", str(RULES / "no-open.c"), "--loader", loader, "--", "/usr/bin/true"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert (done.returncode, "Operation not permitted" in done.stderr) == (126, True), done.stderr


@LOADERS
def test_no_open(loader: str, tree: Path, cgroup: Path) -> None:
    """What was open before stays usable: it is asked about READ and WRITE, never about GET."""
    path = tree / "file"
    path.write_text("text\n")
    name = f"no-open-{loader}"
    words = ["attach", "-r", str(RULES / "no-open.c"), "--cgroup", str(cgroup), "--name", name, "--loader", loader]
    with Member(cgroup, before=lambda: os.dup2(os.open(path, os.O_RDWR), 0)) as inside:
        tries = [("read", str(path)), ("listdir", str(tree)), ("create", str(tree / "new")), ("execute", "/usr/bin/true")]
        assert [inside.ask(lesson.attempt, *each) for each in tries] == [0] * len(tries)
        (tree / "new").unlink()
        subprocess.run([*COMMAND, *words], timeout=TIMEOUT, check=True)
        try:
            assert [inside.ask(lesson.attempt, *each) for each in tries] == [NO] * len(tries)
            used = [("read_stdin",), ("write_stdin",), ("write_pipe",), ("stat", str(path)), ("chmod", str(path))]
            assert [inside.ask(lesson.attempt, *each) for each in used] == [0] * len(used)
        finally:
            subprocess.run([*COMMAND, "detach", name], timeout=TIMEOUT, check=True)
        (tree / "new").unlink()  # it was made before it would have been opened
        assert [inside.ask(lesson.attempt, *each) for each in tries] == [0] * len(tries)
