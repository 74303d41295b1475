# SPDX-License-Identifier: GPL-2.0-only
"""`confine`: a running process, or one thread of it, under a further layer, with what it forks from then on."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import deadline
import operation
import pytest
import rule
import tracer
from member import Member
from test_run import run

from landlock_bpf import abi, controller, domain, engine, errors
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls, programs

pytestmark = pytest.mark.usefixtures("cleared")
CLONE_NEWPID = 0x20000000  # include/uapi/linux/sched.h
READ, WRITE = Action.READ_FILE, Action.WRITE_FILE
_workers: list[Worker] = []


class Worker(threading.Thread):
    """A thread that tries what it is told to, for a Member to call."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.path = Path()
        self.seen = -1
        self.go, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.start()

    def run(self) -> None:
        while True:
            self.go.acquire()
            self.seen = attempt(self.path)
            self.done.release()

    def attempt(self, path: Path) -> int:
        self.path = path
        self.go.release()
        self.done.acquire()
        return self.seen


def attempt(path: Path) -> int:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        return error.errno or -1
    return 0


def begin_threads(count: int) -> list[int]:
    """Start threads in this process; their ids."""
    _workers.extend(Worker() for _ in range(count))
    return [each.native_id or 0 for each in _workers]


def in_threads(path: Path) -> list[int]:
    return [each.attempt(path) for each in _workers]


def in_a_child(path: Path, cgroup: Path | None = None) -> int:
    pid = os.fork()
    if pid == 0:
        if cgroup:
            (cgroup / "cgroup.procs").write_text("0")
        os._exit(attempt(path))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextlib.contextmanager
def pidfd_of(pid: int) -> Iterator[int]:
    pidfd = os.pidfd_open(pid)
    try:
        yield pidfd
    finally:
        os.close(pidfd)


def confine(live: controller.Controller, pid: int, *paths: Path, thread: int = 0) -> str:
    denials = (rule.deny(path, READ) for path in paths)
    with pidfd_of(pid) as pidfd:
        return live.confine(pidfd, [rule.make(READ, *denials, default="allow")], thread=thread).name


@pytest.fixture
def files(tree: Path) -> list[Path]:
    paths = [tree / name for name in "abc"]
    for path in paths:
        path.write_text("")
    return paths


def test_all_threads_and_children(
    files: list[Path], cgroup: Path, live: controller.Controller, listed: Callable[[], list[str]]
) -> None:
    """No control group is involved, and none is a way out; the twin is not confined."""
    with Member() as process, Member() as twin:
        process.ask(begin_threads, 3)
        assert process.ask(in_threads, files[0]) == [0, 0, 0]
        name = confine(live, process.pid, files[0])
        assert name == f"confine-{process.pid}"
        for path, expected in ((files[0], errno.EACCES), (files[1], 0)):
            assert process.ask(attempt, path) == expected
            assert process.ask(in_threads, path) == [expected] * 3
            assert process.ask(in_a_child, path) == expected
            assert process.ask(in_a_child, path, cgroup) == expected
        assert twin.ask(attempt, files[0]) == 0
        process.ask(begin_threads, 1)
        assert process.ask(in_threads, files[0]) == [errno.EACCES] * 4
        (info,) = (info for info in live.list() if info.name == name)
        assert (info.cgroup, info.tasks, info.maker, info.kind) == (None, 1, process.pid, abi.Kind.PROCESS)
        with pytest.raises(errors.BusyError, match=str(process.pid)):
            live.detach(name)
        live.update(name, [rule.make(READ, rule.deny(files[1], READ), default="allow")])
        assert (process.ask(attempt, files[0]), process.ask(attempt, files[1])) == (0, errno.EACCES)
    assert not listed()


def test_layers_add_up(files: list[Path], cgroup: Path, live: controller.Controller) -> None:
    """Each is further: none is lost. At most 16, those of the control group counted."""
    live.attach("around", [rule.make(READ, rule.deny(files[2], READ), default="allow")], cgroup)
    with Member(cgroup) as process:
        for number in range(15):
            confine(live, process.pid, files[number % 2])
            assert process.ask(attempt, files[0]) == errno.EACCES
            assert process.ask(attempt, files[1]) == (errno.EACCES if number else 0)
        with pytest.raises(errors.LimitError, match="17 layers"):
            confine(live, process.pid, files[0])
        assert process.ask(attempt, files[2]) == errno.EACCES
        inner = max((info for info in live.list() if info.name.startswith("confine-")), key=lambda info: info.layers)
        assert inner.layers == 15


def test_one_thread(files: list[Path], live: controller.Controller, listed: Callable[[], list[str]]) -> None:
    with Member() as process:
        first, second = process.ask(begin_threads, 2)
        name = confine(live, process.pid, files[0], thread=second)
        assert process.ask(in_threads, files[0]) == [0, errno.EACCES]
        assert process.ask(attempt, files[0]) == 0
        assert process.ask(in_a_child, files[0]) == 0
        with pytest.raises(errors.BusyError, match=f"in {name}.*one by one"):
            confine(live, process.pid, files[1])
        confine(live, process.pid, files[1], thread=first)
        assert process.ask(in_threads, files[1]) == [errno.EACCES, 0]
        with pytest.raises(errors.NotFoundError, match="there is no thread 1 of process"):
            confine(live, process.pid, files[1], thread=1)
    assert not listed()


def fork_and_wait(path: Path, told: Path) -> None:
    """Leave a child that is in the domain when its parent has ended."""
    if os.fork() == 0:
        deadline.until((told / "go").exists, "told to go on")
        (told / "seen").write_text(str(attempt(path)))
        os._exit(0)


