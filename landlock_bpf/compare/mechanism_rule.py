# SPDX-License-Identifier: GPL-2.0-only
"""A rule program in the form of 2017, with a view of the trees."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from landlock_bpf import controller, course, loader, marking, rule_request
from landlock_bpf.compare import mechanism, mechanism_bpf
from landlock_bpf.compare.operation import Operation
from landlock_bpf.compare.scene import EVERYTHING, Scene, Statement

SOURCE, VIEW = "fsview.c", "trees"
# Neither ro nor rw: the rule denies what has a mark that it does not know.
NEITHER = 3


class Rule:
    name = "rule"
    title = f"rule program of 2017, policies/rules/{SOURCE}"
    what = "A C function that is asked at each hook, about an object and what is done to it; a view tells it the trees."
    errnos = mechanism.USUAL

    def missing(self) -> str | None:
        return mechanism_bpf.engine_missing()

    def cannot(self) -> tuple[str, ...]:
        return ("no metadata apart: to change it is to write", "no rules on ports, signals and abstract sockets")

    def says(self, operation: Operation) -> str | None:
        return None

    @contextlib.contextmanager
    def enforced(self, scene: Scene) -> Iterator[mechanism.Launch]:
        layer = rule_request.compile((course.source(SOURCE),), loader.LIBBPF)
        trees = tuple(
            marking.Tree(_mark(each), each.path if each.path == EVERYTHING else str(scene.root / each.path))
            for each in scene.statements
        )
        request = rule_request.Request(layer, loader.LIBBPF, trees={VIEW: trees})
        with controller.Controller.open() as live, live.prepare((), rules=request) as confinement:
            with mechanism_bpf.emptied(confinement.cgroup):
                yield mechanism.Launch(enter=confinement.enter)


def _mark(said: Statement) -> int:
    if said.write:
        return marking.MARKS["rw"]
    return marking.MARKS["ro"] if said.read else NEITHER
