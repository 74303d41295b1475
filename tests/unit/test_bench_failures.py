# SPDX-License-Identifier: GPL-2.0-only
"""The bench where something fails: all other figures are kept, and the mechanism that failed says why."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import test_bench

from landlock_bpf import cli, errors
from landlock_bpf.bench import cases, document, failures, measurement, mechanisms, page, report, results, rig, workload

WHY = "cannot measure t4/d/d/s0/rename:\n  Operation not permitted"
COLUMNS = (*test_bench.COLUMNS, mechanisms.Mechanism(mechanisms.BUBBLEWRAP, "bubblewrap"))


class Loop:
    """Samples without a measurement; who starts a program to measure `broken` fails."""

    def __init__(self, broken: str) -> None:
        self.broken = broken

    def sample(self, operation: str, _subjects: Sequence[Any], way: workload.Way, **_how: int) -> workload.Sample:
        if way.prefix and operation == self.broken:
            raise errors.Error(WHY)
        return workload.Sample(1_100, 1_100, 1_100, 1) if way.prefix else workload.Sample(1_000, 1_000, 1_000, 1)


def measure(broken: str) -> results.Figures:
    """Measure what needs no program of ours, nothing and bubblewrap alone, as far as that goes."""
    plan = measurement.Plan()
    plan.columns = tuple(each for each in COLUMNS if each.name in (mechanisms.UNRESTRICTED, mechanisms.BUBBLEWRAP))
    bench = rig.Rig(Loop(broken), Path("measured"), Path("elsewhere"), None, False, 2)  # type: ignore[arg-type]
    done = measurement.Measurement(bench, plan, lambda _what: None)
    done.others()
    return done.figures((), ())


def added(found: results.Figures) -> dict[str, float | None]:
    return {line.operation.name: line.added(mechanisms.BUBBLEWRAP) for line in found.lines}


def test_nothing_fails() -> None:
    found = measure("")
    assert set(added(found).values()) == {100}
    assert [each.failed for each in found.columns] == [(), ()]


def test_an_operation_fails() -> None:
    found = measure("rename")
    assert {name for name, value in added(found).items() if value is None} == {"rename"}
    assert found.columns[1].failed == (WHY,), "of two rounds, once"
    assert found.columns[0].failed == ()


def test_a_mechanism_cannot_be_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def fail(_case: cases.Case) -> Iterator[workload.Way]:
        raise FileNotFoundError(2, "No such file or directory", "bwrap")
        yield

    monkeypatch.setattr(mechanisms, "bubblewrap_mounts", fail)
    found = measure("")
    assert set(added(found).values()) == {None}
    assert found.columns[1].failed == ("[Errno 2] No such file or directory: 'bwrap'",)
    assert all(line.median(mechanisms.UNRESTRICTED) == 1_000 for line in found.lines)
    assert found.row(cases.BASE)


def test_what_is_no_failure_of_a_mechanism_goes_on() -> None:
    with pytest.raises(KeyboardInterrupt), failures.Failures().of(mechanisms.ENGINE):
        raise KeyboardInterrupt


@pytest.fixture
def told() -> document.Document:
    loaded: document.Document = json.loads(json.dumps(document.document(test_bench.INSTRUCTIONS, measure("rename"))))
    return loaded


def test_cells_and_summary_tell(told: document.Document) -> None:
    (table,) = (each for each in report.tables(told) if "bubblewrap" in each.head)
    cells = {line[0]: line[table.head.index("bubblewrap")] for line in table.lines}
    assert cells.pop("rename") == "failed" and set(cells.values()) == {"+100"}
    assert report.failures(told) == ["bubblewrap, in part: cannot measure t4/d/d/s0/rename: Operation not permitted"]
    assert f"Not measured: {report.failures(told)[0]}." in page.section(told)


def test_exit_status(told: document.Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(told))
    assert cli.main(["bench", "--load", str(path)]) == 1
    assert "landlock-bpf: not measured: bubblewrap, in part: cannot measure" in capsys.readouterr().err
    for each in told["mechanisms"]:
        del each["failed"]  # as before anything could
    path.write_text(json.dumps(told))
    assert cli.main(["bench", "--load", str(path)]) == 0
    assert not capsys.readouterr().err
