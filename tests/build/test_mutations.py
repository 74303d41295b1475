# SPDX-License-Identifier: GPL-2.0-only
"""Mechanisms whose tests need no kernel, switched off: the tests see it each time. Those of the engine: vm/mutate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mutations
import pytest

SCRIPT = Path(mutations.__file__).with_name("mutate.py")
ROWS = [row.name for row in mutations.ALL if row.on_host]


@pytest.fixture(scope="module")
def told() -> list[str]:
    """Switch all of them off, in one process that has imported nothing of ours."""
    done = subprocess.run([sys.executable, SCRIPT, "--host", *ROWS], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", ROWS)
def test_is_missed(name: str, told: list[str]) -> None:
    assert f"{name}: missed, as it must be" in told, "\n".join(told)


def said_of(changed: str) -> str:
    """What is said of the row `gain` with something of it changed."""
    code = f"""\
import dataclasses, mutate, mutations
row = dataclasses.replace(mutations.BY_NAME['gain'], {changed})
print(mutate.survives(row, row.tests))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPT.parent, capture_output=True, text=True, check=True)
    return done.stdout


def test_what_does_not_fail_is_told() -> None:
    """Were it otherwise, everything would count as missed."""
    other = "tests/build/test_decide.py::test_filter_bit"
    assert f"did not fail: {other}" in said_of(f"tests=('{other}',)")
    assert f"did not fail: {other}" in said_of(f"tests=(*mutations.BY_NAME['gain'].tests, '{other}')")


def test_what_fails_with_the_mechanism_is_told() -> None:
    """It would prove nothing that it fails without it."""
    assert "do not pass with the mechanism" in said_of("given=mutations.BY_NAME['gain'].off")