def test_lasts_for_the_last_one(
    files: list[Path], tree: Path, live: controller.Controller, listed: Callable[[], list[str]]
) -> None:
    with Member() as process:
        name = confine(live, process.pid, files[0])
        process.ask(fork_and_wait, files[0], tree)
    assert listed() == [name]
    (tree / "go").touch()
    deadline.until((tree / "seen").exists, "the child tried")
    deadline.until(lambda: (tree / "seen").read_text(), "the child told")
    assert (tree / "seen").read_text() == str(errno.EACCES)
    deadline.until(lambda: not listed(), "the domain ended with its last member")


def test_those_that_have_ended(files: list[Path], live: controller.Controller, listed: Callable[[], list[str]]) -> None:
    process = subprocess.Popen(["sleep", "100"])
    with pidfd_of(process.pid) as pidfd:
        process.kill()
        process.wait()
        with pytest.raises(errors.NotFoundError, match="has ended"):
            live.confine(pidfd, [rule.make(READ, rule.deny(files[0], READ), default="allow")])
    status, _, err = run("confine", process.pid, "-p", "/dev/null")
    assert status == 1 and "Traceback" not in err
    assert not listed()


def keep_cloning(path: Path, told: Path, seconds: float) -> list[int]:
    """Start threads that end soon, all the time; what those that began after the file appeared met."""
    seen: list[int] = []
    end = time.monotonic() + seconds

    def work(after: bool) -> None:
        met = attempt(path)
        if after:
            seen.append(met)

    after = False
    while time.monotonic() < end and len(seen) < 30:
        after = (told / "confined").exists()
        thread = threading.Thread(target=work, args=(after,))
        thread.start()
        if after:
            thread.join()
    return seen


def test_threads_made_meanwhile(files: list[Path], tree: Path, live: controller.Controller) -> None:
    with Member() as process:
        process.begin(keep_cloning, files[0], tree, deadline.SECONDS)
        confine(live, process.pid, files[0])
        (tree / "confined").touch()
        seen = process.end()
    assert len(seen) == 30
    assert set(seen) == {errno.EACCES}


def test_killed_in_between(files: list[Path], live: controller.Controller, listed: Callable[[], list[str]]) -> None:
    """Before the first thread entered nothing is left; after it the next command puts the others in as well."""
    steps = {0: 0, 4: 0}
    with Member() as process:
        process.ask(begin_threads, 3)
        for number in range(1, 200):
            done = tracer.run(lambda: confine(live, process.pid, files[0]), number)
            names = listed()
            seen = [process.ask(attempt, files[0]), *process.ask(in_threads, files[0])]
            assert seen in ([0] * 4, [errno.EACCES] * 4), number
            assert bool(names) == bool(seen[0]), number
            steps[sum(map(bool, seen))] += 1
            if seen[0]:
                break
        assert steps[0] > 5 and not done
    assert not listed()


def test_on_the_command_line(files: list[Path], tree: Path, live: controller.Controller) -> None:
    path = tree / "policy.toml"
    path.write_text(f'default = "allow"\n[[path_beneath]]\nparent = ["{files[0]}"]\ndenied_access = ["read_file"]\n')
    with Member() as process:
        assert run("confine", process.pid, "-p", path, "--name", "intern")[::2] == (0, "")
        assert process.ask(attempt, files[0]) == errno.EACCES
        assert f"intern  process  1       1      1      (process {process.pid})" in run("list")[1]
        status, out, _ = run("show", "intern")
        assert status == 0 and str(path) in out
        assert process.errno(operation.touch, files[1], os.O_RDONLY) == 0


def test_one_thread_on_the_command_line(files: list[Path], tree: Path) -> None:
    path = tree / "policy.toml"
    path.write_text(f'default = "allow"\n[[path_beneath]]\nparent = ["{files[0]}"]\ndenied_access = ["read_file"]\n')
    with Member() as process, Member() as other:
        _, second = process.ask(begin_threads, 2)
        words = ("confine", process.pid, "-p", path, "--name", "intern", "--thread")
        status, _, err = run(*words, other.pid)
        assert (status, f"there is no thread {other.pid} of process {process.pid}" in err) == (1, True)
        assert run(*words, second)[::2] == (0, "")
        assert process.ask(in_threads, files[0]) == [0, errno.EACCES]
        assert process.ask(attempt, files[0]) == 0
        assert process.ask(in_threads, files[1]) == [0, 0]


def test_from_another_pid_namespace(files: list[Path], live: controller.Controller) -> None:
    """Threads have the numbers that they have there."""

    def confine_there() -> None:
        calls.unshare()
        calls.mount("proc", Path("/proc"), "proc")
        with Member() as process:
            confine(live, process.pid, files[0])
            found = process.ask(os.getpid), process.ask(attempt, files[0]), process.ask(attempt, files[1])
        assert found == (2, errno.EACCES, 0)

    def begin() -> None:
        calls.check(calls.libc.unshare(CLONE_NEWPID))
        programs.in_child(confine_there)

    programs.in_child(begin)


def test_storage_keeps_what_lasts(files: list[Path], live: controller.Controller) -> None:
    """What the engine knows of a task from call to call is not lost by entering."""
    with Member() as process:
        confine(live, process.pid, files[0])
        found = engine.find()
        assert found
        with found, domain.thread_opened(process.pid) as pidfd:
            assert pidfd is not None
            task = found.tasks.lookup(pidfd)
            assert task
            task.held = 7
            found.tasks.update(pidfd, task)
        confine(live, process.pid, files[1])
        found = engine.find()
        assert found
        with found, domain.thread_opened(process.pid) as pidfd:
            assert pidfd is not None
            now = found.tasks.lookup(pidfd)
            assert now and now.held == 7 and now.domain != task.domain
