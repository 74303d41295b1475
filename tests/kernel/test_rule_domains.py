# SPDX-License-Identifier: GPL-2.0-only
"""Rule programs as layers of domains: nested, mixed with policies, updated, marked anew, linked to control groups, refused.

All are asked of flock(2) alone, the hook with the fewest questions: one attached hook is enough here.
"""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import operation
import pytest
import rule
from member import Member
from test_crash import each_step, state

from landlock_bpf import abi, bpf, compiler, controller, engine, errors, events, marking, program, rule_request, rule_slots
from landlock_bpf.abi import Action

NO = errno.EPERM
SHARED, EXCLUSIVE = fcntl.LOCK_SH, fcntl.LOCK_EX
COMMAND = (sys.executable, "-m", "landlock_bpf")
BEFORE = """\
#include <uapi/linux/bpf.h>
#include <uapi/linux/fcntl.h>
#include "bpf_helpers.h"
"""
RULE = """
SEC("landlock1")
static int decide(struct landlock_context *ctx)
{
	return %s;
}

SEC("subtype")
static const union bpf_prog_subtype _subtype = {
	.landlock_rule = { .abi = 1, .event = LANDLOCK_SUBTYPE_EVENT_FS_LOCK },
};

SEC("license")
static const char _license[] = "GPL";
"""
# What a rule program denies, as C says it: security_file_lock() is given the type of the lock, F_RDLCK 0 or F_WRLCK 1.
SAYS = {
    "shared": RULE % "ctx->arg2 == 0",
    "exclusive": RULE % "ctx->arg2 == 1",
    "nothing": RULE % "0",
    "view": "LANDLOCK_FSVIEW(trees, 4);\n" + RULE % "bpf_fsview_lookup(&trees, (void *)ctx->arg1) != LANDLOCK_MARK_RW",
}
ENGINE, LSM_CGROUP, AUTO = rule_request.ATTACH

