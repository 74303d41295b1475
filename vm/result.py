# SPDX-License-Identifier: GPL-2.0-only
"""What came of one stage of vm/test, and how it is read from pytest's report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

NO_TESTS_COLLECTED = 5  # pytest's exit status


@dataclasses.dataclass(frozen=True)
class Result:
    """Counts, with the reasons of failures that the stage's own output does not show."""

    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = f"{self.passed:6} passed {self.failed:4} failed {self.skipped:4} skipped {self.seconds:7.1f} s"
        return "\n".join([f"{self.name:18}{counts}", *(f"    {remark}" for remark in self.remarks)])


def read(name: str, report: Path, code: int, seconds: float, *, chosen: bool, absent: Sequence[str] | None) -> Result:
    """Count the cases of a JUnit report; what pytest's exit status `code` says beyond them counts as one failure.

    `chosen`: the user said which tests to run, so that none may be left. `absent`: the features for whose lack a test
    may skip itself, by the reason "absent: NAME"; any other skip is a failure. None where every skip is fine.
    """
    if not report.exists():
        return Result(name, 0, 1, 0, seconds, (f"did not run to its end (status {code}); see above",))
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    skips = [(case, skip) for case in cases if (skip := case.find("skipped")) is not None]
    honest = {f"absent: {feature}" for feature in absent or ()}
    remarks = [
        f"{case.get('classname')}::{case.get('name')} skipped itself: {skip.get('message')}"
        for case, skip in skips
        if absent is not None and skip.get("message") not in honest
    ]
    skipped = len(skips) - len(remarks)
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    passed = len(cases) - len(skips) - failed
    failed += len(remarks)
    if not cases and not (chosen and code == NO_TESTS_COLLECTED):
        remarks.append("ran no test")
        failed += 1
    elif code not in (0, NO_TESTS_COLLECTED) and not failed:
        remarks.append(f"pytest exited with {code}")
        failed += 1
    return Result(name, passed, failed, skipped, seconds, tuple(remarks))
