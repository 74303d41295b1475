# SPDX-License-Identifier: GPL-2.0-only
"""The Python API, as README.md has it and beyond: policies, controller, domains; rules on open files."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import operation
import pytest
import rule
from member import Member
from test_readme import blocks

import landlock_bpf
from landlock_bpf import abi, controller, errors, events
from landlock_bpf.abi import Action

pytestmark = pytest.mark.usefixtures("cleared")
READ, WRITE, CHMOD = Action.READ_FILE, Action.WRITE_FILE, Action.CHMOD


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_PATH)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.fixture
def files(tree: Path) -> dict[str, Path]:
    paths = {name: tree / name for name in ("a", "b", "c")}
    for path in paths.values():
        path.write_text("")
    return paths


def test_the_example(tree: Path, cgroup: Path, live: controller.Controller, listed: Callable[[], list[str]]) -> None:
    (text,) = blocks("python")
    (tree / "work/secret").mkdir(parents=True)
    (tree / "work/secret/number").write_text("42\n")
    list(events.read(follow=False))  # a buffer that another test has left full takes no more
    text = text.replace("/sys/fs/cgroup/workshop", str(cgroup)).replace("/home/me", str(tree))
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "LC_ALL": "C", "PYTHONPATH": str(Path(landlock_bpf.__file__).parents[1])},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, f"cat: {tree}/work/secret/number: Permission denied\n")
    assert "DENIED EACCES read_file" in done.stdout and "work/secret/number" in done.stdout
    assert not listed()


def test_rules_on_open_files(
    files: dict[str, Path], tree: Path, cgroup: Path, live: controller.Controller, inside: Member
) -> None:
    """Named by descriptors; the path may have changed in between."""
    with landlock_bpf.Ruleset(READ | CHMOD, default="allow") as ruleset:
        for path, denied in ((files["a"], READ), (files["b"], CHMOD)):
            with opened(path) as fd:
                ruleset.add(fd, denied=denied)
        moved = files["a"].rename(tree / "moved")
        made = ruleset.policy()
    assert [each.path for each in made.rules] == [str(moved), str(files["b"])]
    with live.attach("made", [made], cgroup) as domain:
        assert isinstance(domain, landlock_bpf.Domain) and domain.kind == abi.Kind.CGROUP
        assert inside.errno(operation.touch, moved, os.O_RDONLY) == errno.EACCES
        assert inside.errno(os.chmod, moved, 0o600) == 0
        assert inside.errno(os.chmod, files["b"], 0o600) == errno.EACCES
        assert [seen.path for seen in domain.denials() if seen.action == CHMOD] == [str(files["b"])]
    assert inside.errno(operation.touch, moved, os.O_RDONLY) == 0
    gone = landlock_bpf.Ruleset(READ)
    with opened(files["c"]) as fd:
        gone.add(fd, allowed=READ)
    files["c"].unlink()
    with gone, pytest.raises(errors.PolicyError, match="rule 1 is on is not to be found"):
        gone.policy()


def test_a_rule_is_on_what_was_opened_or_refused(
    files: dict[str, Path],
    tree: Path,
    cgroup: Path,
    live: controller.Controller,
    inside: Member,
    listed: Callable[[], list[str]],
) -> None:
    """The paths of a policy are those of when it was made: a rename after that must not put a rule on another object."""
    with landlock_bpf.Ruleset(READ, default="allow") as ruleset:
        with opened(files["a"]) as fd:
            ruleset.add(fd, denied=READ)
        made = ruleset.policy()
        files["a"].rename(tree / "moved")
        files["b"].rename(files["a"])
        with pytest.raises(errors.PolicyError, match="ruleset:1: .*/a does not lead to what its rule was opened on"):
            live.attach("made", [made], cgroup)
        assert not listed()
        with live.attach("made", [ruleset.policy()], cgroup):
            assert inside.errno(operation.touch, tree / "moved", os.O_RDONLY) == errno.EACCES
            assert inside.errno(operation.touch, files["a"], os.O_RDONLY) == 0


def test_rules_on_names(tree: Path, cgroup: Path, live: controller.Controller, inside: Member) -> None:
    (tree / "key.pem").touch()
    (tree / "key").touch()
    with landlock_bpf.Ruleset(READ, default="allow") as ruleset:
        with opened(tree) as fd:
            ruleset.add(fd, denied=READ, names=["*.pem"])
        with live.attach("made", [ruleset.policy()], cgroup):
            assert inside.errno(operation.touch, tree / "key.pem", os.O_RDONLY) == errno.EACCES
            assert inside.errno(operation.touch, tree / "key", os.O_RDONLY) == 0
    assert inside.errno(operation.touch, tree / "key.pem", os.O_RDONLY) == 0


def test_a_domain_and_what_is_done_with_it(
    files: dict[str, Path], cgroup: Path, live: controller.Controller, inside: Member, listed: Callable[[], list[str]]
) -> None:
    a, b, c = files.values()
    deny = {path: rule.make(READ, rule.deny(path, READ), default="allow") for path in files.values()}

    def seen(member: Member) -> list[int]:
        return [member.errno(operation.touch, path, os.O_RDONLY) for path in files.values()]

    with live.attach("made", [deny[a]], cgroup) as domain, Member() as outside:
        assert seen(inside) == [errno.EACCES, 0, 0]
        assert [domain.why("read_file", str(path)).allowed for path in (a, b)] == [False, True]
        with pytest.raises(ValueError, match="'reed' is no action"):
            domain.why("reed", str(a))
        domain.update([deny[b]]).add_rules(deny[c])
        assert seen(inside) == [0, errno.EACCES, errno.EACCES]
        live.domain("made").remove_rule(str(c))
        assert seen(inside) == [0, errno.EACCES, 0]
        assert seen(outside) == [0, 0, 0]
        pidfd = os.pidfd_open(outside.pid)
        try:
            alike = domain.confine(pidfd)
            assert alike.kind == abi.Kind.PROCESS and alike.name == f"made-{outside.pid}"
            assert seen(outside) == [0, errno.EACCES, 0]
            domain.update([deny[a]])
            assert seen(outside) == [0, errno.EACCES, 0]
            with alike:  # it ends with its process, not with the block
                alike.add_rules(deny[c])
            assert seen(outside) == [0, errno.EACCES, errno.EACCES]
        finally:
            os.close(pidfd)
    assert not listed()


def test_more_join_a_domain_of_processes(files: dict[str, Path], live: controller.Controller) -> None:
    """Several processes in one domain: what changes it reaches all of them."""
    a, b, _c = files.values()
    with Member() as first, Member() as second:
        pidfds = [os.pidfd_open(each.pid) for each in (first, second)]
        try:
            domain = live.confine(pidfds[0], [rule.make(READ, rule.deny(a, READ), default="allow")], "both")
            assert domain.confine(pidfds[1]).name == "both"
        finally:
            for pidfd in pidfds:
                os.close(pidfd)
        assert domain.info().tasks == 2
        domain.update([rule.make(READ, rule.deny(b, READ), default="allow")])
        for each in (first, second):
            assert [each.errno(operation.touch, path, os.O_RDONLY) for path in (a, b)] == [0, errno.EACCES]


def test_names_are_exported() -> None:
    assert {name: getattr(landlock_bpf, name).__name__ for name in landlock_bpf.__all__} == {
        name: name for name in landlock_bpf.__all__
    }
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        landlock_bpf.Nothing  # type: ignore[attr-defined]  # noqa: B018
