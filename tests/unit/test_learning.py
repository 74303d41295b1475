# SPDX-License-Identifier: GPL-2.0-only
"""Rules made of what a command did: each step of the stated way of folding, and nothing allowed that was not needed."""

from __future__ import annotations

import posixpath

import pytest

from landlock_bpf import learning, policy
from landlock_bpf.abi import Action
from landlock_bpf.learning import Asked

READ, WRITE, LIST = Action.READ_FILE, Action.WRITE_FILE, Action.READ_DIR
USUAL = READ | LIST | Action.EXECUTE
FILES = (
    "/etc/passwd",
    "/etc/group",
    "/etc/hosts",
    "/etc/motd",
    "/data/a",
    "/data/b",
    "/data/c",
    "/data/d",
    "/home/me/.x",
    "/dev/null",
    "/dev/pts/3",
)


def kinds(*files: str) -> learning.Host:
    """A machine with these files and the directories above them; /home/me is a home directory."""
    directories = {above for file in files for above in learning._above(file)} | {"/usr", "/usr/lib", "/proc", "/tmp", "/work"}

    def is_directory(path: str) -> bool | None:
        return False if path in files else True if path in directories else None

    return learning.Host(is_directory, frozenset({"/home/me"}))


def learn(*asked: Asked, fold: int = 3, files: tuple[str, ...] = FILES) -> dict[str, Action]:
    return {rule.path: rule.allowed for rule in learning.rules(asked, kinds(*files), fold=fold)}


