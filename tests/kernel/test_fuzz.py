# SPDX-License-Identifier: GPL-2.0-only
"""Random operations in random worlds under random policies: each ends as foretold, under the engine and under landlock(7).

Options: --fuzz-seed plays the same cases again, --fuzz-operations says how many operations to try.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import chance
import errata
import filesystem
import prediction
import pytest
import rule
import shrinking
import walker
import world

from landlock_bpf import controller, landlock, policy
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

LENGTH = 600
MODPROBE = Path("/proc/sys/kernel/modprobe")


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--fuzz-seed"))


@pytest.fixture
def count(pytestconfig: pytest.Config) -> int:
    """How many cases to play, of as many operations as asked for or a few more; a third of them with denials."""
    return max(3, math.ceil(int(pytestconfig.getoption("--fuzz-operations")) / LENGTH))


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """No module is looked for when somebody executes an empty file or opens a device that is not there: that takes long."""
    before = MODPROBE.read_text()
    MODPROBE.write_text("\n")
    yield
    MODPROBE.write_text(before)


@dataclasses.dataclass(frozen=True)
class Found:
    """How the operations of a case ended on one side, how they were foretold to, and what is there in the end against it."""

    side: str
    foretold: list[int]
    ended: list[int]
    stray: str = ""

    @property
    def number(self) -> int | None:
        pairs = enumerate(zip(self.foretold, self.ended))
        return next((number for number, (expected, found) in pairs if expected != found), None)

    @property
    def differs(self) -> bool:
        return self.number is not None or bool(self.stray)

    def describe(self, case: chance.Case) -> str:
        if self.number is None:
            return f"under {self.side}: {self.stray}"
        expected, found = (errno.errorcode.get(each[self.number], "success") for each in (self.foretold, self.ended))
        return f"under {self.side}: {case.operations[self.number]}: {found}, foretold {expected}"


class Stage:
    """Where cases are played: control groups, a domain that is given new policies, a folder."""

    def __init__(self, live: controller.Controller, cgroup: Path, folder: Path, attach: rule.Attach) -> None:
        self._live = live
        self._folder = folder
        self._attach = attach
        self._name = ""
        self._told: tuple[chance.Case, dict[str, bool], tuple[list[int], world.World]] | None = None
        self.inside = cgroup / "inside"
        self.outside = cgroup / "outside"
        for each in (self.inside, self.outside):
            each.mkdir()

    @contextlib.contextmanager
    def world(self, case: chance.Case) -> Iterator[Path]:
        """Make the world of a case, on a filesystem of its own that goes with it."""
        with filesystem.mounted("none", self._folder / "worlds", "tmpfs", data="mode=700") as top:
            calls.mount("none", top, flags=calls.MS_PRIVATE)
            chance.plant(case.steps, top / "world")
            yield top / "world"

    def play(
        self, side: str, case: chance.Case, top: Path, confine: Callable[[], object], *, guards: bool = False, **words: bool
    ) -> Found:
        """Foretell and walk; with `guards` block devices without a rule of their own are not opened."""
        if self._told is None or self._told[0] is not case or self._told[1] != words:
            self._told = case, words, chance.foretell(case, **words)
        told, model = self._told[2]
        guarded = errno.EACCES if guards else errno.ENXIO
        foretold = [guarded if each == prediction.GUARDED else each for each in told]
        ended = walker.walk(walker.Way(top, case.held, case.before, confine, case.operations))
        expected = {path: place.inode.kind for path, place in model.places()}
        found = walker.listing(top)
        stray = "" if found == expected else f"in the end {sorted(found.items() ^ expected.items())}"
        return Found(side, foretold, ended, stray)

    def free(self, case: chance.Case) -> Found:
        """Play it under no policy."""
        with self.world(case) as top:
            return self.play("no policy", dataclasses.replace(case, layers=(), process=0), top, lambda: None)

    def upstream(self, case: chance.Case) -> Found:
        """Play it under the landlock system calls."""
        with self.world(case) as top, contextlib.ExitStack() as stack:
            rulesets = [stack.enter_context(_ruleset(top, layer)) for layer in case.layers]

            def confine() -> None:
                for each in rulesets:
                    each.restrict_self()

            return self.play("landlock", case, top, confine, **errata.words(case, upstream=True))

    def engine(self, case: chance.Case) -> Found:
        """Play it under the engine."""
        cut = len(case.layers) - case.process
        with self.world(case) as top, contextlib.ExitStack() as stack:
            policies = [_policy(top, layer) for layer in case.layers]
            place = self.inside if cut else self.outside
            if cut and self._name:
                self._live.update(self._name, policies[:cut])
            elif cut:
                self._name = self._attach(*policies[:cut], cgroup=place)
            enter: Callable[[], object] = lambda: (place / "cgroup.procs").write_text("0")  # noqa: E731
            if case.process:
                enter = stack.enter_context(self._live.prepare(policies[cut:], cgroup=place)).enter
            return self.play("the engine", case, top, enter, **errata.words(case, upstream=False))


def _ruleset(top: Path, layer: chance.Layer) -> landlock.Ruleset:
    made = landlock.Ruleset(Action(layer.handled))
    for each in layer.rules:
        made.allow(top / each.path, Action(each.allowed))
    return made


def _policy(top: Path, layer: chance.Layer) -> policy.Policy:
    rules = []
    for path, allowed, denied, name in layer.rules:
        rules += [rule.allow(top / path, Action(allowed))] if allowed else []
        rules += [rule.deny(top / path, Action(denied), *([name] if name else []))] if denied else []
    return rule.make(Action(layer.handled), *rules, default="allow" if layer.default_allow else "deny")


@pytest.fixture
def stage(live: controller.Controller, cgroup: Path, tree: Path, attach: rule.Attach) -> Stage:
    return Stage(live, cgroup, tree, attach)


def judge(case: chance.Case, sides: Sequence[Callable[[chance.Case], Found]], name: str) -> list[int]:
    """Play a case on all sides; fails with the smallest case that shows a difference. Gives the errnos of the last side."""
    ended: list[int] = []
    for side in sides:
        found = side(case)
        if found.differs:
            small = shrinking.shrink(case, lambda smaller: side(smaller).differs, found.number)  # noqa: B023
            pytest.fail(f"{name}: {found.describe(case)}\nthe smallest such case: {side(small).describe(small)}\n{small}")
        ended = found.ended
    return ended


def test_alike(stage: Stage, seed: int, count: int) -> None:
    """Without denials the engine and the landlock system calls end each operation alike."""
    ended: list[int] = []
    for number in range(count - count // 3):
        case = chance.make(seed, number, LENGTH, denials=False)
        sides = [stage.upstream, stage.engine] if number % 8 else [stage.free, stage.upstream, stage.engine]
        ended += judge(case, sides, f"--fuzz-seed {seed}, case {number}")
    refused = [each for each in ended if each in (errno.EACCES, errno.EXDEV)]
    assert len(ended) / 10 < len(refused) < len(ended) / 2, "some of all operations are refused, and not most of them"


def test_a_directory_leaves_its_mount(stage: Stage) -> None:
    """Who moves a directory out of a bind mount goes on beneath it with what upstream allows on the root of that mount."""
    steps = chance.Step("dir", "a"), chance.Step("dir", "a/b"), chance.Step("dir", "c"), chance.Step(chance.BIND, "c", "a")
    every = prediction.ALL
    layer = chance.Layer(every, False, (chance.Ruled(".", every & ~Action.READ_FILE, 0), chance.Ruled("c", every, 0)))
    operations = (
        walker.Operation("open", "@0", "d", os.O_CREAT | os.O_WRONLY),
        walker.Operation("open", "@0", "d"),
        walker.Operation("rename", "", "a/b", 0, "", "b"),
        walker.Operation("open", "@0", "d"),
        walker.Operation("rename", "", "b", 0, "", "a/b"),
        walker.Operation("open", "@0", "d"),
    )
    case = chance.Case(steps, ("c/b",), (), (layer,), 0, operations)
    ended = judge(case, [stage.upstream, stage.engine], "")
    assert ended == [0, 0, 0, errno.EACCES, errno.EXDEV, errno.EACCES]


def test_denials(stage: Stage, seed: int, count: int) -> None:
    """With denials the engine ends each operation as foretold."""
    for number in range(count // 3):
        case = chance.make(seed, number, LENGTH, denials=True)
        judge(case, [stage.engine], f"--fuzz-seed {seed}, case {number} with denials")


def _without_a_right(case: chance.Case) -> chance.Case:
    """Take the right to remove files out of what all rules allow."""
    layers = tuple(
        layer._replace(rules=tuple(each._replace(allowed=each.allowed & ~Action.REMOVE_FILE) for each in layer.rules))
        for layer in case.layers
    )
    return dataclasses.replace(case, layers=layers)


@pytest.mark.parametrize("side", ["upstream", "engine"])
def test_a_difference_is_found(side: str, stage: Stage, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is foretold by another policy than the one in force is found out, and shown with few operations."""
    foretell = chance.foretell

    def wrong(case: chance.Case, **words: bool) -> tuple[list[int], world.World]:
        return foretell(_without_a_right(case), **words)

    monkeypatch.setattr(chance, "foretell", wrong)
    play: Callable[[chance.Case], Found] = getattr(stage, side)
    for number in itertools.count():
        case = chance.make(seed, number, LENGTH, denials=False)
        found = play(case)
        if found.differs:
            break
        assert number < 20, "somebody removes a file in any case"
    small = shrinking.shrink(case, lambda smaller: play(smaller).differs, found.number)
    assert len(small.operations) <= 3
    assert {each.act for each in small.operations} & {"unlink", "rename"}
