# SPDX-License-Identifier: GPL-2.0-only
"""What fails while mechanisms are measured: it ends one measurement, and none of the other figures is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from landlock_bpf import errors


class Failures:
    """Why figures of mechanisms are missing: by the mechanism's name, in the order in which it was found, each once."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    @contextlib.contextmanager
    def of(self, mechanism: str) -> Iterator[None]:
        """Let an Error or OSError end the block and no more, and keep its words as the mechanism's."""
        try:
            yield
        except (errors.Error, OSError) as error:
            words = self._found.setdefault(mechanism, [])
            if str(error) not in words:
                words.append(str(error))

    def words(self, mechanism: str) -> tuple[str, ...]:
        """Give what was said of a mechanism."""
        return tuple(self._found.get(mechanism, ()))
