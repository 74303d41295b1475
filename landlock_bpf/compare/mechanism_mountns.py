# SPDX-License-Identifier: GPL-2.0-only
"""A mount namespace, as bubblewrap makes it: what may not be written is bound read-only, what is denied has a mask over it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from landlock_bpf import bubblewrap
from landlock_bpf.compare import mechanism, operation
from landlock_bpf.compare import scene as scenes


class MountNamespace:
    name = "mountns"
    what = (
        "bubblewrap: a mount namespace in which all that may not be written is bound read-only, and the secret has an empty "
        "directory over it; without CAP_SYS_ADMIN, with which masks come off."
    )
    # What is masked is not there, what is bound anew is another filesystem's to rename(2), and is in use to rmdir(2).
    errnos = mechanism.USUAL | {"EROFS", "ENOENT", "EXDEV", "EBUSY"}

    @property
    def title(self) -> str:
        return bubblewrap.version()

    def missing(self) -> str | None:
        return bubblewrap.missing(*options(()))

    def cannot(self) -> tuple[str, ...]:
        return (
            "deny with EACCES: what is masked is not there, or is an empty stand-in",
            "metadata apart from writing: a read-only mount refuses both",
            "see to what is not reached by a path of its own: open descriptors, /proc/PID/root of a process outside",
        )

    def says(self, row: operation.Operation) -> str | None:
        return "masked: an empty directory is there instead" if row.place in (scenes.INSIDE, scenes.BENEATH) else None

    @contextlib.contextmanager
    def enforced(self, scene: scenes.Scene) -> Iterator[mechanism.Launch]:
        yield mechanism.Launch(prefix=(bubblewrap.PROGRAM, *options(_places(scene)), "--"))


def options(places: Iterable[tuple[Path, scenes.Statement]]) -> tuple[str, ...]:
    """Give bubblewrap's options for statements on places: those further up first, for later mounts cover earlier ones."""
    found = ["--die-with-parent", "--cap-drop", "CAP_SYS_ADMIN"]
    # Of "/" only binds that keep devices would let them be used; those of /dev are all there are.
    found += ["--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev"]
    for path, statement in sorted(places, key=lambda place: len(place[0].parts)):
        if not statement.read:
            found += ["--perms", "0000", "--tmpfs", str(path), "--remount-ro", str(path)]
        else:
            found += ["--bind" if statement.write else "--ro-bind", str(path), str(path)]
    return tuple(found)


def _places(scene: scenes.Scene) -> Iterator[tuple[Path, scenes.Statement]]:
    for statement in scene.statements:
        if statement.path != scenes.EVERYTHING:
            yield scene.root / statement.path, statement
