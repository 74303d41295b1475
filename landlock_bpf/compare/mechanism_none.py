# SPDX-License-Identifier: GPL-2.0-only
"""No mechanism: the bare run, by which all others are judged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from landlock_bpf.compare import mechanism, operation, results, scene


class Nothing:
    name = title = results.BARE
    what = "The bare run of root: what succeeds here is what a mechanism can refuse."
    errnos: frozenset[str] = frozenset()

    def missing(self) -> str | None:
        return None

    def cannot(self) -> tuple[str, ...]:
        return ()

    def says(self, operation: operation.Operation) -> str | None:
        return None

    @contextlib.contextmanager
    def enforced(self, scene: scene.Scene) -> Iterator[mechanism.Launch]:
        yield mechanism.Launch()
