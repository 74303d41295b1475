# SPDX-License-Identifier: GPL-2.0-only
"""Rule programs as layers of domains: nested, mixed with policies, updated, shown, refused."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import locking
import operation
import pytest
import rule
import way
from locking import ENGINE, LSM_CGROUP, NO
from member import Member
from test_crash import state

from landlock_bpf import abi, controller, errors, events, marking
from landlock_bpf.abi import Action

pytestmark = pytest.mark.usefixtures("cleared")

COMMAND = (sys.executable, "-m", "landlock_bpf")


def test_inside_and_outside(file: Path, cgroup: Path, attach: rule.Attach) -> None:
    """A task that is moved in or out gains or loses the rules of the control group at once; none moves itself out."""
    with Member() as moving, Member(cgroup) as inside:
        assert locking.seen(inside, file) == (0, 0)
        attach(rules=rule.programs("shared"))
        assert locking.seen(inside, file) == (NO, 0) and locking.seen(moving, file) == (0, 0)
        moving.ask(locking.move, cgroup)
        assert locking.seen(moving, file) == (NO, 0)
        assert moving.errno(locking.move, cgroup.parent) == NO
        assert locking.seen(moving, file) == (NO, 0)
        (cgroup.parent / "cgroup.procs").write_text(str(moving.pid))
        assert locking.seen(moving, file) == (0, 0)


@pytest.mark.usefixtures("forgotten")
def test_who_leaves_by_an_inherited_descriptor(file: Path, cgroup: Path, attach: rule.Attach) -> None:
    """The kernel moves him, as it asks nobody; the rule programs that he leaves are still asked, and those he comes to."""
    home, elsewhere = cgroup / "home", cgroup / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    descriptor = os.open(elsewhere / "cgroup.procs", os.O_WRONLY)
    with Member(home) as leaving, Member(home) as never_bound:
        assert never_bound.errno(way.enter_by, descriptor) == 0
        attach(rules=rule.programs("shared"), cgroup=home)
        assert locking.seen(leaving, file) == (NO, 0) and locking.seen(never_bound, file) == (0, 0)
        assert leaving.errno(way.enter_by, descriptor) == 0
        assert "/elsewhere" in Path(f"/proc/{leaving.pid}/cgroup").read_text()
        assert locking.seen(leaving, file) == (NO, 0) and locking.seen(never_bound, file) == (0, 0)
        attach(rules=rule.programs("exclusive"), cgroup=elsewhere)
        assert locking.seen(leaving, file) == (NO, NO) and locking.seen(never_bound, file) == (0, NO)
    os.close(descriptor)


def test_one_denial_of_several_is_enough(file: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rules=rule.programs("nothing", "shared", "exclusive"))
    assert locking.seen(inside, file) == (NO, NO)


@pytest.mark.parametrize("loader", rule.LOADERS)
def test_both_loaders(loader: str, file: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rules=rule.programs("shared", loader=loader))
    assert locking.seen(inside, file) == (NO, 0)


def test_nested(file: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """All layers must allow; the inner domain's are asked first; each goes with its own domain."""
    inner = cgroup / "inner"
    inner.mkdir()
    with Member(inner) as inside, Member(cgroup) as between:
        outer = attach(rules=rule.programs("shared"))
        within = attach(rules=rule.programs("shared", "exclusive"), cgroup=inner)
        assert locking.seen(between, file) == (NO, 0) and locking.seen(inside, file) == (NO, NO)
        list(events.read(follow=False))
        locking.seen(inside, file), locking.seen(between, file)
        denials = [each for each in events.read(follow=False) if each.event == "FS_LOCK"]
        assert [each.domain for each in denials] == [within, within, outer]
        assert [(each.rule.file.rpartition("/")[2] if each.rule else "", each.asked) for each in denials] == [
            ("shared.c", ("FS_LOCK:cmd=0x0",)),
            ("exclusive.c", ("FS_LOCK:cmd=0x1",)),
            ("shared.c", ("FS_LOCK:cmd=0x0",)),
        ]
        assert {(each.error, each.hook, each.function, each.path) for each in denials} == {
            ("EPERM", "file_lock", "decide", str(file))
        }
        live.detach(outer)
        assert locking.seen(between, file) == (0, 0) and locking.seen(inside, file) == (NO, NO)


