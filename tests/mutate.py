# SPDX-License-Identifier: GPL-2.0-only
"""Switch mechanisms off, one after the other, and demand that their tests fail: vm/mutate runs it in a guest."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from collections.abc import Iterable
from pathlib import Path

import hypothesis  # noqa: F401  # what each run needs is there already
import mutation
import mutations
import pytest

COMPILER = (sys.executable, "-c", "from landlock_bpf import compiler; print(compiler.compile_engine())")
WORDS = ("-q", "--no-header", "-p", "no:cacheprovider", "--tb=line", "-x", "--few-hooks")


def survives(row: mutation.Mutation) -> str:
    """Run the tests of a mutation; say what is wrong, empty where one of them failed, as it must.

    Where it takes something else for the mechanism to be needed, they must pass with that alone. A test that could not even be
    set up has not failed: the engine must load.
    """
    if row.given:
        failures, errors, words = _try(row.given, row.tests)
        if failures or errors:
            return f"its tests do not pass with the mechanism:\n{words}"
    failures, _, words = _try((*row.given, row.off), row.tests)
    return "" if failures else f"its tests did not fail:\n{words}"


def _try(changes: Iterable[mutation.Change], tests: Iterable[str]) -> tuple[int, int, str]:
    """Run tests over changed sources: how many failed, how many could not be set up, and what pytest said."""
    with tempfile.TemporaryDirectory() as folder:
        report, said = Path(folder, "junit.xml"), Path(folder, "said")
        environment = mutation.apply(changes, Path(folder))
        pid = os.fork()
        if pid == 0:
            _run(environment, Path(folder), said, [*WORDS, f"--junitxml={report}", *tests])
        os.waitpid(pid, 0)
        words = said.read_text()[-4000:]
        if not report.exists():
            return 0, 1, words
        suites = list(xml.etree.ElementTree.parse(report).getroot().iter("testsuite"))
        failures, errors = (sum(int(suite.get(kind, 0)) for suite in suites) for kind in ("failures", "errors"))
        return failures, errors, words


def _run(environment: dict[str, str], folder: Path, said: Path, words: list[str]) -> None:
    """Run pytest in this process, which ends with it, over the sources in a folder. None of them may have been imported yet."""
    try:
        assert "landlock_bpf" not in sys.modules
        output = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(environment)
        os.chdir(mutation.ROOT)
        sys.path.insert(0, str(folder))
        pytest.main(words)
        sys.stdout.flush()
    finally:
        os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true", help="only compile the engines, and print their paths")
    parser.add_argument("--list", action="store_true", help="only name those whose tests need a kernel")
    parser.add_argument("names", metavar="MUTATION", nargs="*")
    arguments = parser.parse_args()
    if arguments.list:
        print(*(row.name for row in mutations.ALL if not row.hostly))
        return 0
    if unknown := set(arguments.names) - set(mutations.BY_NAME):
        parser.error(f"no such mutation: {', '.join(unknown)}")
    rows = [mutations.BY_NAME[name] for name in arguments.names]
    if arguments.compile:
        for changes in [(*row.given, row.off) for row in rows] + [row.given for row in rows if row.given]:
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(COMPILER, env=mutation.apply(changes, Path(folder)), check=True)
        return 0
    survived = 0
    for row in rows:
        print(f"{row.name}: ", end="", flush=True)  # first: should a test never end, this tells which
        wrong = survives(row)
        print(wrong or "missed, as it must be", flush=True)
        survived += bool(wrong)
    print(f"{len(rows) - survived} of {len(rows)} mechanisms would be missed")
    return int(bool(survived))


if __name__ == "__main__":
    sys.exit(main())
