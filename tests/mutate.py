# SPDX-License-Identifier: GPL-2.0-only
"""Switch mechanisms of the engine off, one after the other, and demand that their tests fail: vm/mutate runs it in a guest."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from pathlib import Path

import mutation

ROOT = Path(__file__).parent.parent
WORDS = ("-q", "--no-header", "-p", "no:cacheprovider", "--tb=line", "-x")


def survives(row: mutation.Mutation) -> str:
    """Run the tests of a mutation; say what is wrong, empty where one of them failed, as it must.

    A test that could not even be set up has not failed: the engine must load.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "junit.xml")
        command = [sys.executable, "-m", "pytest", *WORDS, f"--mutation={row.name}", f"--junitxml={report}", *row.tests]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        words = f"{done.stdout[-3000:]}{done.stderr[-1000:]}"
        if not report.exists():
            return f"pytest said:\n{words}"
        suites = xml.etree.ElementTree.parse(report).getroot().iter("testsuite")
        counts = [{name: int(suite.get(name, 0)) for name in ("failures", "errors", "skipped")} for suite in suites]
    if any(count["failures"] for count in counts):
        return ""
    return f"its tests did not fail:\n{words}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true", help="only compile the engines, and print their paths")
    parser.add_argument("--list", action="store_true", help="only name those whose tests need a kernel")
    parser.add_argument("names", metavar="MUTATION", nargs="*")
    arguments = parser.parse_args()
    if arguments.list:
        print(*(row.name for row in mutation.MUTATIONS if not row.hostly))
        return 0
    if unknown := set(arguments.names) - set(mutation.BY_NAME):
        parser.error(f"no such mutation: {', '.join(unknown)}")
    rows = [mutation.BY_NAME[name] for name in arguments.names]
    if arguments.compile:
        from landlock_bpf import compiler

        for row in rows:
            with tempfile.TemporaryDirectory() as folder, mutation.switched_off(row, Path(folder)):
                print(compiler.compile_engine(), flush=True)
        return 0
    survived = 0
    for row in rows:
        wrong = survives(row)
        print(f"{row.name}: {wrong or 'missed, as it must be'}", flush=True)
        survived += bool(wrong)
    print(f"{len(rows) - survived} of {len(rows)} mechanisms would be missed")
    return int(bool(survived))


if __name__ == "__main__":
    sys.exit(main())
