# SPDX-License-Identifier: GPL-2.0-only
"""Options of the tests, and oracle.py and mutations.py within reach of all of them."""

from __future__ import annotations

import random

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    fuzzer = parser.getgroup("fuzzer", "tests/kernel/test_fuzz.py")
    fuzzer.addoption("--fuzz-seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="play these cases again")
    fuzzer.addoption("--fuzz-operations", type=int, default=100_000, help="how many operations to try (default: 100000)")
    parser.addoption("--few-hooks", action="store_true", help="load no more of the engine than a test needs: for a few tests")


def pytest_report_header(config: pytest.Config) -> str:
    return f"--fuzz-seed {config.getoption('--fuzz-seed')} --fuzz-operations {config.getoption('--fuzz-operations')}"
