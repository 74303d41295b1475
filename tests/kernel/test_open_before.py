# SPDX-License-Identifier: GPL-2.0-only
"""Files that members have open where a policy denies: they are listed, and with `strict` it is not put in force.

The engine says which these are, by the walk of every access.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import subprocess
import threading
import types
from collections.abc import Callable
from pathlib import Path

import deadline
import filesystem
import fuse
import operation
import pytest
import rule
from member import Member
from test_run import run

from landlock_bpf import action_table, controller, descriptors, errors, judge, live_domain, policy
from landlock_bpf import cgroup as groups
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

pytestmark = pytest.mark.usefixtures("cleared")
NOTHING = Action(0)
CLONE_FILES = 0x400  # include/uapi/linux/sched.h
READ = Action.READ_FILE | Action.READ_DIR
Put = Callable[..., live_domain.Domain]


@pytest.fixture(params=["attach", "confine"])
def put(request: pytest.FixtureRequest, live: controller.Controller, cgroup: Path, inside: Member) -> Put:
    """Put the member under a policy: in a domain of its control group, or in one of its own."""

    def put(wanted: policy.Policy, *, strict: bool) -> live_domain.Domain:
        if request.param == "attach":
            return live.attach("strict", [wanted], cgroup, strict=strict)
        pidfd = os.pidfd_open(inside.pid)
        try:
            return live.confine(pidfd, [wanted], "strict", strict=strict)
        finally:
            os.close(pidfd)

    return put


@pytest.fixture
def top(tree: Path) -> Path:
    for name in ("secret/inner", "secret/free", "open"):
        (tree / name).mkdir(parents=True)
    for name in ("secret/file", "secret/inner/file", "secret/free/file", "open/file"):
        (tree / name).write_text("text")
    return tree


def wanted(top: Path) -> policy.Policy:
    return rule.make(READ, rule.deny(top / "secret", READ), rule.allow(top / "secret/free", READ), default="allow")


@pytest.mark.parametrize(
    ("denied", "names", "held"),
    [
        (Action.READ_FILE, (), True),
        (Action.READ_FILE, ("*.pem",), True),
        (Action.READ_FILE, ("*.key",), False),
        (Action.WRITE_FILE, (), False),
        (Action.CHMOD, (), False),
        (Action.MAKE_DIR, (), False),
    ],
)
def test_what_is_held_by_what_is_denied(
    denied: Action, names: tuple[str, ...], held: bool, tree: Path, cgroup: Path, inside: Member, live: controller.Controller
) -> None:
    """What the descriptor gives alone, and what is asked again whenever it is used does not count."""
    path = tree / "x.pem"
    path.write_text("x")
    fd = inside.ask(os.open, path, os.O_RDONLY)
    policies = [rule.make(denied, rule.deny(tree, denied, *names), default="allow")]
    if held:
        with pytest.raises(errors.BusyError, match=r"x\.pem"):
            live.attach("test", policies, cgroup, strict=True)
    domain = live.attach("test", policies, cgroup, strict=not held)
    assert [each.path for each in domain.held if each.fd == fd] == [str(path)] * held
    assert inside.errno(os.open, path, os.O_RDONLY) == (errno.EACCES if held else 0)
    assert inside.ask(os.pread, fd, 1, 0) == b"x"
    assert inside.errno(os.fchmod, fd, 0o600) == (errno.EACCES if denied == Action.CHMOD else 0)


WRITING = Action.WRITE_FILE | Action.TRUNCATE


@pytest.mark.parametrize(
    ("path", "flags", "given"),
    [
        ("file", os.O_RDONLY, Action.READ_FILE),
        ("file", os.O_WRONLY, WRITING),
        ("file", os.O_RDWR, Action.READ_FILE | WRITING),
        ("file", os.O_PATH, NOTHING),
        ("inner", os.O_RDONLY, Action.READ_DIR),
        ("inner", os.O_PATH, NOTHING),
        ("null", os.O_RDONLY, Action.READ_FILE | Action.IOCTL_DEV),
        ("null", os.O_PATH, NOTHING),
    ],
)
def test_what_a_descriptor_gives(
    path: str, flags: int, given: Action, top: Path, cgroup: Path, inside: Member, live: controller.Controller
) -> None:
    """All that opening it asked for, each by itself, and nothing else: that is asked when it is done."""
    os.mknod(top / "secret/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    fd = inside.ask(os.open, top / "secret" / path, flags)
    for denied in (*given, action_table.ALL & ~given):
        wanted = rule.make(denied, rule.deny(top / "secret", denied), default="allow")
        with live.attach("given", [wanted], cgroup) as domain:
            assert [each.fd for each in domain.held] == [fd] * bool(denied & given), denied


READING = Action.READ_FILE


def deny(top: Path, *more: policy.Rule, permissive: bool = False) -> policy.Policy:
    denied = rule.deny(top / "secret", READING)
    return rule.make(READING | Action.CHMOD, denied, *more, default="allow", permissive=permissive)


@pytest.mark.parametrize(
    ("made", "held"),
    [
        (lambda top: [deny(top)], True),
        (lambda top: [deny(top, rule.allow(top / "secret/file", Action.CHMOD))], True),
        (lambda top: [deny(top, rule.allow(top / "secret/file", READING))], False),
        (lambda top: [deny(top, rule.allow(top / "secret/file", READING)), deny(top)], True),
        (lambda top: [deny(top, permissive=True)], False),
        (lambda top: [deny(top, permissive=True), deny(top)], True),
        (lambda top: [rule.make(READING, rule.deny(top, READING, "sec*"), default="allow")], True),
        (lambda top: [rule.make(READING)], False),
    ],
    ids=["denied", "other action", "nearer", "one of two", "permissive", "also enforced", "by its name", "not allowed"],
)
def test_layers(
    made: Callable[[Path], list[policy.Policy]],
    held: bool,
    top: Path,
    cgroup: Path,
    inside: Member,
    live: controller.Controller,
) -> None:
    """One layer that denies and enforces is enough; what a policy merely does not allow is no news."""
    fd = inside.ask(os.open, top / "secret/file", os.O_RDONLY)
    for outer in ([], [rule.make(READING, rule.allow("/", READING))]):
        with contextlib.ExitStack() as stack:
            if outer:
                stack.enter_context(live.attach("outer", outer, cgroup))
            domain = stack.enter_context(live.attach("held", made(top), cgroup, strict=not held))
            assert [each.fd for each in domain.held] == [fd] * held


def by_a_bind_mount(top: Path) -> int:
    """Where no directory on the path is denied."""
    calls.unshare()
    (top / "bound").mkdir()
    calls.mount(top / "secret/inner", top / "bound", flags=calls.MS_BIND)
    return os.open(top / "bound/file", os.O_RDONLY)


def after_a_chroot(top: Path) -> int:
    os.chroot(top)
    return os.open("/secret/file", os.O_RDONLY)


def without_its_name(top: Path) -> int:
    fd = os.open(top / "secret/file", os.O_RDONLY)
    (top / "secret/file").unlink()
    return fd


def without_its_mount(top: Path) -> int:
    """What cannot be decided counts: that could not be opened again either."""
    calls.unshare()
    with filesystem.mounted("none", top / "mounted", "tmpfs") as mounted:
        (mounted / "file").touch()
        fd = os.open(mounted / "file", os.O_RDONLY)
        calls.umount(mounted, calls.MNT_DETACH)
        calls.mount("none", mounted, "tmpfs")
    return fd


def in_memory(top: Path) -> int:
    return os.memfd_create("memory")


WAYS = {by_a_bind_mount: True, after_a_chroot: True, without_its_name: True, without_its_mount: True, in_memory: False}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_however_it_was_opened(
    way: Callable[[Path], int], top: Path, cgroup: Path, inside: Member, live: controller.Controller
) -> None:
    fd = inside.ask(way, top)
    with live.attach("held", [deny(top)], cgroup) as domain:
        assert [each.fd for each in domain.held] == [fd] * WAYS[way]


def test_no_server_is_asked(top: Path, cgroup: Path, live: controller.Controller) -> None:
    """One that never answers would hold up the command, and all others for its lock."""
    subprocess.run(["modprobe", "fuse"], check=True)
    place = top / "secret/served"
    place.mkdir()
    with Member(cgroup, before=calls.unshare) as inside:
        fd = inside.ask(fuse.hold, place, top / "open/file")
        before = inside.ask(fuse.requests)
        try:
            with live.attach("held", [deny(top)], cgroup) as domain:
                assert inside.ask(fuse.requests) == before
                assert domain.held == (descriptors.Held(inside.pid, fd, str(place / "file")),)
        finally:
            inside.ask(os.close, fd)  # else its end waits for its own answer


def in_a_thread_alone(top: Path) -> int:
    """Have a thread with descriptors of its own, of which one has the number of an open file that nobody denies."""
    number = os.open(top / "open/file", os.O_RDONLY)
    ready = threading.Event()

    def hold() -> None:
        calls.check(calls.libc.unshare(CLONE_FILES))
        os.dup2(os.open(top / "secret/file", os.O_RDONLY | os.O_CLOEXEC), number)
        ready.set()
        signal.sigwait([signal.SIGUSR2])

    threading.Thread(target=hold, daemon=True).start()
    assert ready.wait(deadline.SECONDS)
    return number


def test_threads_with_descriptors_of_their_own(top: Path, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    number = inside.ask(in_a_thread_alone, top)
    with live.attach("held", [deny(top)], cgroup) as domain:
        assert descriptors.Held(inside.pid, number, str(top / "secret/file")) in domain.held
        assert {each.path for each in domain.held} == {str(top / "secret/file")}
    pidfd = os.pidfd_open(inside.pid)
    try:
        assert live.confine(pidfd, [deny(top)], "held", thread=inside.pid, strict=True).held == ()
    finally:
        os.close(pidfd)


def far_down(top: Path) -> int:
    """Where no path leads: it would be too long."""
    os.chdir(top / "secret")
    for _ in range(20):
        os.mkdir("x" * 250)
        os.chdir("x" * 250)
    return os.open("file", os.O_RDWR | os.O_CREAT)


def test_where_no_path_leads(top: Path, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    fd = inside.ask(far_down, top)
    with live.attach("held", [deny(top)], cgroup) as domain:
        assert [(each.fd, each.path[:4]) for each in domain.held] == [(fd, ".../")]


def often(top: Path) -> None:
    fd = os.open(top / "secret/file", os.O_RDONLY)
    for _ in range(descriptors.MOST):
        os.dup(fd)


def test_only_so_many_are_listed(top: Path, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    inside.ask(often, top)
    with live.attach("held", [deny(top)], cgroup) as domain:
        assert len({each.fd for each in domain.held[:-1]}) == descriptors.MOST
        assert str(domain.held[-1]) == f"process {inside.pid} has more such files open"


NOT_JUDGED = {
    "PID namespaces": lambda patch: patch.setattr(groups, "processes", lambda path: iter([0])),
    "in -1 seconds": lambda patch: patch.setattr(descriptors, "SECONDS", -1),
    "could not be judged: cannot attach": lambda patch: patch.setattr(judge.Judge, "look", no_memory),
}


def no_memory(*_args: object, **_words: object) -> None:
    raise errors.KernelError("attach the iterator", "judge", errno.ENOMEM, "no memory")


@pytest.mark.parametrize("told", NOT_JUDGED)
def test_what_cannot_be_judged(
    told: str, top: Path, cgroup: Path, inside: Member, live: controller.Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, and enough for `strict` to refuse; a policy is put in force all the same without."""
    inside.ask(os.open, top / "secret/file", os.O_RDONLY)
    NOT_JUDGED[told](monkeypatch)
    with pytest.raises(errors.BusyError, match=told):
        live.attach("held", [deny(top)], cgroup, strict=True)
    with live.attach("held", [deny(top)], cgroup) as domain:
        (found,) = domain.held
        assert (found.fd, told in str(found)) == (None, True)
        assert inside.errno(os.open, top / "secret/file", os.O_RDONLY) == errno.EACCES


