# SPDX-License-Identifier: GPL-2.0-only
"""Files that members have open where a policy denies: they are listed, and with `strict` it is not put in force."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import operation
import pytest
import rule
from member import Member
from test_run import run

from landlock_bpf import controller, descriptors, errors, live_domain, policy
from landlock_bpf.abi import Action

pytestmark = pytest.mark.usefixtures("cleared")
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