def test_policies_and_rule_programs_together(
    file: Path, inside: Member, attach: rule.Attach, live: controller.Controller
) -> None:
    """All must allow; an update with policies alone takes the rule programs away."""
    policies = [rule.make(Action.READ_FILE, rule.deny(file, Action.READ_FILE), default="allow")]
    beside = file.with_name("beside")
    beside.write_text("")
    name = attach(*policies, rules=rule.programs("shared"))
    assert inside.errno(operation.touch, file, os.O_RDONLY) == errno.EACCES
    assert locking.seen(inside, beside) == (NO, 0)
    live.update(name, policies)
    assert inside.errno(operation.touch, file, os.O_RDONLY) == errno.EACCES
    assert locking.seen(inside, beside) == (0, 0)
    live.update(name, [], rules=rule.programs("exclusive"))
    assert locking.seen(inside, file) == (0, NO)


def test_what_is_shown(attach: rule.Attach, live: controller.Controller) -> None:
    name = attach(rules=rule.programs("shared", "view", trees={"trees": (marking.Tree(2, "/tmp"),)}))
    info = live.show(name)
    (layer,) = info.policies
    assert layer.programs
    assert (layer.programs.attach, layer.programs.loader, layer.programs.hooks) == (ENGINE, "libbpf", ("file_lock",))
    assert [(each.function, each.event) for each in layer.programs.rules] == [("decide", abi.Event.FS_LOCK)] * 2
    assert [(each.path, each.mark, each.ended) for each in layer.programs.views[0].marks] == [("/tmp", 2, False)]
    assert {each.name: each.why for each in info.hooks}["file_lock"] == "rule programs"
    assert info.info.rules == 2


