# SPDX-License-Identifier: GPL-2.0-only
"""Settings of the unit tests, and policies loaded from text."""

from __future__ import annotations

import textwrap
from pathlib import Path

import hypothesis
import pytest

from landlock_bpf import policy

# A busy machine is no failure: vm/test runs these while a kernel is fetched or a guest boots.
hypothesis.settings.register_profile("unit", deadline=None)
hypothesis.settings.load_profile("unit")


@pytest.fixture
def environ() -> dict[str, str]:
    """What the environment says of who loads a policy."""
    return {"HOME": "/home/u", "USER": "u"}


@pytest.fixture
def load(tmp_path: Path, environ: dict[str, str]):
    """Load a policy from text."""

    def load(text: str, name: str = "some.toml") -> policy.Policy:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        (loaded,) = policy.load(path, environ)
        return loaded

    return load
