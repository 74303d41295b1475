# SPDX-License-Identifier: GPL-2.0-only
"""What tests that compile rule programs share: a cache of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is compiled out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDLOCK_BPF_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
