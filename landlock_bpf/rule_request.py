# SPDX-License-Identifier: GPL-2.0-only
"""Rule programs as a command asks for them: which way they are to be asked, and what is marked in their views.

They are loaded before anything is changed: a program that the verifier refuses has then changed nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import abi, engine, errors, installation, marking, questions, rule_slots, ruleset

if TYPE_CHECKING:
    from landlock_bpf import rule_program

AUTO = "auto"
ATTACH = (ruleset.ENGINE, ruleset.LSM_CGROUP, AUTO)


@dataclasses.dataclass(frozen=True)
class Request:
    """The compiled rule programs of one command, which are one layer; the name of the loader, and one of ATTACH."""

    layer: rule_program.RuleLayer
    loader: str
    attach: str = ruleset.ENGINE
    trees: marking.Trees = dataclasses.field(default_factory=dict)
    why: str = "its denials are reported"

    @property
    def views(self) -> tuple[ruleset.View, ...]:
        return tuple(ruleset.View(view.name, view.max) for view in self.layer.views)

    @property
    def rows(self) -> tuple[questions.Row, ...]:
        """Give the hooks that ask, those that this kernel lacks included."""
        return questions.asked(rule.event for rule in self.layer.rules)

    def through_engine(self, why: str) -> Request:
        """Give the same rule programs, asked through the engine."""
        return dataclasses.replace(self, attach=ruleset.ENGINE, why=why)


def decide(request: Request, kind: abi.Kind) -> Request:
    """Say which way rule programs are asked in a domain of this kind, and why; LimitError where they cannot be.

    Where that is ruleset.LSM_CGROUP, the kernel may yet have no room: rule_slots.NoRoomError.
    """
    count = len(request.layer.rules)
    if count > abi.Limit.SOURCES:
        raise errors.LimitError(f"{count} rule programs were given; a domain can have {int(abi.Limit.SOURCES)}")
    marking.check(request.trees, request.views)
    if request.attach == ruleset.ENGINE:
        return request
    obstacle = _obstacle(request, kind)
    if request.attach == AUTO:
        if obstacle:
            return request.through_engine(f"not lsm_cgroup, for {obstacle}")
        return dataclasses.replace(request, attach=ruleset.LSM_CGROUP, why=f"its {len(request.rows)} hooks have room there")
    if obstacle:
        raise errors.LimitError(f"these rule programs cannot be attached with lsm_cgroup: {obstacle}; use --attach engine")
    return dataclasses.replace(request, why="it was asked for")


def compile(paths: Sequence[Path], loader_name: str) -> rule_program.RuleLayer:
    """Compile rule sources, and check all that needs no kernel; PolicyError or CompileError for what is wrong with them."""
    from landlock_bpf import loader, rule_program  # slow, and most commands have no rule programs

    return rule_program.compile(paths, loader.choose(loader_name))


@contextlib.contextmanager
def loaded(live: engine.Engine, request: Request, serial: int, marks: tuple[ruleset.Mark, ...]) -> Iterator[rule_slots.Loaded]:
    """Load rule programs for a slot that is free now; the lock is held. In force nowhere yet.

    Raises VerifierError where the kernel refuses one.
    """
    from landlock_bpf import loader

    check_abilities(request)
    if request.attach == ruleset.ENGINE:
        installation.load_questions(live, request.rows)
    chosen = loader.choose(request.loader)
    with contextlib.ExitStack() as stack:
        descriptors = chosen.load(request.layer, request.attach, live)
        for fd in descriptors.values():
            stack.callback(os.close, fd)
        hooks = 0
        for hook in descriptors:
            hooks |= 1 << hook
        yield rule_slots.Loaded(
            ruleset.Programs(
                rule_slots.free(live),
                hooks,
                request.attach,
                request.why,
                request.loader,
                tuple(
                    ruleset.RuleProgram(rule.source, rule.line, rule.function, int(rule.event), int(rule.ability))
                    for rule in request.layer.rules
                ),
                request.views,
                serial if request.views else 0,
                marks,
            ),
            descriptors,
        )


def check_abilities(request: Request) -> None:
    """Raise PrivilegeError where a subtype has an ability that we may not give."""
    from landlock_bpf import features  # slow to load, and rule programs alone take it

    for rule in request.layer.rules:
        if rule.ability and not features.is_capable("CAP_SYS_ADMIN"):
            what = f"{rule.source}:{rule.line}: {rule.function} has LANDLOCK_SUBTYPE_ABILITY_DEBUG"
            raise errors.PrivilegeError(f"{what}, which needs CAP_SYS_ADMIN; leave it and the debug helpers out")


def _obstacle(request: Request, kind: abi.Kind) -> str:
    """Say why BPF_LSM_CGROUP cannot do it; empty where it can."""
    if kind != abi.Kind.CGROUP:
        return "it binds control groups, not process trees"
    if request.views:
        return f"it cannot ask views ({', '.join(view.name for view in request.views)})"
    if len(request.rows) > rule_slots.MOST_LINKED:
        return f"{len(request.rows)} hooks ask them, and it has room for {rule_slots.MOST_LINKED} in the whole system"
    return ""
