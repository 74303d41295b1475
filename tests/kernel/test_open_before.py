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

from landlock_bpf import controller, descriptors, errors, live_domain, policy
from landlock_bpf.abi import Action

pytestmark = pytest.mark.usefixtures("cleared")
READ = Action.READ_FILE
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


def test_what_is_held(top: Path, inside: Member, put: Put) -> None:
    """On what is denied and beneath it, but where a nearer rule allows, or elsewhere; it stays usable."""
    file = inside.ask(os.open, top / "secret/file", os.O_RDONLY)
    folder = inside.ask(os.open, top / "secret/inner", os.O_RDONLY | os.O_DIRECTORY)
    place = inside.ask(os.open, top / "secret", os.O_PATH)
    for other in ("secret/free/file", "open/file"):
        inside.ask(os.open, top / other, os.O_RDONLY)
    made = put(wanted(top), strict=False)
    paths = {file: "secret/file", folder: "secret/inner", place: "secret"}
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
