# SPDX-License-Identifier: GPL-2.0-only
"""Who leaves a control group by a list of tasks that was open before stays in its domain, and so does whom he takes along."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import deadline
import pytest
import rule
import trial
import way
from member import Member

from landlock_bpf import controller, events, maps
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls, programs, uring

pytestmark = pytest.mark.usefixtures("forgotten")
READ = Action.READ_FILE


def at(group: Path) -> bool:
    """Whether this process is in a control group."""
    return str(group).removeprefix("/sys/fs/cgroup") == Path("/proc/self/cgroup").read_text().split("::")[1].strip()


@pytest.fixture
def inherited(elsewhere: Path) -> Iterator[int]:
    """A descriptor from before, that moves whoever writes to it."""
    descriptor = os.open(elsewhere / "cgroup.procs", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


def test_inherited_descriptor(inherited: int, secret: Path, home: Path, elsewhere: Path, attach: rule.Attach) -> None:
    """It moves him, as the kernel asks nobody; but he stays in the domain, and so does what he forks."""
    with Member(home) as member, Member(home) as never_bound:
        assert never_bound.errno(way.enter_by, inherited) == 0
        attach(rule.unreadable(secret), cgroup=home)
        assert member.errno(way.enter_by, inherited) == 0
        assert member.ask(at, elsewhere)
        assert member.errno(way.read_only, secret) == errno.EACCES
        assert member.errno(in_child, secret) == errno.EACCES
        assert member.errno(in_thread, secret) == errno.EACCES
        assert member.errno(in_program, secret) == errno.EACCES
        assert member.ask(way.bpf_errnos) == {errno.EPERM}
        assert member.errno(way.write_only, elsewhere / "cgroup.procs") == errno.EPERM
        assert never_bound.errno(way.read_only, secret) == 0


def test_moved_while_it_is_confined(
    inherited: int,
    home_domain: str,
    secret: Path,
    tree: Path,
    home: Path,
    live: controller.Controller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Back before each look at what is kept of it, and out right after it: whenever it is out, it is held."""
    opened: list[bool] = []
    look = maps.Map.lookup
    (tree / "other").write_text("")

    def lookup(tasks: maps.Map, key: maps.Data) -> object:
        if tasks.name != "tasks":
            return look(tasks, key)
        opened.append(member.errno(way.read_only, secret) == 0)
        assert member.errno(way.enter, home) == 0
        found = look(tasks, key)
        assert member.errno(way.enter_by, inherited) == 0
        return found

    with Member(home) as member:
        pidfd = os.pidfd_open(member.pid)
        monkeypatch.setattr(maps.Map, "lookup", lookup)
        live.confine(pidfd, [rule.make(READ, rule.deny(tree / "other", READ), default="allow")])
        monkeypatch.undo()
        os.close(pidfd)
        assert len(opened) > 1
        assert not any(opened)
        assert member.errno(way.read_only, secret) == errno.EACCES
        assert member.errno(way.read_only, tree / "other") == errno.EACCES


def by_splice(descriptor: int) -> None:
    out, into = os.pipe()
    os.write(into, b"0")
    os.splice(out, descriptor, 1)


def by_sendfile(descriptor: int) -> None:
    source = os.memfd_create("source")
    os.write(source, b"0")
    os.sendfile(descriptor, source, 0, 1)


def by_vector(descriptor: int) -> None:
    os.writev(descriptor, [b"0"])


def by_io_uring(descriptor: int) -> None:
    uring.write(descriptor, b"0")


def by_worker(descriptor: int) -> None:
    uring.write(descriptor, b"0", in_worker=True)


@pytest.mark.parametrize("act", [by_splice, by_sendfile, by_vector, by_io_uring, by_worker], ids=lambda act: act.__name__)
def test_inherited_descriptor_otherwise(
    act: Callable[[int], None], inherited: int, home_domain: str, secret: Path, home: Path, elsewhere: Path
) -> None:
    """Whatever writes to it for him, it is he who moves, or not at all."""
    with Member(home) as member, Member() as free:
        assert free.errno(act, inherited) == 0
        assert free.ask(at, elsewhere)
        assert member.errno(act, inherited) == 0
        assert member.ask(at, elsewhere)
        assert member.errno(way.read_only, secret) == errno.EACCES


def in_child(path: Path) -> None:
    programs.in_child(lambda: way.read_only(path))


def in_thread(path: Path) -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(trial.errno_of(way.read_only, path)))
    thread.start()
    thread.join()
    if found[0]:
        raise OSError(found[0], os.strerror(found[0]))


def in_program(path: Path) -> None:
    pid = os.posix_spawn("/bin/busybox", ["cat", str(path)], {}, file_actions=[(os.POSIX_SPAWN_CLOSE, 2)])
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise OSError(errno.EACCES, "it could not")


