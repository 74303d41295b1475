# SPDX-License-Identifier: GPL-2.0-only
"""The bench without an engine: what it counts, what it makes of its figures, and its measured loop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landlock_bpf import abi, errors
from landlock_bpf.bench import cases, clock, report, results, tree, workload

INSTRUCTIONS = clock.Clock("instructions", 1.0, 1.0)
NANOSECONDS = clock.Clock("ns", 0.2, 0.4)


def row(subject: cases.Case | cases.Bystander, plain: float, **added: float) -> results.Row:
    samples = {results.UNRESTRICTED: plain, **{name: plain + value for name, value in added.items()}}
    found = {name: workload.Sample(value, value, value, 1) for name, value in samples.items()}
    return results.Row(subject, results.WARM, found)


def mark(rows: list[results.Row], what: str, unit: clock.Clock = INSTRUCTIONS) -> results.Mark:
    return next(each for each in results.marks(rows, unit) if each.what == what)


def test_ratio_is_of_what_is_added() -> None:
    assert row(cases.BASE, 7000, syscalls=2000, engine=800).ratio == pytest.approx(0.4)


def test_ratio_needs_both_mechanisms_and_a_cost() -> None:
    assert row(cases.BASE, 7000, engine=800).ratio is None
    assert row(cases.BASE, 7000, syscalls=0, engine=800).ratio is None


@pytest.mark.parametrize(("engine", "met"), [(1000, True), (1010, False)])
def test_target_at_depth_4(engine: float, met: bool) -> None:
    assert mark([row(cases.BASE, 7000, syscalls=2000, engine=engine)], "ratio at depth 4").met is met


def test_target_that_was_not_measured_is_not_met() -> None:
    assert mark([], "ratio at depth 4").met is None


def test_counts_of_instructions_are_no_target_for_wall_time() -> None:
    rows = [row(cases.Bystander(1), 7000, engine=299)]
    assert mark(rows, "bystander, one hook, cgroup domains").met is True
    with pytest.raises(StopIteration):
        mark(rows, "bystander, one hook, cgroup domains", NANOSECONDS)


def test_every_target_speaks_of_a_case_that_is_measured() -> None:
    rows = [row(case, 7000, syscalls=2000, engine=100) for case in cases.CASES if case.quick]
    rows += [row(case, 7000, engine=100) for case in cases.BYSTANDERS]
    assert all(each.met for each in results.marks(rows, INSTRUCTIONS))


def test_cases_are_distinct_and_vary_from_the_base() -> None:
    assert len(set(cases.CASES)) == len(cases.CASES)
    assert {case.depth for case in cases.CASES} == {1, 4, 16, 64}
    assert {case.rules for case in cases.CASES} >= {1, 10, 1_000, 10_000}
    assert all(case.rules * case.layers <= abi.Limit.RULES for case in cases.CASES)
    assert {case.layers for case in cases.CASES} == {1, 4, 16}


@pytest.mark.parametrize("depth", [1, 4, 16, 64])
def test_file_has_as_many_directories_above_as_its_depth(depth: int) -> None:
    paths = [*tree.warm_paths(depth), *tree.cold_paths(depth)]
    assert {path.count("/") for path in paths} == {depth}
    assert all(path.startswith(f"{tree.top(depth)}/") for path in paths)


class Chains:
    """A loop whose instructions take the given times."""

    def __init__(self, *times: float) -> None:
        self.times = times

    def time_chains(self, rounds: int) -> tuple[float, ...]:
        return self.times


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        pytest.param((1.001, 1.002), "instructions", id="icount"),
        pytest.param((0.125, 0.25), "ns", id="4 GHz"),
        pytest.param((0.5, 1.0), "ns", id="1 GHz"),
        pytest.param((0.0, 0.0), "ns", id="a machine without the loops"),
    ],
)
def test_unit_is_measured(times: tuple[float, float], unit: str) -> None:
    assert clock.read_clock(Chains(*times)).unit == unit  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def loop() -> workload.Workload:
    return workload.Workload(workload.compile_workload(), operations=4, budget=1_000_000)


def test_workload_is_compiled_once() -> None:
    first = workload.compile_workload()
    made = first.stat().st_mtime_ns
    assert workload.compile_workload() == first
    assert first.stat().st_mtime_ns == made


def test_sample_opens_files(loop: workload.Workload, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    sample = loop.sample([str(tmp_path / "f")], lambda: None)
    assert 0 < sample.low <= sample.median <= sample.high
    assert sample.operations >= 4 * workload.MIN_BATCHES


def test_sample_that_cannot_open_is_an_error(loop: workload.Workload, tmp_path: Path) -> None:
    with pytest.raises(errors.Error, match="No such file"):
        loop.sample([str(tmp_path / "none")], lambda: None)


def test_sample_whose_mechanism_fails_is_an_error(loop: workload.Workload, tmp_path: Path) -> None:
    def enter() -> None:
        raise errors.UnsupportedError("no mechanism", "get one")

    with pytest.raises(errors.Error, match="no mechanism"):
        loop.sample([str(tmp_path)], enter)


def test_tables_and_json_have_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row(cases.BASE, 7280, syscalls=1745, engine=854), row(cases.Bystander(1_000), 7280, engine=288)]
    marks = results.marks(rows, INSTRUCTIONS)
    report.print_report(INSTRUCTIONS, rows, marks)
    out = capsys.readouterr().out
    for words in ("7,280", "+1,745", "+854", "0.49", "+288", "met", "not measured", "instructions"):
        assert words in out
    document = json.loads(json.dumps(report.document(INSTRUCTIONS, rows, marks)))
    assert document["unit"] == "instructions"
    assert document["rows"][0]["samples"]["engine"]["median"] == 8134
    assert document["rows"][1]["added"] == {"engine": 288}