def test_time_ends_in_a_process(
    top: Path, cgroup: Path, inside: Member, live: controller.Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found of it until then is listed."""
    first = inside.ask(os.open, top / "secret/file", os.O_RDONLY)
    inside.ask(os.open, top / "secret/inner/file", os.O_RDONLY)
    clock = iter([0, 0, 0])  # the beginning, the process, its first file
    time = types.SimpleNamespace(monotonic=lambda: next(clock, descriptors.SECONDS + 1))
    monkeypatch.setattr(descriptors, "time", time)
    with live.attach("held", [deny(top)], cgroup) as domain:
        found, told = domain.held
    assert (found.fd, found.path) == (first, str(top / "secret/file"))
    assert f"process {inside.pid}, and those after it, have too much open" in str(told)


def test_what_is_held(top: Path, inside: Member, put: Put) -> None:
    """On what is denied and beneath it, but where a nearer rule allows, without rights, or elsewhere; it stays usable."""
    file = inside.ask(os.open, top / "secret/file", os.O_RDONLY)
    folder = inside.ask(os.open, top / "secret/inner", os.O_RDONLY | os.O_DIRECTORY)
    inside.ask(os.open, top / "secret", os.O_PATH)
    for other in ("secret/free/file", "open/file"):
        inside.ask(os.open, top / other, os.O_RDONLY)
    made = put(wanted(top), strict=False)
    paths = {file: "secret/file", folder: "secret/inner"}
    assert set(made.held) == {descriptors.Held(inside.pid, number, str(top / name)) for number, name in paths.items()}
    assert inside.ask(os.pread, file, 10, 0) == b"text"
    assert inside.errno(operation.touch, top / "secret/file", os.O_RDONLY) == errno.EACCES
    assert inside.errno(operation.touch, top / "open/file", os.O_RDONLY) == 0


def test_strict(top: Path, inside: Member, put: Put, listed: Callable[[], list[str]]) -> None:
    """Nothing is changed while one is open; once it is closed the policy is put in force."""
    file = inside.ask(os.open, top / "secret/inner/file", os.O_RDONLY)
    inside.ask(os.open, top / "open/file", os.O_RDONLY)
    told = f"strict is not put in force.*process {inside.pid} has {top}/secret/inner/file open .descriptor {file}"
    with pytest.raises(errors.BusyError, match=f"(?s){told}"):
        put(wanted(top), strict=True)
    assert listed() == []
    assert inside.errno(operation.touch, top / "secret/file", os.O_RDONLY) == 0
    inside.ask(os.close, file)
    assert put(wanted(top), strict=True).held == ()
    assert inside.errno(operation.touch, top / "secret/file", os.O_RDONLY) == errno.EACCES
    assert inside.errno(operation.touch, top / "open/file", os.O_RDONLY) == 0


@pytest.mark.parametrize("command", ["attach", "confine"])
def test_on_the_command_line(command: str, top: Path, cgroup: Path, inside: Member, listed: Callable[[], list[str]]) -> None:
    written = top / "policy.toml"
    written.write_text(f'default = "allow"\n[[path_beneath]]\nparent = ["{top}/secret"]\ndenied_access = ["read_file"]\n')
    words = [command, "-p", written, "--name", "strict"]
    words += ["--cgroup", cgroup] if command == "attach" else [inside.pid]
    file = inside.ask(os.open, top / "secret/file", os.O_RDONLY)
    held = f"process {inside.pid} has {top}/secret/file open (descriptor {file})"
    status, _, err = run(*words, "--strict")
    assert (status, listed()) == (1, [])
    told = "strict is not put in force, for files that it denies are open:", f"  {held}"
    assert err == "".join(f"landlock-bpf: {line}\n" for line in told)
    status, _, err = run(*words)
    assert (status, listed()) == (0, ["strict"])
    assert err == f"landlock-bpf: {held}: it stays usable, though opening it so is denied from now on\n"
    assert inside.errno(operation.touch, top / "secret/file", os.O_RDONLY) == errno.EACCES