REFUSED: dict[str, tuple[tuple[str, ...], dict[str, Any], type[errors.Error], str]] = {
    "a name of no view": (("view",), {"trees": {"other": ()}}, errors.PolicyError, "is no view of these rule programs"),
    "too many marks": (
        ("view",),
        {"trees": {"trees": tuple(marking.Tree(1, f"/{each}") for each in "abcde")}},
        errors.PolicyError,
        "has room for 4",
    ),
    "a path that is not there": (
        ("view",),
        {"trees": {"trees": (marking.Tree(1, "/nowhere"),)}},
        errors.PolicyError,
        "only what exists can be marked",
    ),
    "views with lsm_cgroup": (("view",), {"attach": LSM_CGROUP}, errors.LimitError, "cannot ask views"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_anything_changes(name: str, cgroup: Path, live: controller.Controller) -> None:
    names, options, error, words = REFUSED[name]
    before = state(live)
    with pytest.raises(error, match=words):
        live.attach("test", [], cgroup, rules=rule.programs(*names, **options))
    assert state(live) == before


def test_too_many_with_those_around(cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    inner = cgroup / "inner"
    inner.mkdir()
    one = rule.programs("nothing")
    attach(rules=locking.times(one, 33))
    before = state(live)
    with pytest.raises(errors.LimitError, match="would have 65 rule programs"):
        live.attach("test", [], inner, rules=locking.times(one, 32))
    with pytest.raises(errors.LimitError, match="a domain can have 64"):
        live.attach("test", [], inner, rules=locking.times(one, 65))
    assert state(live) == before


def test_as_many_layers_as_there_may_be(file: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """Each is asked, by tail calls one after the other; one more is refused."""
    innermost = cgroup
    for _ in range(abi.Limit.LAYERS):
        attach(rules=rule.programs("exclusive" if innermost == cgroup else "nothing"), cgroup=innermost)
        outer, innermost = innermost, innermost / "inner"
        innermost.mkdir()
    before = state(live)
    with pytest.raises(errors.LimitError, match="would have 17 layers"):
        live.attach("test", [], innermost, rules=rule.programs("nothing"))
    assert state(live) == before
    with Member(outer) as inside:
        assert locking.seen(inside, file) == (0, NO)


def test_a_command_that_may_not_be_executed() -> None:
    """We say so, though the rule program denies all writes to pipes as well."""
    given = [*COMMAND, "run", "-r", rule.PROGRAMS / "everything.c", "--", "true"]
    done = subprocess.run([*map(str, given)], capture_output=True, text=True)
    assert done.returncode == 126 and "cannot execute true: Operation not permitted; if a rule denies it" in done.stderr


def test_run(file: Path, cgroup: Path, live: controller.Controller) -> None:
    """A process domain: kept in other control groups, inherited, and gone with its last process."""
    with pytest.raises(errors.LimitError, match="binds control groups, not process trees"):
        live.prepare([], "test", cgroup, rules=rule.programs("shared", attach=LSM_CGROUP))
    with live.prepare([], "test", cgroup, rules=rule.programs("shared")) as confinement:
        with Member(before=confinement.enter) as confined:
            assert locking.seen(confined, file) == (NO, 0)
            confined.ask(locking.move, cgroup)
            assert locking.seen(confined, file) == (NO, 0)


def test_the_command_line(tree: Path, file: Path) -> None:
    def run(*words: object, **variables: str) -> tuple[int, str]:
        given = [*COMMAND, "run", "-r", rule.PROGRAMS / "view.c", *words, "--", "flock", "-n", file, "true"]
        done = subprocess.run([*map(str, given)], capture_output=True, text=True, env={**os.environ, **variables})
        return done.returncode, done.stderr

    assert run("--view", f"trees=rw:{tree}") == (0, "")
    assert run(LL_PATH_RW=str(tree)) == (0, "")
    status, words = run(LL_PATH_RO=str(tree))
    assert status and "Operation not permitted" in words
    status, words = run("--view", "tree=rw:/")
    assert status == 125 and "is no view of these rule programs; views are declared with LANDLOCK_FSVIEW: trees" in words


def test_no_moment_without_rules(file: Path, tree: Path, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    """While slots are taken and freed and marks come and go, each call is decided by the old rules or the new ones."""
    requests = (
        rule.programs("shared", "view"),
        rule.programs("view", "nothing"),
        rule.programs("shared", attach=locking.LSM_CGROUP),
    )
    live.attach("test", [], cgroup, rules=requests[0])
    list(events.read(follow=False))
    inside.begin(locking.hammer, file, tree / "stop")
    for number in range(12):
        live.update("test", [], rules=requests[number % 3])
        if number % 3 < 2:
            live.mark("test", marking.parse([f"trees=ro:{tree}" if number % 2 else "trees="]))
    (tree / "stop").write_text("")
    found = inside.end()
    assert set(found) == {NO} and found[NO] > 1000
    assert {each.reason for each in events.read(follow=False)} == {"program"}


def test_links_are_asked_alike_after_a_rule_was_added(
    file: Path, attach: rule.Attach, live: controller.Controller, inside: Member
) -> None:
    """Rule programs without views are asked whether the file may be read, also once a policy beside them was amended."""
    new, read = file.with_name("new"), Action.READ_FILE

    def link() -> int:
        found = inside.errno(os.link, file, new)
        new.unlink(missing_ok=True)
        return found

    name = attach(rule.make(read, default="allow"), rules=rule.programs("no_write_files"))
    assert inside.errno(operation.touch, file, os.O_WRONLY) == NO and link() == 0
    live.add_rules(name, rule.make(read, rule.deny(file.parent / "other", read)))
    assert inside.errno(operation.touch, file, os.O_WRONLY) == NO and link() == 0
    live.remove_rule(name, str(file.parent / "other"))
    assert inside.errno(operation.touch, file, os.O_WRONLY) == NO and link() == 0
