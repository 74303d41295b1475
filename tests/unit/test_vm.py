# SPDX-License-Identifier: GPL-2.0-only
"""What vm/test makes of a report: no test may count as passed that did not run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import kernels
import pytest
import result

PASSED = '<testcase classname="c" name="passed"/>'
FAILED = '<testcase classname="c" name="failed"><failure message="no"/></testcase>'
BROKEN = '<testcase classname="c" name="broken"><error message="fixture"/></testcase>'


def skipped(reason: str) -> str:
    return f'<testcase classname="c" name="skipped"><skipped message="{reason}"/></testcase>'


# cases, exit status, tests chosen by the user, features known to be absent (None on a host) -> passed, failed, skipped
REPORTS = (
    ([PASSED, PASSED], 0, False, [], (2, 0, 0)),
    ([PASSED, FAILED, BROKEN], 1, False, [], (1, 2, 0)),
    ([PASSED, skipped("needs root")], 0, False, None, (1, 0, 1)),
    ([PASSED, skipped("needs root")], 0, False, [], (1, 1, 0)),
    ([PASSED, skipped("absent: ioctl")], 0, False, [], (1, 1, 0)),
    ([PASSED, skipped("absent: ioctl")], 0, False, ["ioctl"], (1, 0, 1)),
    ([], 5, False, [], (0, 1, 0)),
    ([], 5, True, [], (0, 0, 0)),
    ([], 4, True, [], (0, 1, 0)),
    ([PASSED], 3, False, [], (1, 1, 0)),
    ([PASSED], 125, False, [], (1, 1, 0)),
)


@pytest.mark.parametrize(("cases", "code", "chosen", "absent", "counts"), REPORTS)
def test_counts(
    cases: list[str], code: int, chosen: bool, absent: list[str] | None, counts: tuple[int, ...], tmp_path: Path
) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    found = result.read("stage", report, code, 1.0, chosen=chosen, absent=absent)
    assert (found.passed, found.failed, found.skipped) == counts


def test_a_guest_that_left_no_report_failed(tmp_path: Path) -> None:
    found = result.read("stage", tmp_path / "junit.xml", 125, 1.0, chosen=False, absent=[])
    assert (found.passed, found.failed) == (0, 1)
    assert "did not run to its end" in str(found)


def test_table_of_kernels() -> None:
    rows = kernels.rows()
    assert len({row.series for row in rows}) == len(rows) >= 2
    assert kernels.row(rows[0].series) == rows[0]


@pytest.mark.parametrize("script", ["setup", "demo"])
def test_a_kernel_that_is_not_in_the_table(script: str) -> None:
    done = subprocess.run([kernels.TABLE.with_name(script), "--kernel", "9.9"], check=False, capture_output=True, text=True)
    there = ", ".join(row.series for row in kernels.rows())
    assert (done.returncode, done.stderr) == (2, f"vm/setup: no kernel 9.9 in vm/kernels.toml; there are {there}\n")


@pytest.mark.parametrize("script", ["setup", "demo", "demo-guest", "guest-init", "initramfs-init"])
def test_shell_scripts_parse(script: str) -> None:
    shell = "bash" if script == "demo-guest" else "sh"
    subprocess.run([shell, "-n", kernels.TABLE.with_name(script)], check=True)
