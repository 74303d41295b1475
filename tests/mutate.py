# SPDX-License-Identifier: GPL-2.0-only
"""Switch mechanisms off, one after the other, and demand that each of their tests fails: vm/mutate runs it in a guest."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import hypothesis  # noqa: F401  # what each run needs is there already
import mutation
import mutations
import pytest

COMPILER = (sys.executable, "-c", "from landlock_bpf import compiler; print(compiler.compile_engine())")
WORDS = ("-q", "--no-header", "-p", "no:cacheprovider", "--tb=short", "--few-hooks")
REASON = 400  # letters of why a test failed


def survives(row: mutation.Mutation, tests: Sequence[str]) -> str:
    """Run tests of a mutation; say what is wrong, empty where each of them failed, as it must.

    Where it takes something else for the mechanism to be needed, they must pass with that alone. A test that could not even be
    set up has not failed: the engine must load.
    """
    if row.given:
        outcomes = _try(row.given, tests)
        if outcomes.failed or outcomes.broken:
            return f"its tests do not pass with the mechanism:\n{outcomes.words}"
    outcomes = _try((*row.given, *row.off), tests)
    for name, reason in outcomes.failed.items():
        print(f"\n  {name}: {reason}", end="", flush=True)
    missing = [test for test in tests if not any(_is_of(name, test) for name in outcomes.failed)]
    if missing:
        return f"its tests did not fail: {', '.join(missing)}\n{outcomes.words}"
    return ""


def _is_of(name: str, test: str) -> bool:
    """Whether a test as it was run is one of those that were asked for: with parameters, any of them will do."""
    return test in (name, name.partition("[")[0])


@dataclasses.dataclass(frozen=True)
class Outcomes:
    """Which tests failed, and which could not be set up or cleared up after; why; and all that pytest said."""

    failed: dict[str, str]
    broken: dict[str, str]
    words: str


class Notes:
    """A plug-in of pytest that notes which tests failed. Of one that has, parameters nobody asked for are passed over."""

    def __init__(self, path: Path, asked: Sequence[str]) -> None:
        self._path = path
        self._asked = asked
        self._failed: dict[str, str] = {}
        self._broken: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if item.nodeid not in self._asked and any(_is_of(name, item.nodeid.partition("[")[0]) for name in self._failed):
            pytest.skip("it has failed with other parameters")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            told = self._failed if report.when == "call" else self._broken
            told[report.nodeid] = _reason(report)

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(json.dumps([self._failed, self._broken]))


def _reason(report: pytest.TestReport) -> str:
    """Give the line that failed and the first words of why, for who wants to know whether it failed for the right reason."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return report.longreprtext[-REASON:]
    return f"line {crash.lineno}: {' '.join(crash.message.split())[:REASON]}"


def _try(changes: Iterable[mutation.Change], tests: Sequence[str]) -> Outcomes:
    """Run tests over changed sources."""
    with tempfile.TemporaryDirectory() as folder:
        notes, said = Path(folder, "notes"), Path(folder, "said")
        environment = mutation.apply(changes, Path(folder))
        pid = os.fork()
        if pid == 0:
            _run(environment, Path(folder), said, [*WORDS, *tests], Notes(notes, tests))
        os.waitpid(pid, 0)
        words = said.read_text()[-4000:]
        failed, broken = json.loads(notes.read_text()) if notes.exists() else ({}, {"pytest": "it came to no end"})
        return Outcomes(failed, broken, words)


def _run(environment: dict[str, str], folder: Path, said: Path, words: list[str], notes: Notes) -> None:
    """Run pytest in this process, which ends with it, over the sources in a folder. None of them may have been imported yet."""
    try:
        assert "landlock_bpf" not in sys.modules
        output = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(environment)
        os.chdir(mutation.ROOT)
        sys.path.insert(0, str(folder))
        pytest.main(words, plugins=[notes])
        sys.stdout.flush()
    finally:
        os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true", help="only compile the engines, and print their paths")
    parser.add_argument("--host", action="store_true", help="run the tests that need no kernel, instead of those that do")
    parser.add_argument("--list", action="store_true", help="only name those whose tests need a kernel")
    parser.add_argument("names", metavar="MUTATION", nargs="*")
    arguments = parser.parse_args()
    if arguments.list:
        print(*(row.name for row in mutations.ALL if row.in_guest))
        return 0
    if unknown := set(arguments.names) - set(mutations.BY_NAME):
        parser.error(f"no such mutation: {', '.join(unknown)}")
    rows = {row: row.on_host if arguments.host else row.in_guest for row in map(mutations.BY_NAME.__getitem__, arguments.names)}
    if without := [row.name for row, tests in rows.items() if not tests]:
        parser.error(f"no such tests: {', '.join(without)}")
    if arguments.compile:
        for changes in [(*row.given, *row.off) for row in rows] + [row.given for row in rows if row.given]:
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(COMPILER, env=mutation.apply(changes, Path(folder)), check=True)
        return 0
    survived = 0
    for row, tests in rows.items():
        print(f"{row.name}: ", end="", flush=True)  # first: should a test never end, this tells which
        wrong = survives(row, tests)
        print(f"\n{row.name}: {wrong or 'missed, as it must be'}", flush=True)
        survived += bool(wrong)
    print(f"{len(rows) - survived} of {len(rows)} mechanisms would be missed")
    return int(bool(survived))


if __name__ == "__main__":
    sys.exit(main())