ROWS = {
    "a file": ([Asked(READ, "/etc/passwd")], {"/etc/passwd": READ}),
    "twice": ([Asked(READ, "/data/a"), Asked(WRITE, "/data/a")], {"/data/a": READ | WRITE}),
    "of the directory": ([Asked(Action.REMOVE_FILE, "/data/gone")], {"/data": Action.REMOVE_FILE}),
    "made by itself": (
        [Asked(Action.MAKE_REG, "/tmp/new"), Asked(WRITE, "/tmp/new")],
        {"/tmp": Action.MAKE_REG | WRITE | Action.TRUNCATE},
    ),
    "made, and there afterwards": (
        [Asked(Action.MAKE_REG, "/data/a"), Asked(WRITE, "/data/a")],
        {"/data": Action.MAKE_REG | WRITE | Action.TRUNCATE},
    ),
    "in what it made": (
        [Asked(Action.MAKE_DIR, "/tmp/d"), Asked(Action.MAKE_REG, "/tmp/d/f"), Asked(WRITE, "/tmp/d/f"), Asked(LIST, "/tmp/d")],
        {"/tmp": Action.MAKE_DIR | Action.MAKE_REG | WRITE | Action.TRUNCATE | LIST},
    ),
    "gone": ([Asked(READ, "/tmp/x/y/z")], {"/tmp": READ}),
    "volatile": (
        [Asked(READ, "/proc/12/stat"), Asked(READ, "/proc/meminfo"), Asked(WRITE, "/dev/pts/3")],
        {"/proc": READ, "/dev/pts": WRITE},
    ),
    "libraries": ([Asked(READ, "/usr/lib/libc.so"), Asked(Action.EXECUTE, "/usr/bin/ls")], {"/usr": USUAL}),
    "written below /usr": (
        [Asked(READ | WRITE, "/usr/lib/x")],
        {"/usr": USUAL, "/usr/lib": WRITE},
    ),
    "many": ([Asked(READ, f"/data/{name}") for name in "abcd"], {"/data": READ}),
    "not many": ([Asked(READ, f"/etc/{name}") for name in ("passwd", "group", "hosts")],
                 {f"/etc/{name}": READ for name in ("passwd", "group", "hosts")}),
    "implied": ([Asked(READ, "/tmp/x"), Asked(READ, "/tmp/y/z"), Asked(LIST | READ, "/tmp")], {"/tmp": READ | LIST}),
    "renamed beside": (
        [Asked(Action.REMOVE_FILE, "/tmp/a", "/tmp/b"), Asked(Action.MAKE_REG, "/tmp/a", "/tmp/b")],
        {"/tmp": Action.REMOVE_FILE | Action.MAKE_REG},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_folding(name: str) -> None:
    asked, expected = ROWS[name]
    assert learn(*asked) == expected


def test_a_move_gains_nothing() -> None:
    """Into /tmp, where it may be written: so it may be where it came from."""
    moves = (
        Asked(Action.REMOVE_FILE | Action.REFER, "/work/a", "/tmp/a"),
        Asked(Action.MAKE_REG | Action.REFER, "/work/a", "/tmp/a"),
    )
    found = learn(*moves, Asked(WRITE, "/tmp/a"), Asked(READ, "/tmp/b"))
    assert found["/tmp"] & found["/work"] & (WRITE | READ | Action.REFER) == WRITE | READ | Action.REFER
    assert found["/work"] & (Action.REMOVE_FILE | Action.MAKE_REG) == Action.REMOVE_FILE
    assert found["/tmp"] & Action.MAKE_REG


def test_never_the_root_or_a_home() -> None:
    files = tuple(f"{place}/{number}" for place in ("/home/me", "", "/etc") for number in range(9))
    found = learn(*(Asked(READ, path) for path in files), files=files)
    assert set(found) == set(files)


def test_folding_goes_up() -> None:
    files = tuple(f"/srv/{outer}/{inner}" for outer in range(5) for inner in range(5))
    assert learn(*(Asked(READ, path) for path in files), files=files) == {"/srv": READ}
    assert learn(*(Asked(READ, path) for path in files), files=files, fold=9) == {path: READ for path in files}


def test_all_that_was_asked_is_allowed() -> None:
    """Whatever is folded, nothing is lost."""
    asked = [Asked(READ if number % 3 else WRITE, f"/srv/{number % 7}/{number}") for number in range(200)]
    files = tuple(each.path for each in asked)
    for fold in (1, 3, 10, 1000):
        found = learn(*asked, files=files, fold=fold)
        for each in asked:
            above = (each.path, *learning._above(each.path))
            assert any(each.actions & found.get(path, Action(0)) for path in above)
        assert posixpath.sep not in found


def test_what_is_not_handled_is_not_allowed() -> None:
    made = learning.rules([Asked(READ, "/usr/lib/x"), Asked(WRITE, "/data/a")], kinds(*FILES), handled=READ)
    assert {rule.path: rule.allowed for rule in made} == {"/usr": READ}


def test_lifted_to_the_directory() -> None:
    made = learning.rules([Asked(READ, "/data/a"), Asked(WRITE, "/data/b"), Asked(READ, "/etc/motd")], kinds(*FILES))
    (number,) = (rule.location.line for rule in made if rule.path == "/data/b")
    lifted = learning.lifted(made, {number})
    assert {rule.path: rule.allowed for rule in lifted} == {"/data": WRITE, "/data/a": READ, "/etc/motd": READ}


def test_what_is_left_over_folds_too() -> None:
    """Files below share an action only once the directory above has the other."""
    below = [Asked(READ | WRITE, "/srv/x/0"), *(Asked(WRITE, f"/srv/x/{number}") for number in range(1, 4))]
    beside = [Asked(READ, f"/srv/{number}") for number in range(4)]
    files = tuple(each.path for each in (*below, *beside))
    assert learn(*below, *beside, files=files) == {"/srv": READ, "/srv/x": WRITE}


def test_twice_the_directories_take_twice_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in steps from a path to its directory."""
    steps: list[str] = []
    dirname = posixpath.dirname
    monkeypatch.setattr(posixpath, "dirname", lambda path: steps.append(path) or dirname(path))
    counts = []
    for many in (50, 100):
        steps.clear()
        rights = {f"/srv/{outer}/{inner}": READ for outer in range(many) for inner in range(8)}
        assert learning._folded(rights, kinds(), 3) == {"/srv": READ}
        counts.append(len(steps))
    assert counts[1] < 3 * counts[0]


def test_rules_that_allow_writing_on_much_are_given() -> None:
    places = {"/": WRITE, "/etc": Action.CHMOD, "/etc/a": WRITE, "/home": Action.MAKE_REG, "/home/me": READ, "/srv": WRITE}
    rules = [policy.Rule(path, allowed, Action(0), policy.Location("learned", 1)) for path, allowed in places.items()]
    assert [rule.path for rule in learning.sweeping(rules, kinds())] == ["/", "/etc", "/home"]
