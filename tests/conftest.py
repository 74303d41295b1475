# SPDX-License-Identifier: GPL-2.0-only
"""Options of the tests, and oracle.py and mutation.py within reach of all of them."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import mutation
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    fuzzer = parser.getgroup("fuzzer", "tests/kernel/test_fuzz.py")
    fuzzer.addoption("--fuzz-seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="play these cases again")
    fuzzer.addoption("--fuzz-operations", type=int, default=100_000, help="how many operations to try (default: 100000)")
    parser.addoption("--mutation", choices=sorted(mutation.BY_NAME), help="switch a mechanism of the engine off: see mutate.py")


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("--mutation")
    if name:
        folder = tempfile.TemporaryDirectory()
        config.add_cleanup(folder.cleanup)
        switched = mutation.switched_off(mutation.BY_NAME[name], Path(folder.name))
        switched.__enter__()
        config.add_cleanup(lambda: switched.__exit__(None, None, None))


def pytest_report_header(config: pytest.Config) -> str:
    return f"--fuzz-seed {config.getoption('--fuzz-seed')} --fuzz-operations {config.getoption('--fuzz-operations')}"