def test_children_and_threads_from_before(inherited: int, home_domain: str, secret: Path, home: Path) -> None:
    """Whoever else he moves is held as well."""
    with Member(home) as member:
        assert member.errno(move_child, inherited, secret) == errno.EACCES


def move_child(descriptor: int, path: Path) -> None:
    """Have a child moved, that reads then."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(told, 1)
        os._exit(trial.errno_of(way.read_only, path))
    os.write(descriptor, str(pid).encode())
    os.write(tell, b"x")
    if number := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise OSError(number, os.strerror(number))


def test_thread_moves_its_process(inherited: int, home_domain: str, secret: Path, home: Path) -> None:
    """While it is moved, others of its threads try all the time."""
    with Member(home) as member:
        tried, opened = member.ask(race, inherited, secret)
    assert tried > 0
    assert opened == 0


def test_comes_back_and_leaves_without_pause(inherited: int, home_domain: str, secret: Path, home: Path) -> None:
    """There is no moment in which its threads are in neither place, while it is on its way."""
    with Member(home) as member:
        tried, opened = member.ask(come_and_go, inherited, home / "cgroup.procs", secret)
    assert tried > 100
    assert opened == 0


def come_and_go(away: int, home: Path, path: Path) -> tuple[int, int]:
    going = True
    counts = [0, 0]
    wait = threading.Event()

    def hammer() -> None:
        while going:
            counts[trial.errno_of(way.read_only, path) == 0] += 1

    threads = [threading.Thread(target=hammer) for _ in range(2)]
    threads += [threading.Thread(target=wait.wait) for _ in range(60)]
    for thread in threads:
        thread.start()
    back, end = os.open(home, os.O_WRONLY), time.monotonic() + 5
    while time.monotonic() < end:
        os.write(away, b"0")
        os.write(back, b"0")
    going = False
    wait.set()
    for thread in threads:
        thread.join()
    return sum(counts), counts[1]


def test_who_came_back_is_asked_once(
    inherited: int, home_domain: str, secret: Path, home: Path, live: controller.Controller
) -> None:
    live.update(home_domain, [rule.make(READ, rule.deny(secret, READ), default="allow", permissive=True)])
    with Member(home) as member:
        assert member.errno(by_vector, inherited) == 0
        member.ask(way.enter, home)
        for _ in events.read(follow=False):
            pass
        assert member.errno(way.read_only, secret) == 0
        assert [denial.path for denial in events.read(follow=False)] == [str(secret)]


def test_a_later_domain_has_none_of_those_who_were_let_go(
    inherited: int, home_domain: str, secret: Path, home: Path, elsewhere: Path, live: controller.Controller
) -> None:
    """The control group is the same, and so is what is noted of who left it by himself."""
    with Member(home) as member:
        assert member.errno(by_vector, inherited) == 0
        member.ask(way.enter, home)
        live.detach(home_domain)
        (elsewhere / "cgroup.procs").write_text(str(member.pid))
        live.attach(home_domain, [rule.unreadable(secret)], home)
        assert member.errno(way.read_only, secret) == 0
        member.ask(way.enter, home)
        assert member.errno(way.read_only, secret) == errno.EACCES


def race(descriptor: int, path: Path) -> tuple[int, int]:
    going = True
    counts = [0, 0]

    def hammer() -> None:
        while going:
            counts[1 if trial.errno_of(way.read_only, path) == 0 else 0] += 1
            in_fork = os.fork()
            if in_fork == 0:
                os._exit(trial.errno_of(way.read_only, path) == 0)
            counts[1] += os.waitstatus_to_exitcode(os.waitpid(in_fork, 0)[1])

    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    os.write(descriptor, b"0")
    time.sleep(0.5)
    going = False
    for thread in threads:
        thread.join()
    return sum(counts), counts[1]


def test_return(inherited: int, secret: Path, home: Path, attach: rule.Attach) -> None:
    """Held, he may come back; then he is in the domain as before."""
    with Member(home) as member:
        name = attach(rule.unreadable(secret), cgroup=home)
        assert name
        member.ask(way.enter_by, inherited)
        assert member.errno(way.enter, home) == 0
        assert member.ask(at, home)
        assert member.errno(way.read_only, secret) == errno.EACCES


def test_leaves_one_domain_after_another(
    inherited: int, secret: Path, home: Path, elsewhere: Path, attach: rule.Attach, live: controller.Controller
) -> None:
    """He is held in the one that he left last, once the other has ended."""
    beyond = os.open(elsewhere.parent / "cgroup.procs", os.O_WRONLY)
    with Member(home) as member:
        name = attach(rule.unreadable(secret), cgroup=home)
        assert member.errno(way.enter_by, inherited) == 0
        live.detach(name)
        assert member.errno(way.read_only, secret) == 0
        attach(rule.unreadable(secret), cgroup=elsewhere)
        assert member.errno(way.read_only, secret) == errno.EACCES
        assert member.errno(way.enter_by, beyond) == 0
        assert member.ask(at, elsewhere.parent)
        assert member.errno(way.read_only, secret) == errno.EACCES
    os.close(beyond)


def test_moved_by_somebody_outside(inherited: int, home_domain: str, secret: Path, home: Path, elsewhere: Path) -> None:
    with Member(home) as member, Member(home) as escaped:
        (elsewhere / "cgroup.procs").write_text(str(member.pid))
        assert member.errno(way.read_only, secret) == 0
        escaped.ask(way.enter_by, inherited)
        assert escaped.errno(way.read_only, secret) == errno.EACCES
        (elsewhere.parent / "cgroup.procs").write_text(str(escaped.pid))
        assert escaped.errno(way.read_only, secret) == 0


def test_domain_ends(inherited: int, secret: Path, home: Path, attach: rule.Attach, live: controller.Controller) -> None:
    name = attach(rule.unreadable(secret), cgroup=home)
    with Member(home) as member:
        member.ask(way.enter_by, inherited)
        assert member.errno(way.read_only, secret) == errno.EACCES
        live.detach(name)
        assert member.errno(way.read_only, secret) == 0


def test_inner_domain_ends(
    inherited: int, home_domain: str, secret: Path, home: Path, attach: rule.Attach, live: controller.Controller
) -> None:
    """Who left two domains at once is in the outer one when the inner one ends."""
    inner = home / "inner"
    inner.mkdir()
    write = Action.WRITE_FILE
    name = attach(rule.make(write, rule.deny(secret, write), default="allow"), cgroup=inner)
    with Member(inner) as member:
        member.ask(way.enter_by, inherited)
        assert member.errno(way.read_only, secret) == errno.EACCES
        assert member.errno(way.write_only, secret) == errno.EACCES
        live.detach(name)
        assert member.errno(way.write_only, secret) == 0
        assert member.errno(way.read_only, secret) == errno.EACCES


def test_cgroup_removed(inherited: int, secret: Path, home: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """The domain lasts while somebody is held in it, though its control group is empty and gone; then it ends."""
    name = attach(rule.unreadable(secret), cgroup=home)
    with Member(home) as member:
        member.ask(way.enter_by, inherited)
        home.rmdir()
        assert name in [info.name for info in live.list()]
        assert member.errno(way.read_only, secret) == errno.EACCES
    assert name not in [info.name for info in live.list()]


PR_SET_CHILD_SUBREAPER = 36  # include/uapi/linux/prctl.h
# Each tries to read a file, leaves the rest to a child, and ends at once; by a shell, for it is small.
LINK = """
if true <"$1/secret"; then echo >>"$1/opened"; else echo >>"$1/denied"; fi 2>/dev/null
if [ -e "$1/stop" ]; then echo >"$1/ended"; exit; fi
exec /bin/busybox sh -c "$0" "$0" "$1" &
"""


@contextlib.contextmanager
def chain(home: Path, descriptor: int, tree: Path) -> Iterator[None]:
    """Have somebody leave a control group by a descriptor, and then fork without pause, as LINK says."""

    def begin() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has ended is gone from /proc
        calls.check(calls.libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
        if os.fork():
            return
        try:
            way.enter(home)
            way.enter_by(descriptor)
            os.execv("/bin/busybox", ["busybox", "sh", "-c", LINK, LINK, str(tree)])
        finally:
            os._exit(1)

    with Member(before=begin):
        try:
            deadline.until(lambda: count(tree, "denied") + count(tree, "opened"), "the chain has begun")
            yield
        finally:
            (tree / "stop").touch()
            deadline.until((tree / "ended").exists, "the chain has ended")


def count(tree: Path, name: str) -> int:
    """Tell how often a chain could read, or could not."""
    return (tree / name).stat().st_size if (tree / name).exists() else 0


def test_cgroup_removed_while_who_left_it_forks(
    inherited: int, secret: Path, tree: Path, home: Path, attach: rule.Attach, live: controller.Controller
) -> None:
    """Nobody of the chain lives as long as it takes to look for him; the domain lasts all the same."""
    name = attach(rule.unreadable(secret), cgroup=home)
    with chain(home, inherited, tree):
        home.rmdir()
        before, end = count(tree, "denied"), time.monotonic() + 3
        while time.monotonic() < end:
            assert name in [info.name for info in live.list()]
        assert count(tree, "denied") > before
        assert count(tree, "opened") == 0
        live.detach(name)
        deadline.until(lambda: count(tree, "opened"), "it may read where there is no policy")
