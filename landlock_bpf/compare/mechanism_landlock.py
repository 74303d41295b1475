# SPDX-License-Identifier: GPL-2.0-only
"""The landlock system calls, alone and with a filter for what they lack."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from landlock_bpf import landlock, policy_actions
from landlock_bpf.compare import mechanism, mechanism_seccomp
from landlock_bpf.compare.operation import METADATA, READ, WRITE, Operation
from landlock_bpf.compare.scene import BENEATH, EVERYTHING, INSIDE, Scene, Statement

NO_DENIALS = "n/a: no deny rules"
NO_METADATA = "n/a: no right for metadata"
_READ = policy_actions.READ | policy_actions.NAMES["execute"]


class Landlock:
    name = "landlock"
    what = "Rules that a process puts on itself for good; they only allow, each for a file or a directory and all beneath."
    errnos = mechanism.USUAL | {"EXDEV"}

    @property
    def title(self) -> str:
        return f"landlock system calls, ABI {landlock.abi_version()}"

    def missing(self) -> str | None:
        return landlock.missing()

    def cannot(self) -> tuple[str, ...]:
        return (
            "no deny rules: nothing is taken from a tree that is allowed",
            "no rights for metadata: modes, owners, times, attributes, stat(2), chdir(2), access(2)",
        )

    def says(self, operation: Operation) -> str | None:
        if operation.need == METADATA:
            return NO_METADATA
        return NO_DENIALS if operation.place in (INSIDE, BENEATH) and operation.need in (READ, WRITE) else None

    @contextlib.contextmanager
    def enforced(self, scene: Scene) -> Iterator[mechanism.Launch]:
        with ruleset(scene.statements, scene) as made:
            yield mechanism.Launch(enter=made.restrict_self)


class WithFilter(Landlock):
    name = "landlock+seccomp"
    what = "The usual workaround: a filter refuses, for all files alike, what Landlock has no right for."

    @property
    def title(self) -> str:
        return f"{super().title}, with a seccomp filter"

    def missing(self) -> str | None:
        return super().missing() or mechanism_seccomp.Seccomp().missing()

    def cannot(self) -> tuple[str, ...]:
        return (*super().cannot()[:1], "metadata changes are refused everywhere or nowhere, for a filter sees no paths")

    def says(self, operation: Operation) -> str | None:
        return None if operation.need == METADATA else super().says(operation)

    @contextlib.contextmanager
    def enforced(self, scene: Scene) -> Iterator[mechanism.Launch]:
        with ruleset(scene.statements, scene) as made, mechanism_seccomp.Filter() as refused:

            def enter() -> None:
                made.restrict_self()
                refused.load()

            yield mechanism.Launch(enter=enter)


def ruleset(statements: tuple[Statement, ...], scene: Scene) -> landlock.Ruleset:
    """Make a ruleset with all that this kernel's Landlock can restrict, ports and scopes too, of which nothing is allowed."""
    rights = landlock.rights()
    made = landlock.Ruleset(rights, network=landlock.network_rights(), scoped=landlock.scopes())
    with contextlib.ExitStack() as undo:
        undo.push(made)
        for each in statements:
            path = each.path if each.path == EVERYTHING else str(scene.root / each.path)
            if each.read or each.write:
                made.allow(path, rights if each.write else _READ)
        undo.pop_all()
    return made