Compiled = Callable[..., rule_request.Request]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """Compile rule programs by the names of what they deny."""
    folder = tmp_path_factory.mktemp("rules")

    def make(*names: str, **options: object) -> rule_request.Request:
        for name in names:
            (folder / f"{name}.c").write_text(BEFORE + SAYS[name])
        return rule.programs(*(folder / f"{name}.c" for name in names), **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def file(tree: Path) -> Path:
    path = tree / "file"
    path.write_text("")
    return path


@pytest.fixture(autouse=True)
def clear(live: controller.Controller, listed: Callable[[], list[str]]) -> Iterator[None]:
    yield
    for name in listed():
        live.detach(name)


def lock(path: Path, how: int) -> None:
    with path.open() as opened:
        fcntl.flock(opened, how | fcntl.LOCK_NB)


def seen(member: Member, path: Path) -> tuple[int, int]:
    """Try both locks; the errno of each."""
    return member.errno(lock, path, SHARED), member.errno(lock, path, EXCLUSIVE)


def test_inside_and_outside(compiled: Compiled, file: Path, cgroup: Path, attach: rule.Attach) -> None:
    """A task that is moved in or out gains or loses the rules of the control group at once."""
    with Member() as moving, Member(cgroup) as inside:
        assert seen(inside, file) == (0, 0)
        attach(rules=compiled("shared"))
        assert seen(inside, file) == (NO, 0) and seen(moving, file) == (0, 0)
        moving.ask(move, cgroup)
        assert seen(moving, file) == (NO, 0)
        moving.ask(move, cgroup.parent)
        assert seen(moving, file) == (0, 0)


def move(cgroup: Path) -> None:
    (cgroup / "cgroup.procs").write_text("0")


def test_one_denial_of_several_is_enough(compiled: Compiled, file: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rules=compiled("nothing", "shared", "exclusive"))
    assert seen(inside, file) == (NO, NO)


@pytest.mark.parametrize("loader", rule.LOADERS)
def test_both_loaders(loader: str, compiled: Compiled, file: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rules=compiled("shared", loader=loader))
    assert seen(inside, file) == (NO, 0)


def test_nested(compiled: Compiled, file: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    """All layers must allow; the inner domain's are asked first; each goes with its own domain."""
    inner = cgroup / "inner"
    inner.mkdir()
    with Member(inner) as inside, Member(cgroup) as between:
        outer = attach(rules=compiled("shared"))
        within = attach(rules=compiled("shared", "exclusive"), cgroup=inner)
        assert seen(between, file) == (NO, 0) and seen(inside, file) == (NO, NO)
        list(events.read(follow=False))
        seen(inside, file), seen(between, file)
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
        assert seen(between, file) == (0, 0) and seen(inside, file) == (NO, NO)


def test_policies_and_rule_programs_together(
    compiled: Compiled, file: Path, inside: Member, attach: rule.Attach, live: controller.Controller
) -> None:
    """All must allow; an update with policies alone takes the rule programs away."""
    policies = [rule.make(Action.READ_FILE, rule.deny(file, Action.READ_FILE), default="allow")]
    beside = file.with_name("beside")
    beside.write_text("")
    name = attach(*policies, rules=compiled("shared"))
    assert inside.errno(operation.touch, file, os.O_RDONLY) == errno.EACCES
    assert seen(inside, beside) == (NO, 0)
    live.update(name, policies)
    assert inside.errno(operation.touch, file, os.O_RDONLY) == errno.EACCES
    assert seen(inside, beside) == (0, 0)
    live.update(name, [], rules=compiled("exclusive"))
    assert seen(inside, file) == (0, NO)


def test_views_are_marked_anew(
    compiled: Compiled, file: Path, tree: Path, cgroup: Path, inside: Member, live: controller.Controller
) -> None:
    beneath = tree / "inner" / "file"
    beneath.parent.mkdir()
    beneath.write_text("")
    live.attach("test", [], cgroup, rules=compiled("view", trees=marking.parse([f"trees=rw:{tree}"])))
    assert seen(inside, file) == seen(inside, beneath) == (0, 0)
    live.mark("test", marking.parse([f"trees=rw:{tree},ro:{beneath.parent}"]))
    assert seen(inside, file) == (0, 0) and seen(inside, beneath) == (NO, NO)
    live.mark("test", marking.parse(["trees="]))
    assert seen(inside, file) == seen(inside, beneath) == (NO, NO)
    (programs,) = (layer.programs for layer in live.show("test").policies)
    assert programs and [view.name for view in programs.views] == ["trees"] and not programs.views[0].marks
    live.detach("test")
    assert not views_left()


def views_left() -> list[object]:
    with engine.Engine(engine.PINS) as found:
        return list(found.views.items())


def test_what_is_shown(compiled: Compiled, attach: rule.Attach, live: controller.Controller) -> None:
    name = attach(rules=compiled("shared", "view", trees={"trees": (marking.Tree(2, "/tmp"),)}))
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
def test_refused_before_anything_changes(name: str, compiled: Compiled, cgroup: Path, live: controller.Controller) -> None:
    names, options, error, words = REFUSED[name]
    before = state(live)
    with pytest.raises(error, match=words):
        live.attach("test", [], cgroup, rules=compiled(*names, **options))
    assert state(live) == before


def test_too_many_with_those_around(compiled: Compiled, cgroup: Path, attach: rule.Attach, live: controller.Controller) -> None:
    inner = cgroup / "inner"
    inner.mkdir()
    one = compiled("nothing")
    attach(rules=times(one, 33))
    before = state(live)
    with pytest.raises(errors.LimitError, match="would have 65 rule programs"):
        live.attach("test", [], inner, rules=times(one, 32))
    with pytest.raises(errors.LimitError, match="a domain can have 64"):
        live.attach("test", [], inner, rules=times(one, 65))
    assert state(live) == before


def test_as_many_layers_as_there_may_be(
    compiled: Compiled, file: Path, cgroup: Path, attach: rule.Attach, live: controller.Controller
) -> None:
    """Each is asked, by tail calls one after the other; one more is refused."""
    innermost = cgroup
    for _ in range(abi.Limit.LAYERS):
        attach(rules=compiled("exclusive" if innermost == cgroup else "nothing"), cgroup=innermost)
        outer, innermost = innermost, innermost / "inner"
        innermost.mkdir()
    before = state(live)
    with pytest.raises(errors.LimitError, match="would have 17 layers"):
        live.attach("test", [], innermost, rules=compiled("nothing"))
    assert state(live) == before
    with Member(outer) as inside:
        assert seen(inside, file) == (0, NO)


def test_a_command_that_may_not_be_executed(tree: Path) -> None:
    """We say so, though the rule program denies all writes to pipes as well."""
    (tree / "rule.c").write_text(BEFORE + RULE.replace("FS_LOCK", "FS") % "1")
    given = [*COMMAND, "run", "-r", tree / "rule.c", "--", "true"]
    done = subprocess.run([*map(str, given)], capture_output=True, text=True)
    assert done.returncode == 126 and "cannot execute true: Operation not permitted; if a rule denies it" in done.stderr


def times(request: rule_request.Request, count: int) -> rule_request.Request:
    """Give a request with its rule program so many times."""
    return dataclasses.replace(request, layer=dataclasses.replace(request.layer, rules=request.layer.rules * count))


def test_run(compiled: Compiled, file: Path, cgroup: Path, live: controller.Controller) -> None:
    """A process domain: kept in other control groups, inherited, and gone with its last process."""
    with pytest.raises(errors.LimitError, match="binds control groups, not process trees"):
        live.prepare([], "test", cgroup, rules=compiled("shared", attach=LSM_CGROUP))
    with live.prepare([], "test", cgroup, rules=compiled("shared")) as confinement:
        with Member(before=confinement.enter) as confined:
            assert seen(confined, file) == (NO, 0)
            confined.ask(move, cgroup)
            assert seen(confined, file) == (NO, 0)


def test_linked_to_the_control_group(
    compiled: Compiled, file: Path, cgroup: Path, inside: Member, live: controller.Controller
) -> None:
    """BPF_LSM_CGROUP: for all beneath, updated and detached as well, and said by show."""
    live.attach("test", [], cgroup, rules=compiled("shared", attach=LSM_CGROUP))
    inner = cgroup / "inner"
    inner.mkdir()
    with Member(inner) as beneath:
        assert seen(inside, file) == seen(beneath, file) == (NO, 0)
    (programs,) = (layer.programs for layer in live.show("test").policies)
    assert programs and (programs.attach, programs.why, programs.hooks) == (LSM_CGROUP, "it was asked for", ("file_lock",))
    live.update("test", [], rules=compiled("exclusive", attach=AUTO))
    assert seen(inside, file) == (0, NO)
    live.update("test", [], rules=compiled("shared"))
    assert seen(inside, file) == (NO, 0)
    live.detach("test")
    assert seen(inside, file) == (0, 0)


HOOKS = ("socket_bind", "socket_create", "socket_listen", "socket_connect", "socket_accept", "socket_sendmsg", "socket_recvmsg",
         "socket_getsockname", "socket_getpeername", "socket_shutdown")  # fmt: skip
TAKING = """
#include "kernel.h"
char LICENSE[] SEC("license") = "GPL";
""" + "".join(f'SEC("lsm_cgroup/{hook}") int take_{hook}(void *ctx) {{ return 1; }}\n' for hook in HOOKS)


def test_all_room_of_lsm_cgroup_taken(
    compiled: Compiled, file: Path, cgroup: Path, inside: Member, live: controller.Controller, tmp_path: Path
) -> None:
    """Ten hooks in the whole system: an error that says so, and with auto the engine."""
    compiler.compile_source(TAKING, tmp_path / "taking.o", include=(compiler.source_dir(),))
    place, links = cgroup.parent / "taking", []
    place.mkdir()
    target = os.open(place, os.O_RDONLY)
    try:
        with program.Object.open_file(tmp_path / "taking.o") as taking:
            taking.load()
            for name in taking.program_names():
                links.append(bpf.link_create(taking.program(name), bpf.AttachType.LSM_CGROUP, name, target=target))
        before = state(live)
        with pytest.raises(rule_slots.NoRoomError, match="none for file_lock; use --attach engine"):
            live.attach("test", [], cgroup, rules=compiled("shared", attach=LSM_CGROUP))
        assert state(live) == before and seen(inside, file) == (0, 0)
        live.attach("test", [], cgroup, rules=compiled("shared", attach=AUTO))
        (programs,) = (layer.programs for layer in live.show("test").policies)
        assert programs and programs.attach == ENGINE and "have all its room" in programs.why
        assert seen(inside, file) == (NO, 0)
    finally:
        for fd in (*links, target):
            os.close(fd)
        place.rmdir()


@pytest.mark.parametrize("way", [ENGINE, LSM_CGROUP])
def test_killed_while_attaching(
    way: str, compiled: Compiled, file: Path, cgroup: Path, inside: Member, live: controller.Controller
) -> None:
    request = compiled("shared", attach=way)
    live.attach("test", [], cgroup, rules=request)  # compiles what is not in the cache yet
    live.detach("test")
    before = state(live)
    for number in each_step(lambda: live.attach("test", [], cgroup, rules=request), every=4):
        now = seen(inside, file)
        assert now in ((0, 0), (NO, 0)), number
        left = state(live)
        # A link is in force from its making on, the domain from its switch on: what stands between is taken back.
        assert seen(inside, file) == ((NO, 0) if "test" in left[0] else (0, 0)), number
        assert way == LSM_CGROUP or seen(inside, file) == now, number
        if "test" in left[0]:
            live.detach("test")
            left = state(live)
        assert left == before, number


def test_killed_while_updating(
    compiled: Compiled, file: Path, cgroup: Path, inside: Member, live: controller.Controller
) -> None:
    old, new = compiled("shared"), compiled("exclusive")
    live.attach("test", [], cgroup, rules=new)
    live.update("test", [], rules=old)
    before = state(live)
    for number in each_step(lambda: live.update("test", [], rules=new), every=4):
        now = seen(inside, file)
        assert now in ((NO, 0), (0, NO)), number
        left = state(live)
        assert seen(inside, file) == now, number
        if now == (0, NO):
            live.update("test", [], rules=old)
            left = state(live)
        assert left == before, number
    assert now == (0, NO)


def test_killed_while_detaching(
    compiled: Compiled, file: Path, cgroup: Path, inside: Member, live: controller.Controller
) -> None:
    request = compiled("shared")
    before = state(live)
    live.attach("test", [], cgroup, rules=request)
    for number in each_step(lambda: live.detach("test"), every=4):
        now = seen(inside, file)
        left = state(live)
        assert seen(inside, file) == now == ((NO, 0) if "test" in left[0] else (0, 0)), number
        if "test" not in left[0]:
            assert left == before, number
            live.attach("test", [], cgroup, rules=request)


def test_the_command_line(tree: Path, file: Path) -> None:
    (tree / "rule.c").write_text(BEFORE + SAYS["view"])

    def run(*words: object, **variables: str) -> tuple[int, str]:
        given = [*COMMAND, "run", "-r", tree / "rule.c", *words, "--", "flock", "-n", file, "true"]
        done = subprocess.run([*map(str, given)], capture_output=True, text=True, env={**os.environ, **variables})
        return done.returncode, done.stderr

    assert run("--view", f"trees=rw:{tree}") == (0, "")
    assert run(LL_PATH_RW=str(tree)) == (0, "")
    status, words = run(LL_PATH_RO=str(tree))
    assert status and "Operation not permitted" in words
    status, words = run("--view", "tree=rw:/")
    assert status == 125 and "is no view of these rule programs; views are declared with LANDLOCK_FSVIEW: trees" in words
